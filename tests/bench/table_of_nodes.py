"""A real table of many nodes, for benchmarks: filled through its own door, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gossipmm.config import Config
from gossipmm.core.table.table import Table
from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import NO_METADATA, NodeState, Registration
from gossipmm.core.wire.pages import Page, encode_entry, encode_page, encode_page_zero

NODES = 1000
GENERATION = 1 << 16


def table_of(nodes: int = NODES) -> Table:
    """Build a table of live nodes, each with a host under "thousand" and "own".

    The first ten serve "ten" as well; "own-7" is served by node 7 alone.
    """
    table = Table(Config(), Stats())
    fill(table, nodes)
    return table


def fill(table: Table, nodes: int, **metadata: Any) -> None:
    """Put the nodes of ``table_of`` into a table; their registrations have this metadata."""
    for number in range(nodes):
        name = node_name(number)
        address = (f"10.{number // 250}.0.{number % 250 + 1}", 7946)
        page = encode_page_zero(name, GENERATION, 1, NodeState.UP, (address,), NO_METADATA)
        _, member = table.put(page, 0.0)
        assert member is not None
        member.hear_alive(1, first_hand(0.0))
        table.put(page_of(number, 2, metadata=metadata), 0.0)
    table.publish()


def node_name(number: int) -> str:
    return f"host-{number:04}.example.org"


def page_of(
    number: int,
    version: int,
    *more: str,
    thousand: bool = True,
    metadata: Mapping[str, Any] = NO_METADATA,
) -> Page:
    """Build the registrations of a node, with some topics more, or without "thousand"."""
    topics = [f"own-{number}", *(["ten"] if number < 10 else []), *more]
    if thousand:
        topics.append("thousand")
    entries = [Registration(topic, node_name(number), metadata=metadata) for topic in topics]
    pairs = [(entry, encode_entry(entry)) for entry in entries]
    return encode_page(node_name(number), GENERATION, 1, version, pairs)
