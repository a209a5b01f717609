"""What a lookup costs, as calls of functions: a number that no other program changes.

The microseconds are in ``tests/bench/test_bench_matchmaker.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from gossipmm.core.values.types import NO_METADATA, HostEntry, HostState
from gossipmm.matchmaker import MatchMakerGossip, StubExchange, TopicBinding
from tests.matchmaker.helpers import FakeAgent, gossip, live

#: Functions of Python that a lookup runs, itself included: less than 0.1 us each.
CALLS = {"compute": 3, "compute.host-3": 3, "fanout~compute": 6}


def calls(function: Callable[[], object]) -> list[str]:
    """Return the names of the Python functions that a call of ``function`` runs."""
    found: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            found.append(frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return found[1:]


def of(hosts: int) -> tuple[MatchMakerGossip, FakeAgent]:
    mm, _, agent = gossip({"compute": live(*(f"host-{i}" for i in range(hosts)))})
    return mm, agent


@pytest.mark.parametrize("key", CALLS)
@pytest.mark.parametrize("hosts", [10, 1000])
def test_a_lookup_costs_a_few_calls_whatever_the_number_of_hosts(key: str, hosts: int) -> None:
    mm, _ = of(hosts)
    mm.queues(key)
    assert len(calls(lambda: mm.queues(key))) <= CALLS[key]


def test_bindings_that_are_not_the_three_are_asked_one_by_one() -> None:
    mm, _ = of(10)
    mm.bindings[2] = (TopicBinding(), StubExchange(), False, True)
    assert mm.queues("compute") == [("compute", None)]
    assert mm.queues("compute.host-3") == [("compute.host-3", "host-3")]
    mm.bindings.clear()
    assert mm.queues("compute") == []


def test_a_long_answer_about_one_host_costs_the_same_among_ten_and_a_thousand() -> None:
    """It listed all others of the topic, and asked the agent when each was heard: 14 ms."""
    costs = []
    for hosts in (10, 1000):
        mm, agent = of(hosts)
        asked: list[list[str]] = []
        heard = agent.heard

        def note(
            names: Any, asked: list[list[str]] = asked, heard: Any = heard
        ) -> dict[str, float]:
            asked.append(sorted(names))
            return dict(heard(names))

        agent.heard = note  # type: ignore[method-assign]
        found = mm.lookup("compute.host-3")
        assert (found.hosts[0].host, found.others) == ("host-3", ())
        assert asked == [["node-host-3"]]
        costs.append(len(calls(lambda mm=mm: mm.lookup("compute.host-3"))))  # type: ignore[misc]
    # A call or two of the interpreter's own may come between; a list of others is a thousand.
    assert max(costs) <= 44
    assert abs(costs[0] - costs[1]) <= 4


def test_a_hosts_metadata_is_read_where_it_is_asked_for() -> None:
    """``lookup(queue).hosts[0].metadata`` was a hop to the agent for each message."""
    mm, table, agent = gossip({"compute": live("a.example.org")})
    view = table.topics["compute"]
    entry = HostEntry("compute", "b", HostState.DRAINING, ("n",), {"rpc": "tcp://x"}, 0.0, 0.0)
    table.topics["compute"] = view._replace(entries={**view.entries, "b": entry})
    for key in ("compute", "compute.b", "fanout~compute.b"):
        assert mm.host(key, "b") is entry
        assert mm.host(key, "compute.b") is entry
        assert len(calls(lambda key=key: mm.host(key, "b"))) <= 12  # type: ignore[misc]
    found = mm.host("compute", "a.example.org")
    assert found is not None
    assert found.metadata is NO_METADATA
    assert mm.host("compute", "nobody") is None
    assert mm.host("nothing", "b") is None
    assert agent.calls == []
