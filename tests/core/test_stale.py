"""The agent that may be the one cut off [P92]."""

from __future__ import annotations

from typing import Any

from gossipmm.core.values.events import Isolated, MemberDied
from gossipmm.core.values.types import HostState, NodeState, Registration, Status, TopicView
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, held

STALE = HostState.STALE


def cut_off(**fields: Any) -> Mesh:
    """Node ``a`` with topic t served by the others only, a moment after it found them all dead."""
    mesh = Mesh(*"abcdef", **fields)
    mesh.settle()
    mesh["a"].register("own", "h-a", now=mesh.now)
    for name in "bcd":
        mesh[name].register("t", f"h-{name}", now=mesh.now)
        mesh[name].register("own", f"h-{name}", now=mesh.now)
    mesh["e"].register("t", "h-e", draining=True, now=mesh.now)
    mesh.run(2)
    mesh.cut("a", "bcdef")
    mesh.until(lambda: len(mesh.told("a", MemberDied)) == 5, within=30)
    return mesh


def view(mesh: Mesh, topic: str, name: str = "a") -> TopicView:
    found = mesh[name].table.topic(topic)
    assert found is not None
    return found


def test_a_topic_without_a_live_host_answers_its_last_known_ones_marked_stale() -> None:
    """So that an isolated agent does not turn off an RPC that still works [P92]."""
    mesh = cut_off()
    t = view(mesh, "t")
    assert t.stale
    assert t.picks == t.fanout == ("h-b", "h-c", "h-d")
    assert {entry.state for entry in t.entries.values()} == {STALE}
    assert "h-e" not in t.entries  # it was draining: no new calls for it
    assert [event.active for event in mesh.told("a", Isolated)] == [True]


def test_a_topic_that_has_a_live_host_answers_only_live_ones() -> None:
    """[P92]."""
    mesh = cut_off()
    own = view(mesh, "own")
    assert not own.stale
    assert own.picks == own.fanout == ("h-a",)


def test_the_others_who_lost_one_of_six_answer_as_ever() -> None:
    mesh = cut_off()
    mesh.run(5)
    for name in "bcdef":
        assert not view(mesh, "t", name).stale
        assert view(mesh, "own", name).picks == ("h-b", "h-c", "h-d")
        assert mesh.told(name, Isolated) == []


def test_stale_answers_end_after_their_time_with_an_event() -> None:
    """[P92]."""
    mesh = cut_off(stale_for=20.0)
    mesh.run(mesh.told("a", Isolated)[0].at + 20 - 0.01 - mesh.now)
    assert view(mesh, "t").stale
    mesh.run(0.02)
    assert view(mesh, "t") == TopicView("t", (), (), {}, False)
    assert [event.active for event in mesh.told("a", Isolated)] == [True, False]


def test_they_end_at_once_when_the_others_are_back() -> None:
    mesh = cut_off()
    mesh.heal()
    mesh.until(lambda: not view(mesh, "t").stale, within=5)
    mesh.settle()
    assert view(mesh, "t").picks == ("h-b", "h-c", "h-d")


def test_they_can_be_turned_off() -> None:
    mesh = cut_off(stale_for=0.0)
    assert view(mesh, "t").picks == ()
    assert mesh.told("a", Isolated) == []


def test_a_host_that_died_before_is_no_last_known_one() -> None:
    """Only those that vanished together may still be there."""
    mesh = Mesh(*"abcdef")
    mesh.settle()
    for name in "bf":
        mesh[name].register("t", f"h-{name}", now=mesh.now)
    mesh.run(1)
    mesh.crash("f")
    mesh.run(60)
    mesh.cut("a", "bcde")
    mesh.until(lambda: bool(mesh.told("a", Isolated)), within=30)
    mesh.run(2)
    assert view(mesh, "t").picks == ("h-b",)


def test_who_said_goodbye_is_not_missed() -> None:
    """A cluster that is shut down node by node is not an isolated agent."""
    mesh = Mesh("a")
    puppets = mesh.puppets("w", "x", "y", "z")
    for puppet in puppets:
        puppet.say("a", pages=[puppet.page(1, Registration("t", f"h-{puppet.name}"))])
    for puppet in puppets:
        puppet.say("a", pages=[puppet.page_zero(NodeState.LEFT)])
    assert view(mesh, "t").picks == ()
    assert mesh.told("a", Isolated) == []


def test_deaths_one_by_one_over_a_long_time_are_deaths() -> None:
    mesh = Mesh("a")
    puppets = mesh.puppets("w", "x", "y", "z")
    for puppet in puppets:
        puppet.say("a", pages=[puppet.page(1, Registration("t", f"h-{puppet.name}"))])
    mesh.run(1)
    for puppet in puppets[:3]:
        puppet.answers = False
        puppets[3].say("a", rows=wire.row(puppet.key, 99, wire.SUSPECT))
        name = puppet.name
        mesh.until(lambda name=name: held(mesh["a"], name).status is Status.DEAD, within=20)  # type: ignore[misc]
        mesh.run(4 * mesh.config.suspicion_max)
    assert view(mesh, "t").picks == ("h-z",)
    assert mesh.told("a", Isolated) == []
