"""The case table of the matchmaker contract: what each classical class answers to each key."""

from __future__ import annotations

import logging

import pytest

from gossipmm import matchmaker as mm
from gossipmm.matchmaker.ring import CLASSICAL_RING_FILE
from tests.matchmaker.helpers import gossip, live

RING = {"scheduler": ["node2", "node1"], "conductor": ["controller1", "controller2"], "empty": []}

KEYS = {
    "topic": "compute",
    "direct": "compute.host-a.example.org",
    "fanout": "fanout~compute",
    "fanout with a dot": "fanout.compute",
    "fanout with a host": "fanout~compute.host-a",
}


@pytest.mark.parametrize(
    ("binding", "matches"),
    [
        (mm.TopicBinding(), {"topic", "fanout"}),
        (mm.DirectBinding(), {"direct", "fanout with a dot", "fanout with a host"}),
        (mm.FanoutBinding(), {"fanout", "fanout with a dot", "fanout with a host"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_binding_matches_the_keys_of_its_kind(binding: mm.Binding, matches: set[str]) -> None:
    assert {kind for kind, key in KEYS.items() if binding.test(key)} == matches
    assert all(isinstance(binding.test(key), bool) for key in KEYS.values())


@pytest.mark.parametrize(
    ("exchange", "key", "expected"),
    [
        (mm.StubExchange(), "compute", [("compute", None)]),
        (mm.LocalhostExchange(), "hello-world", [("hello-world.localhost", "localhost")]),
        (mm.LocalhostExchange(), "testing.server", [("testing.localhost", "localhost")]),
        (
            mm.LocalhostExchange(),
            "fanout~testing.server",
            [("fanout~testing.localhost", "localhost")],
        ),
        (mm.LocalhostExchange(), "fanout.testing", [("fanout~testing.localhost", "localhost")]),
        (mm.LocalhostExchange("box"), "a", [("a.box", "box")]),
        (mm.DirectExchange(), "compute.host", [("compute.host", "host")]),
        (mm.DirectExchange(), "compute.a.b.org", [("compute.a.b.org", "a.b.org")]),
        (mm.RoundRobinRingExchange(RING), "scheduler", [("scheduler.node2", "node2")]),
        (mm.RoundRobinRingExchange(RING), "nobody", []),
        (mm.RoundRobinRingExchange(RING), "empty", []),
        (
            mm.FanoutRingExchange(RING),
            "fanout~conductor",
            [
                ("fanout~conductor.controller1", "controller1"),
                ("fanout~conductor.controller2", "controller2"),
            ],
        ),
        (
            mm.FanoutRingExchange(RING),
            "fanout.scheduler",
            [("fanout~scheduler.node2", "node2"), ("fanout~scheduler.node1", "node1")],
        ),
        (mm.FanoutRingExchange(RING), "fanout~nobody", []),
    ],
)
def test_an_exchange_runs(exchange: mm.Exchange, key: str, expected: list[object]) -> None:
    result = exchange.run(key)
    assert type(result) is list
    assert result == expected


def test_the_round_robin_ring_goes_round_in_ring_order() -> None:
    exchange = mm.RoundRobinRingExchange(RING)
    assert [exchange.run("scheduler")[0][1] for _ in range(5)] == [
        "node2",
        "node1",
        "node2",
        "node1",
        "node2",
    ]


@pytest.mark.parametrize(
    ("exchange", "key"),
    [(mm.RoundRobinRingExchange(RING), "nobody"), (mm.FanoutRingExchange(RING), "fanout~nobody")],
)
def test_an_unknown_topic_of_a_ring_is_logged(
    exchange: mm.Exchange, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "gossipmm"):
        assert exchange.run(key) == []
    assert "'nobody'" in caplog.text


@pytest.mark.parametrize(
    ("matchmaker", "key", "expected"),
    [
        (mm.MatchMakerBase(), "compute", []),
        (mm.HeartbeatMatchMakerBase(), "compute", []),
        (mm.MatchMakerStub(), "compute", [("compute", None)]),
        (mm.MatchMakerStub(), "compute.host", [("compute.host", None)]),
        (mm.MatchMakerStub(), "fanout~compute", [("fanout~compute", None)]),
        (mm.MatchMakerLocalhost(), "compute", [("compute.localhost", "localhost")]),
        (mm.MatchMakerLocalhost(), "compute.host", [("compute.host", "host")]),
        (mm.MatchMakerLocalhost("h"), "fanout~compute", [("fanout~compute.h", "h")]),
        (mm.MatchMakerLocalhost("h"), "fanout.compute", [("fanout~compute.h", "h")]),
        (mm.MatchMakerRing(RING), "scheduler", [("scheduler.node2", "node2")]),
        (mm.MatchMakerRing(RING), "scheduler.node9", [("scheduler.node9", "node9")]),
        (mm.MatchMakerRing(RING), "nobody", []),
        (
            mm.MatchMakerRing(RING),
            "fanout~scheduler",
            [("fanout~scheduler.node2", "node2"), ("fanout~scheduler.node1", "node1")],
        ),
        (mm.MatchMakerRing(RING), "fanout~nobody", []),
    ],
)
def test_a_matchmaker_answers(
    matchmaker: mm.MatchMakerBase, key: str, expected: list[object]
) -> None:
    assert matchmaker.queues(key) == expected


def test_a_direct_key_is_not_asked_of_a_ring_matchmakers_topics() -> None:
    assert mm.MatchMakerRing(RING).queues("nobody.host") == [("nobody.host", "host")]


class Fixed(mm.Exchange):
    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    def run(self, key: str) -> object:  # type: ignore[override]
        return ((f"{key}.{host}", host) for host in self.hosts)


class Always(mm.Binding):
    def test(self, key: str) -> bool:
        return True


def test_bindings_are_asked_in_order_until_the_first_match_that_is_last() -> None:
    matchmaker = mm.MatchMakerBase()
    matchmaker.add_binding(Always(), Fixed("a", "b"), last=False)
    matchmaker.add_binding(mm.DirectBinding(), Fixed("never"))
    matchmaker.add_binding(mm.TopicBinding(), Fixed("c"))
    matchmaker.add_binding(Always(), Fixed("behind the last"))
    assert matchmaker.queues("x") == [("x.a", "a"), ("x.b", "b"), ("x.c", "c")]


def test_last_is_the_default_and_a_match_without_hosts_is_one() -> None:
    matchmaker = mm.MatchMakerBase()
    matchmaker.add_binding(Always(), Fixed())
    matchmaker.add_binding(Always(), Fixed("a"))
    assert matchmaker.queues("x") == []


def test_no_match_is_an_empty_list() -> None:
    matchmaker = mm.MatchMakerBase()
    matchmaker.add_binding(mm.DirectBinding(), Fixed("a"))
    assert matchmaker.queues("x") == []


def test_the_base_matchmaker_registers_nothing_and_does_not_know() -> None:
    matchmaker = mm.MatchMakerBase()
    matchmaker.register("compute", "a")
    assert matchmaker.ack_alive("compute", "a") is None
    assert matchmaker.is_alive("compute", "a") is None
    assert matchmaker.expire("compute", "a") is None
    assert matchmaker.unregister("compute", "a") is None
    matchmaker.start_heartbeat()
    matchmaker.send_heartbeats()
    matchmaker.stop_heartbeat()
    assert matchmaker.queues("compute") == []


@pytest.mark.parametrize(
    "call",
    [
        lambda: mm.Binding().test("a"),
        lambda: mm.Exchange().run("a"),
        lambda: mm.HeartbeatMatchMakerBase().ack_alive("a", "b"),
        lambda: mm.HeartbeatMatchMakerBase().backend_register("a", "a.b"),
        lambda: mm.HeartbeatMatchMakerBase().backend_unregister("a", "a.b"),
    ],
)
def test_what_a_subclass_must_define_says_so(call: object) -> None:
    with pytest.raises(NotImplementedError, match="does not define"):
        call()  # type: ignore[operator]


def test_the_exception_carries_the_classical_message() -> None:
    assert str(mm.MatchMakerException()) == "Match not found by MatchMaker."
    assert mm.MatchMakerException.message == "Match not found by MatchMaker."
    assert str(mm.MatchMakerException("other")) == "other"


@pytest.mark.parametrize(
    ("matchmaker", "expected"),
    [
        (mm.MatchMakerBase(), []),
        (mm.HeartbeatMatchMakerBase(), []),
        (mm.MatchMakerStub(), ["StubExchange", "StubExchange", "StubExchange"]),
        (
            mm.MatchMakerLocalhost(),
            ["LocalhostExchange", "DirectExchange", "LocalhostExchange"],
        ),
        (
            mm.MatchMakerRing(RING),
            ["FanoutRingExchange", "DirectExchange", "RoundRobinRingExchange"],
        ),
        (
            gossip()[0],
            ["TableFanoutExchange", "TableDirectExchange", "TableTopicExchange"],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_bindings_are_fanout_direct_and_topic_in_this_order(
    matchmaker: mm.MatchMakerBase, expected: list[str]
) -> None:
    found = [
        (type(binding).__name__, type(exchange).__name__, negated, last)
        for binding, exchange, negated, last in matchmaker.bindings
    ]
    kinds = ["FanoutBinding", "DirectBinding", "TopicBinding"]
    assert found == [(kind, name, False, True) for kind, name in zip(kinds, expected, strict=False)]


@pytest.mark.parametrize("key", ["fanout.compute", "fanout~compute.ignored"])
def test_fanout_is_tested_before_direct(key: str) -> None:
    """Both keys have a dot, and so are direct ones, too."""
    fanout = [("fanout~compute.a", "a"), ("fanout~compute.b", "b")]
    assert mm.MatchMakerRing({"compute": ["a", "b"]}).queues(key) == fanout
    assert gossip({"compute": live("a", "b")})[0].queues(key) == fanout
    assert mm.MatchMakerLocalhost("a").queues(key) == fanout[:1]


def test_the_defaults_are_seconds_not_minutes_and_the_classical_ring_file() -> None:
    assert mm.HeartbeatMatchMakerBase.heartbeat_interval == 5.0
    assert gossip()[0].heartbeat_interval == 5.0
    assert CLASSICAL_RING_FILE == "/etc/oslo/matchmaker_ring.json"
