"""Near hosts first, by the estimated round trips to their owners [P183]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from gossipmm.core.values.types import HostState
from gossipmm.matchmaker import MatchMakerGossip
from gossipmm.text.picks import NO_DISTANCES
from tests.matchmaker.helpers import FakeTable, gossip, hosts_of, live, view

MS = 0.001


class Estimates:
    """What a node knows of distances, and how often it was asked."""

    def __init__(self, **rtts: float) -> None:
        self.rtts = {f"node-{host}": rtt for host, rtt in rtts.items()}
        self.changed_at = 1.0
        self.asked = 0

    def of(self, names: Iterable[str]) -> dict[str, float]:
        self.asked += 1
        return {name: self.rtts[name] for name in names if name in self.rtts}


def of(*hosts: str, **fields: Any) -> tuple[MatchMakerGossip, FakeTable, Estimates]:
    mm, table, _ = gossip(**fields)
    table.set("t", live(*hosts))
    table.round_trips = found = Estimates(a=80 * MS, b=8 * MS, c=20 * MS, d=22 * MS)
    return mm, table, found


def picks(mm: MatchMakerGossip, times: int = 12, **options: Any) -> Counter[str | None]:
    return Counter(host for _ in range(times) for host in hosts_of(mm.queues("t", **options)))


def test_those_within_twice_the_nearest_and_5_ms_take_turns() -> None:
    """[P183]: of 8, 20, 22 and 80 ms those up to 21 ms are near; without prefer, all are picked."""
    mm, _, _ = of("a", "b", "c", "d")
    assert picks(mm, prefer="near") == {"b": 6, "c": 6}
    assert picks(mm) == picks(mm, prefer="none") == dict.fromkeys("abcd", 3)
    assert set(picks(mm, routing_key="tenant", prefer="near")) <= {"b", "c"}


def test_the_setting_prefers_near_hosts_in_each_call() -> None:
    mm, _, _ = of("a", "b", "c", "d", prefer="near")
    assert picks(mm) == {"b": 6, "c": 6}
    assert picks(mm, prefer="none") == dict.fromkeys("abcd", 3)
    assert hosts_of(mm.queues("fanout~t")) == ["b", "c", "d", "a"]
    assert hosts_of(mm.queues("fanout~t", prefer="none")) == ["a", "b", "c", "d"]


def test_when_none_of_the_near_is_left_the_next_ones_are_picked() -> None:
    mm, table, _ = of("a", "b", "c", "d")
    table.set("t", {**live("a", "d"), "b": HostState.SUSPECT, "c": HostState.DRAINING})
    assert picks(mm, prefer="near") == {"d": 12}
    table.set("t", live("a"))
    assert picks(mm, prefer="near") == {"a": 12}
    table.set("t", dict.fromkeys("abcd", HostState.SUSPECT))
    assert picks(mm, prefer="near") == {"b": 6, "c": 6}, "of suspects the near ones as well"


def test_a_host_whose_distance_is_not_known_comes_last() -> None:
    mm, table, _ = of("a", "b", "new")
    assert picks(mm, prefer="near") == {"b": 12}
    table.set("t", live("a", "new"))
    assert picks(mm, prefer="near") == {"a": 12}
    assert hosts_of(mm.queues("fanout~t", prefer="near")) == ["a", "new"]


def test_weights_count_among_near_hosts() -> None:
    mm, table, _ = of()
    made = view("t", live("a", "b", "c"))
    weights = {"a": 100, "b": 100, "c": 300}
    entries = {
        host: entry._replace(metadata={"weight": weights[host]})
        for host, entry in made.entries.items()
    }
    table.topics["t"] = made._replace(entries=entries, weighted=True)
    assert picks(mm, prefer="near") == {"b": 3, "c": 9}
    entries["b"] = entries["b"]._replace(metadata={"weight": 0})
    table.topics["t"] = made._replace(entries=dict(entries), weighted=True)
    assert picks(mm, prefer="near") == {"c": 12}


def test_where_nothing_is_known_the_answer_is_as_without_and_says_so() -> None:
    """Distances are off here, or nobody was measured yet."""
    mm, table, known = of("a", "b", "c", "d")
    for nothing in (None, Estimates(z=1.0)):
        table.round_trips = nothing
        mm, table, _ = of("a", "b", "c", "d")
        table.round_trips = nothing
        assert picks(mm, prefer="near") == dict.fromkeys("abcd", 3)
        assert hosts_of(mm.queues("fanout~t", prefer="near")) == ["a", "b", "c", "d"]
        for key in ("t", "fanout~t"):
            assert mm.lookup(key, prefer="near").zones == NO_DISTANCES
            assert mm.lookup(key).zones == ""
    table.round_trips = known
    known.changed_at += 60
    assert picks(mm, prefer="near") == {"b": 6, "c": 6}, "from the moment on at which it is known"


def test_a_long_answer_says_how_far_hosts_are() -> None:
    mm, _, _ = of("a", "b", "c", "d", "new")
    found = mm.lookup("t", prefer="near")
    assert found.zones == (
        "only hosts within 21 ms of this node are picked from: the nearest is 8 ms away (estimated)"
    )
    assert [one.host for one in found.hosts] == ["b", "c"]
    assert {one.host: one.why for one in found.others} == {
        "a": "80 ms away: others are nearer",
        "d": "22 ms away: others are nearer",
        "new": "how far it is is not known here: others are near",
    }
    words = mm.lookup("fanout~t", prefer="near")
    assert words.zones == "the nearest first: 8 ms away (estimated)"
    assert [one.host for one in words.hosts] == ["b", "c", "d", "a", "new"]


def test_what_was_worked_out_is_kept_for_a_second_of_news() -> None:
    """A pick asks nobody's coordinate; a walk goes on while the same hosts are near."""
    mm, table, known = of("a", "b", "c", "d")
    picks(mm, 100, prefer="near")
    assert known.asked == 1
    known.rtts["node-b"] = 500 * MS
    known.changed_at += 0.5
    assert picks(mm, prefer="near") == {"b": 6, "c": 6}
    known.changed_at += 0.6
    assert picks(mm, prefer="near") == {"c": 6, "d": 6}
    assert known.asked == 2
    table.set("t", live("a", "c"))
    assert picks(mm, prefer="near") == {"c": 12}, "at once where hosts change"


def test_a_pick_without_a_preference_never_looks_at_distances() -> None:
    mm, _, known = of("a", "b", "c", "d")
    picks(mm)
    mm.lookup("t")
    mm.queues("fanout~t")
    assert known.asked == 0
