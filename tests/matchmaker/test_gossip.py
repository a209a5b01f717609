"""MatchMakerGossip over a table: lookups of all kinds, and what "nobody" means."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from gossipmm.core.values.types import HostState
from gossipmm.matchmaker import LookupStatus, MatchMakerGossip
from tests.matchmaker.helpers import FakeAgent, FakeTable, gossip, hosts_of, live

LIVE, DOUBTED, SUSPECT, UNHEALTHY, DRAINING, UNKNOWN, STALE = HostState


# -- queues --------------------------------------------------------------------------------


def test_a_topic_key_picks_the_live_hosts_in_turn() -> None:
    mm, _, _ = gossip({"compute": live("a", "b", "c")})
    picks = [mm.queues("compute") for _ in range(30)]
    assert all(len(pick) == 1 for pick in picks)
    assert Counter(pick[0] for pick in picks) == {
        ("compute.a", "a"): 10,
        ("compute.b", "b"): 10,
        ("compute.c", "c"): 10,
    }


@pytest.mark.parametrize("key", ["fanout~compute", "fanout.compute", "fanout~compute.ignored"])
def test_a_fanout_key_answers_all_live_hosts(key: str) -> None:
    mm, _, _ = gossip({"compute": live("b.example.org", "a") | {"c": SUSPECT, "d": DRAINING}})
    assert mm.queues(key) == [
        ("fanout~compute.a", "a"),
        ("fanout~compute.b.example.org", "b.example.org"),
        ("fanout~compute.c", "c"),
    ]


def test_a_fanout_result_is_the_callers_own_list() -> None:
    mm, _, _ = gossip({"compute": live("a", "b")})
    mm.queues("fanout~compute").clear()
    assert len(mm.queues("fanout~compute")) == 2


def test_a_fanout_follows_every_change() -> None:
    mm, table, _ = gossip({"compute": live("a", "b")})
    assert hosts_of(mm.queues("fanout~compute")) == ["a", "b"]
    table.set("compute", live("b", "c"))
    assert hosts_of(mm.queues("fanout~compute")) == ["b", "c"]
    table.set("compute", {})
    assert mm.queues("fanout~compute") == []
    table.set("compute", live("a", "b"))
    assert hosts_of(mm.queues("fanout~compute")) == ["a", "b"]


@pytest.mark.parametrize("state", [LIVE, DOUBTED, SUSPECT, DRAINING, UNKNOWN])
def test_a_direct_key_answers_a_host_that_is_not_dead(state: HostState) -> None:
    mm, _, _ = gossip({"compute": {"h.example.org": state, "other": LIVE}})
    assert mm.queues("compute.h.example.org") == [("compute.h.example.org", "h.example.org")]


@pytest.mark.parametrize("key", ["compute.dead", "nothing.dead", "compute.h"])
def test_a_direct_key_does_not_answer_an_unknown_host(key: str) -> None:
    mm, _, _ = gossip({"compute": live("h.example.org")})
    assert mm.queues(key) == []


def test_a_direct_key_can_be_answered_always_as_the_original_did() -> None:
    mm, _, _ = gossip(direct_checks_liveness=False)
    assert mm.queues("compute.dead") == [("compute.dead", "dead")]


def test_a_stale_host_is_answered_only_while_its_topic_has_no_live_one() -> None:
    mm, table, _ = gossip({"compute": {"a": STALE, "b": STALE}})
    assert hosts_of(mm.queues("fanout~compute")) == ["a", "b"]
    assert hosts_of(mm.queues("compute"))[0] in {"a", "b"}
    assert hosts_of(mm.queues("compute.a")) == ["a"]
    table.set("compute", {"a": STALE, "b": LIVE})
    assert hosts_of(mm.queues("fanout~compute")) == ["b"]
    assert [hosts_of(mm.queues("compute")) for _ in range(3)] == [["b"]] * 3
    assert mm.queues("compute.a") == []


def test_draining_hosts_are_found_by_direct_keys_alone() -> None:
    mm, _, _ = gossip({"compute": {"a": DRAINING, "b": LIVE}})
    assert {mm.queues("compute")[0][1] for _ in range(10)} == {"b"}
    assert hosts_of(mm.queues("fanout~compute")) == ["b"]
    assert hosts_of(mm.queues("compute.a")) == ["a"]


def test_suspected_and_doubted_hosts_are_picked_only_while_nobody_is_live() -> None:
    mm, table, _ = gossip({"compute": {"a": SUSPECT, "b": LIVE, "c": DOUBTED}})
    assert {mm.queues("compute")[0][1] for _ in range(10)} == {"b"}
    table.set("compute", {"a": SUSPECT, "c": DOUBTED})
    assert {mm.queues("compute")[0][1] for _ in range(10)} == {"c"}
    table.set("compute", {"a": SUSPECT})
    assert {mm.queues("compute")[0][1] for _ in range(10)} == {"a"}


def test_hosts_that_fail_their_checks_are_picked_only_while_no_others_are_there() -> None:
    mm, table, _ = gossip({"compute": {"a": UNHEALTHY, "b": LIVE}})
    assert {mm.queues("compute")[0][1] for _ in range(10)} == {"b"}
    assert hosts_of(mm.queues("compute.a")) == ["a"]
    assert mm.lookup("compute.a").status is LookupStatus.UNHEALTHY
    assert [host.state for host in mm.lookup("compute").others] == [UNHEALTHY]
    table.set("compute", {"a": UNHEALTHY, "c": DRAINING})
    assert mm.lookup("compute").status is LookupStatus.UNHEALTHY
    assert hosts_of(mm.queues("compute")) == hosts_of(mm.queues("fanout~compute")) == ["a"]


def test_metadata_that_was_changed_is_kept_when_a_registration_is_made_again() -> None:
    mm, _, agent = gossip()
    mm.register("compute", "a", {"v": 1, "zone": "eu"})
    mm.register("compute", "b", {"v": 1})
    mm.set_metadata({"v": 2, "zone": None}, "compute", "a")
    mm.set_metadata({"v": 3})  # of the node
    del agent.own["compute", "a"]  # it expired
    assert mm.ack_alive("compute", "a")
    assert agent.own["compute", "a"] == ({"v": 2}, None)
    assert agent.own["compute", "b"] == ({"v": 1}, None)


def test_two_matchmakers_over_one_table_have_a_turn_each() -> None:
    table = FakeTable({"compute": live("a", "b")})
    one, two = (MatchMakerGossip.over(table, FakeAgent(table)) for _ in range(2))
    assert [one.queues("compute") for _ in range(3)] == [two.queues("compute") for _ in range(3)]


def test_a_binding_of_ones_own_can_stand_behind_the_three() -> None:
    from gossipmm.matchmaker import StubExchange, TopicBinding

    mm, _, _ = gossip({"compute": live("a")})
    mm.bindings = []
    mm.add_binding(TopicBinding(), StubExchange())
    assert mm.queues("compute") == [("compute", None)]
    assert mm.queues("compute", routing_key="x") == [("compute", None)]
    assert mm.lookup("compute").hosts[0].source == "exchange"


# -- routing keys --------------------------------------------------------------------------


def test_a_routing_key_sticks_to_its_host_until_it_goes() -> None:
    mm, table, _ = gossip({"compute": live("a", "b", "c")})
    ((queue, host),) = mm.queues("compute", routing_key="tenant-1")
    assert host is not None
    assert queue == f"compute.{host}"
    assert all(mm.queues("compute", routing_key="tenant-1") == [(queue, host)] for _ in range(5))
    others = set("abc") - {host}
    table.set("compute", live(host, others.pop(), "new"))
    after = hosts_of(mm.queues("compute", routing_key="tenant-1"))[0]
    assert after in {host, "new"}
    table.set("compute", live("x", "y"))
    assert hosts_of(mm.queues("compute", routing_key="tenant-1"))[0] in {"x", "y"}


def test_a_routing_key_takes_no_turn_and_changes_nothing_for_other_keys() -> None:
    mm, _, _ = gossip({"compute": live("a", "b")})
    first = mm.queues("compute")
    mm.queues("compute", routing_key=b"k")
    assert mm.queues("compute") != first
    assert len(mm.queues("fanout~compute", routing_key="k")) == 2
    assert hosts_of(mm.queues("compute.a", routing_key="k")) == ["a"]
    assert mm.queues("nothing", routing_key="k") == []


# -- lookup --------------------------------------------------------------------------------


def test_lookup_tells_the_kinds_of_nobody_apart() -> None:
    mm, table, _ = gossip({"empty": {}, "draining": {"a": DRAINING}})
    for key in ("nothing", "fanout~nothing", "nothing.z"):
        assert mm.queues(key) == []
        assert mm.lookup(key).status is LookupStatus.UNKNOWN_TOPIC
    for key in ("empty", "fanout~empty", "empty.a", "draining", "draining.b"):
        assert mm.queues(key) == []
        assert mm.lookup(key).status is LookupStatus.NOBODY_ALIVE
    table.joined = False
    for key in ("nothing", "fanout~nothing", "nothing.z", "empty", "empty.a"):
        assert mm.lookup(key).status is LookupStatus.NOT_JOINED
    table.set("empty", live("a"))
    assert mm.lookup("empty").status is LookupStatus.OK


def test_lookup_gives_state_age_and_source_of_each_host() -> None:
    mm, table, agent = gossip()
    table.set("compute", {"a": LIVE, "b": DRAINING, "c": SUSPECT}, at=90.0, heard=95.0)
    agent.heard_of = {"node-a": 99.5, "node-unknown": 1.0}
    found = mm.lookup("compute")
    assert (found.key, found.topic, found.status) == ("compute", "compute", LookupStatus.OK)
    (host,) = found.hosts
    assert (host.key, host.host, host.state) == ("compute.a", "a", LIVE)
    assert (host.age, host.in_state) == (0.5, 10.0)
    assert (host.source, host.nodes) == ("gossip", ("node-a",))
    assert [(other.host, other.state, other.age) for other in found.others] == [
        ("b", DRAINING, 5.0),
        ("c", SUSPECT, 5.0),
    ]


def test_lookup_names_the_queues_of_its_kind_of_key_and_takes_no_turn() -> None:
    mm, _, _ = gossip({"compute": live("a", "b")})
    before = mm.queues("compute")
    assert [host.key for host in mm.lookup("compute").hosts] == ["compute.a", "compute.b"]
    assert [host.key for host in mm.lookup("fanout.compute").hosts] == [
        "fanout~compute.a",
        "fanout~compute.b",
    ]
    direct = mm.lookup("compute.a")
    assert [host.key for host in direct.hosts] == ["compute.a"]
    assert direct.others == ()  # it is about one host
    assert mm.queues("compute") != before


def test_lookup_marks_stale_answers() -> None:
    mm, _, _ = gossip({"compute": {"a": STALE}})
    for key in ("compute", "fanout~compute", "compute.a"):
        found = mm.lookup(key)
        assert found.status is LookupStatus.STALE
        assert [host.state for host in found.hosts] == [STALE]


def test_lookup_of_an_unchecked_direct_key_says_that_only_the_key_vouches_for_it() -> None:
    mm, _, _ = gossip({"compute": {}}, direct_checks_liveness=False)
    found = mm.lookup("compute.a")
    assert found.status is LookupStatus.NOBODY_ALIVE
    assert [(host.host, host.state, host.source) for host in found.hosts] == [("a", None, "key")]


@pytest.mark.parametrize(
    ("state", "alive"),
    [
        (LIVE, True),
        (DOUBTED, True),
        (SUSPECT, True),
        (DRAINING, True),
        (UNKNOWN, True),
        (STALE, False),
    ],
)
def test_is_alive(state: HostState, alive: bool) -> None:
    mm, _, _ = gossip({"compute": {"a": state}})
    assert mm.is_alive("compute", "a") is alive
    assert mm.is_alive("compute", "b") is False
    assert mm.is_alive("nothing", "a") is False


# -- the ring ------------------------------------------------------------------------------


@pytest.fixture
def ring_file(tmp_path: Path) -> str:
    path = tmp_path / "ring.json"
    path.write_text(json.dumps({"compute": ["r2", "r1", "b"], "cert": ["r1"]}))
    return str(path)


def test_a_ring_file_stands_in_while_the_table_is_not_joined(ring_file: str) -> None:
    mm, table, _ = gossip({"compute": {"a": LIVE, "b": DRAINING}}, ring_file=ring_file)
    table.joined = False
    assert Counter(mm.queues("compute")[0][1] for _ in range(9)) == {"a": 3, "r1": 3, "r2": 3}
    assert hosts_of(mm.queues("fanout~compute")) == ["a", "r1", "r2"]
    assert hosts_of(mm.queues("cert")) == ["r1"]
    assert hosts_of(mm.queues("cert.r1")) == ["r1"]
    assert hosts_of(mm.queues("compute.a")) == ["a"]
    assert mm.queues("cert.other") == []
    assert mm.queues("nothing") == []
    assert hosts_of(mm.queues("cert", routing_key="k")) == ["r1"]
    found = mm.lookup("cert")
    assert found.status is LookupStatus.NOT_JOINED
    assert [(host.host, host.source, host.age) for host in found.hosts] == [("r1", "ring", None)]
    assert [host.source for host in mm.lookup("compute").hosts] == ["gossip", "ring", "ring"]


def test_a_ring_file_is_not_asked_once_the_table_is_joined(ring_file: str) -> None:
    mm, _, _ = gossip({"compute": live("a")}, ring_file=ring_file)
    assert hosts_of(mm.queues("fanout~compute")) == ["a"]
    assert mm.queues("cert") == []
    assert mm.queues("cert.r1") == []
    assert mm.lookup("cert").status is LookupStatus.UNKNOWN_TOPIC


def test_the_live_table_as_a_ring() -> None:
    mm, _, _ = gossip({"b": live("y", "x") | {"z": DRAINING}, "a": live("x"), "empty": {}})
    assert mm.ring() == {"a": ["x"], "b": ["x", "y"]}
    assert list(mm.ring()) == ["a", "b"]
