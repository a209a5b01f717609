"""Lists in the order of distance, for programs that ask for them with ``near=``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Final, TypeVar

from gossipmm.agent.agent import Agent
from gossipmm.names import zone_of
from gossipmm.text.picks import by_distance, no_estimates, nowhere_known, unknown_origin

__all__ = ("OWN", "nearest_first")

#: Names the agent that answers, as Consul has it.
OWN: Final = "_agent"

_Row = TypeVar("_Row")


def nearest_first(
    agent: Agent, near: str, rows: Sequence[_Row], where: Callable[[_Row], tuple[str, str]]
) -> tuple[list[_Row], str]:
    """Order rows by the estimated round trip from a node; say what they are ordered by.

    ``near`` is its name, or ``_agent``; ``where`` gives the node and the zone of a row. Those of
    unknown distance come last, those of that node's zone before others, else as they were.
    """
    origin = agent.name if near == OWN else near
    table = agent.table
    member = table.by_name.get(origin)
    if member is None:
        return list(rows), unknown_origin(origin)
    zone = zone_of(member.metadata)
    places = [where(row) for row in rows]
    trips = table.round_trips
    on = trips is not None and trips.on
    rtts = trips.between(origin, {node for node, _ in places}) if trips is not None else {}

    def key(at: int) -> tuple[float, bool]:
        node, of_row = places[at]
        return rtts.get(node, inf), bool(zone) and of_row != zone

    order = [rows[at] for at in sorted(range(len(rows)), key=key)]
    others = sum(1 for node, _ in places if node != origin)
    known = sum(1 for node, _ in places if node != origin and node in rtts)
    if not on:
        return order, no_estimates(zone)
    if others and not known:
        return order, nowhere_known(origin, zone)
    return order, by_distance(origin, others - known)
