"""Own zone first, weights, and what a long answer says about both."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from gossipmm import ConfigError
from gossipmm.config import Config
from gossipmm.core.values.types import HostState
from gossipmm.errors import InvalidKeyError
from gossipmm.matchmaker import MatchMakerGossip
from tests.matchmaker.helpers import FakeTable, gossip, hosts_of, live, view

LIVE, SUSPECT, DRAINING = HostState.LIVE, HostState.SUSPECT, HostState.DRAINING
ZONES = {"a": "eu", "b": "eu", "c": "us", "d": ""}


def put(
    table: FakeTable,
    states: Mapping[str, HostState],
    weights: Mapping[str, Any] | None = None,
    zones: Mapping[str, str] = ZONES,
) -> None:
    """Show a topic ``t`` whose hosts have zones and weights."""
    made = view("t", states)
    entries = dict(made.entries)
    for host, entry in entries.items():
        metadata = {"weight": weights[host]} if weights and host in weights else {}
        entries[host] = entry._replace(zone=zones.get(host, ""), metadata=metadata)
    table.topics["t"] = made._replace(entries=entries, weighted=bool(weights))


def of(
    states: Mapping[str, HostState],
    weights: Mapping[str, Any] | None = None,
    zone: str = "eu",
    **fields: Any,
) -> tuple[MatchMakerGossip, FakeTable]:
    mm, table, _ = gossip(**fields)
    table.zone = zone
    put(table, states, weights)
    return mm, table


def picks(mm: MatchMakerGossip, times: int = 12, **options: Any) -> Counter[str | None]:
    return Counter(host for _ in range(times) for host in hosts_of(mm.queues("t", **options)))


def test_without_a_preference_zones_do_not_count() -> None:
    mm, _ = of(live("a", "b", "c", "d"))
    assert picks(mm) == dict.fromkeys("abcd", 3)


def test_own_zone_is_picked_for_as_long_as_it_has_a_live_host() -> None:
    mm, table = of(live("a", "b", "c", "d"), prefer="zone")
    assert picks(mm) == {"a": 6, "b": 6}
    put(table, {**live("b", "c", "d"), "a": SUSPECT})
    assert picks(mm) == {"b": 12}
    put(table, {**live("c", "d"), "a": SUSPECT, "b": DRAINING})
    assert picks(mm) == {"c": 6, "d": 6}, "and never nobody while somebody lives"
    put(table, live("a", "b", "c", "d"))
    assert picks(mm) == {"a": 6, "b": 6}


def test_fewer_live_hosts_than_zone_spill_are_helped_by_all() -> None:
    mm, table = of(live("a", "b", "c", "d"), prefer="zone", zone_spill=2)
    assert picks(mm) == {"a": 6, "b": 6}
    put(table, live("b", "c", "d"))
    assert picks(mm) == {"b": 4, "c": 4, "d": 4}


def test_while_nobody_is_live_zones_do_not_count() -> None:
    mm, _ = of(dict.fromkeys("abcd", SUSPECT), prefer="zone")
    assert picks(mm) == dict.fromkeys("abcd", 3)


def test_a_node_without_a_zone_picks_from_all() -> None:
    mm, table = of(live("a", "b", "c", "d"), zone="", prefer="zone")
    assert picks(mm) == dict.fromkeys("abcd", 3)
    table.zone = "us"
    assert picks(mm) == {"c": 12}, "from the moment on at which it has one"


def test_a_call_may_prefer_otherwise() -> None:
    mm, _ = of(live("a", "b", "c", "d"))
    assert picks(mm, prefer="zone") == {"a": 6, "b": 6}
    assert picks(mm, prefer="none") == picks(mm) == dict.fromkeys("abcd", 3)
    mm, _ = of(live("a", "b", "c", "d"), prefer="zone")
    assert picks(mm, prefer="none") == dict.fromkeys("abcd", 3)
    assert set(picks(mm, routing_key="tenant")) <= {"a", "b"}
    assert len(mm.lookup("t", prefer="none").hosts) == 4


def test_fanouts_and_direct_keys_have_no_preference() -> None:
    mm, _ = of(live("a", "b", "c", "d"), {"c": 0}, prefer="zone")
    assert hosts_of(mm.queues("fanout~t")) == ["a", "b", "c", "d"]
    assert hosts_of(mm.queues("fanout~t", prefer="zone")) == ["a", "b", "c", "d"]
    assert hosts_of(mm.queues("t.c", prefer="zone")) == ["c"]


def test_picks_are_shared_out_by_weight_within_a_percent_of_a_cycle() -> None:
    mm, _ = of(live("a", "b", "c", "d"), {"a": 50, "c": 25, "d": "25"})
    assert picks(mm, 800) == {"a": 200, "b": 400, "c": 100, "d": 100}


def test_weight_0_is_picked_only_while_no_other_host_is_live() -> None:
    mm, table = of(live("a", "b"), {"a": 0})
    assert picks(mm) == {"b": 12}
    assert hosts_of(mm.queues("t", routing_key="k")) == ["b"]
    put(table, live("a"), {"a": 0})
    assert picks(mm) == {"a": 12}
    put(table, live("a", "b"), {"a": 0, "b": 0})
    assert picks(mm) == {"a": 6, "b": 6}


def test_a_zone_of_hosts_of_weight_0_spills() -> None:
    mm, _ = of(live("a", "b", "c", "d"), {"a": 0, "b": 0}, prefer="zone")
    assert picks(mm) == {"c": 6, "d": 6}


def test_weights_count_within_the_zone() -> None:
    mm, _ = of(live("a", "b", "c", "d"), {"b": 300, "c": 9}, prefer="zone")
    assert picks(mm) == {"a": 3, "b": 9}


def test_a_change_of_anything_else_does_not_begin_the_cycle_again() -> None:
    """With every change of a topic the host of the highest weight was picked again."""
    mm, table = of(live("a", "b"), {"a": 5})
    first = picks(mm, 1)
    for _ in range(104):
        put(table, live("a", "b"), {"a": 5})
        first += picks(mm, 1)
    assert first == {"a": 5, "b": 100}


@pytest.mark.parametrize("weight", ["abc", -1, 10**9, True, "-5", ""])
def test_an_unusable_weight_of_another_member_counts_as_100_and_is_told(weight: object) -> None:
    mm, _ = of(live("a", "b"), {"a": weight})
    assert picks(mm) == {"a": 6, "b": 6}
    host = mm.lookup("t").hosts[0]
    assert host.weight == 100
    assert (
        host.why == f"weight {weight!r} is not a whole number from 0 to 1,000,000: it counts as 100"
    )


# -- long answers ----------------------------------------------------------------------------------


def test_a_long_answer_says_why_each_host_is_not_picked() -> None:
    states = {**live("a", "c", "d"), "b": SUSPECT, "e": DRAINING, "f": LIVE}
    mm, table = of({}, prefer="zone")
    put(table, states, {"f": 0}, {**ZONES, "f": "eu"})
    found = mm.lookup("t")
    assert [(host.host, host.zone, host.weight) for host in found.hosts] == [("a", "eu", 100)]
    assert found.zones == "only zone eu, this node's own, is picked from"
    assert {host.host: host.why for host in found.others} == {
        "b": "suspected: picked only while nobody is live",
        "c": "in zone us: this node prefers its own, eu",
        "d": "in no zone: this node prefers its own, eu",
        "e": "draining: only by its direct key",
        "f": "weight 0: picked only while no other host is live",
    }
    assert [host.why for host in mm.lookup("fanout~t").hosts] == ["", "", "", "", ""]
    assert mm.lookup("fanout~t").zones == mm.lookup("t", prefer="none").zones == ""


def test_a_long_answer_says_why_other_zones_help() -> None:
    mm, table = of(live("b", "c"), prefer="zone", zone_spill=2)
    assert mm.lookup("t").zones == (
        "all zones are picked from: eu, this node's own, has 1 live host to pick, "
        "and zone_spill is 2"
    )
    table.zone = "eeu"
    assert mm.lookup("t").zones == (
        "all zones are picked from: the topic has no host in zone eeu, this node's own "
        "(its zones: eu, us); did you mean eu?"
    )
    table.zone = ""
    assert mm.lookup("t").zones == (
        "this node prefers hosts of its own zone (prefer = zone) and has none, so it picks from "
        "all: gossipmm metadata set zone=NAME gives it one"
    )


# -- what is refused -------------------------------------------------------------------------------


def test_an_unknown_preference_is_refused_with_the_one_meant() -> None:
    mm, _ = of(live("a"))
    for call in (mm.queues, mm.lookup):
        for key in ("t", "fanout~t", "t.a"):
            with pytest.raises(InvalidKeyError, match="'zne' is not none or zone or near"):
                call(key, prefer="zne")
    with pytest.raises(
        ConfigError, match="'zne' is not none or zone or near; did you mean zone"
    ) as caught:
        Config(prefer="zne")
    assert caught.value.path == "prefer"
    with pytest.raises(ConfigError, match="0 is not between 1 and 1000000"):
        Config(zone_spill=0)


def test_the_hosts_of_a_ring_file_have_no_zone(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    ring = tmp_path / "ring.json"
    ring.write_text('{"t": ["x", "y"]}')
    mm, table, _ = gossip({}, joined=False, ring_file=str(ring), prefer="zone")
    table.zone = "eu"
    assert picks(mm) == {"x": 6, "y": 6}
    put(table, live("a", "c"), {"a": 7})
    assert picks(mm)["x"] > 0
    table.joined = True
    assert picks(mm) == {"a": 12}
    assert not caplog.records
