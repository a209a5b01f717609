"""Lookups by zone and weight, beside those without.

    pytest tests/bench/test_bench_zones.py --benchmark-enable --benchmark-group-by=group

To be compared with one another: what else the machine does is in all of them.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from gossipmm.config import Config
from gossipmm.core.table.table import Table
from gossipmm.matchmaker import MatchMakerGossip
from tests.bench.table_of_nodes import table_of
from tests.matchmaker.helpers import FakeAgent


def placed(nodes: int = 1000) -> Table:
    """A table whose hosts are in two zones, with three weights."""
    table = table_of(nodes)
    table.zone = "eu"
    for topic in ("ten", "thousand"):
        view = table.topics[topic]
        entries = {
            host: entry._replace(
                zone=("us", "eu")[number % 2], metadata={"weight": (100, 50, 25)[number % 3]}
            )
            for number, (host, entry) in enumerate(view.entries.items())
        }
        table._index.views[topic] = view._replace(
            entries=entries, picks=tuple(view.picks), weighted=True
        )
    return table


@pytest.mark.parametrize("topic", ["ten", "thousand"])
@pytest.mark.parametrize("prefer", ["none", "zone"])
def test_a_weighted_topic(benchmark: Any, topic: str, prefer: str) -> None:
    mm = MatchMakerGossip.over(placed(), FakeAgent(), config=Config(prefer=prefer))
    benchmark.group = topic
    assert len(benchmark(mm.queues, topic)) == 1


@pytest.mark.parametrize("topic", ["ten", "thousand"])
def test_the_same_topic_without_weights_or_zones(benchmark: Any, topic: str) -> None:
    mm = MatchMakerGossip.over(table_of(), FakeAgent())
    benchmark.group = topic
    assert len(benchmark(mm.queues, topic)) == 1


@pytest.mark.parametrize("prefer", ["none", "zone"])
@pytest.mark.parametrize("hosts", [10, 100, 1000])
def test_first_lookup_behind_a_change_of_a_weight(benchmark: Any, hosts: int, prefer: str) -> None:
    """The one that finds a new view works out who is picked, and the cycle."""
    table = placed(max(hosts, 10))
    topic = "ten" if hosts == 10 else "thousand"
    mm = MatchMakerGossip.over(table, FakeAgent(), config=Config(prefer=prefer))
    mm.queues(topic)
    weights = itertools.cycle((75, 100))

    def change() -> None:
        view = table.topics[topic]
        first = next(iter(view.entries))
        entry = view.entries[first]._replace(metadata={"weight": next(weights)}, zone="eu")
        table._index.views[topic] = view._replace(entries={**view.entries, first: entry})

    benchmark.group = "behind a change"
    benchmark.pedantic(mm.queues, args=(topic,), setup=change, rounds=300)
