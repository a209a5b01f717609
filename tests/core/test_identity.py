"""One life after another under one name: restarts, conflicts, forgeries [P15, P17, P120]."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from gossipmm.core.values.events import (
    AddressChanged,
    GenerationRenewed,
    MemberDied,
    MemberJoined,
    MemberRestarted,
    NameConflict,
)
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import MAX_GENERATION, NodeState, Registration, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, dropped, held, key_of, picks
from tests.puppets import Puppet, datagram


def three(**fields: Any) -> Mesh:
    mesh = Mesh("a", "b", "c", **fields)
    mesh["b"].register("t", "old", now=mesh.now)
    mesh.settle()
    mesh.run(2)
    return mesh


# -- restarts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("after", [0.1, 1.5, 20.0])
@pytest.mark.parametrize("wall", [0.0, -3600.0])
def test_a_restart_supersedes_whatever_the_clock_did(
    elsewhere: bool, after: float, wall: float
) -> None:
    """At the same or another address, before or after its death was noticed, state lost.

    [P14, P16]
    """
    mesh = three()
    address = None if elsewhere else mesh["b"].addresses[0]
    mesh.crash("b")
    mesh.run(after)
    mesh.add("b", address=address, generation=mesh.new_generation(wall))
    mesh["b"].register("t", "new", now=mesh.now)
    # A clock stepped back at another address looks like a name used twice, until the old one dies.
    mesh.settle(within=15)
    for name in "abc":
        assert picks(mesh[name], "t") == ("new",)
        assert held(mesh[name], "b").addresses == mesh["b"].addresses
    assert mesh["b"].conflict == ()


def test_a_restart_is_one_event_with_both_generations() -> None:
    mesh = three()
    before = mesh["b"].generation
    mesh.crash("b")
    mesh.run(0.2)
    mesh.events["a"].clear()
    mesh.add("b")
    mesh.settle()
    (event,) = mesh.told("a", MemberRestarted)
    assert (event.name, event.previous, event.generation) == ("b", before, mesh["b"].generation)
    assert mesh.told("a", MemberJoined) + mesh.told("a", MemberDied) == []


def test_the_old_registrations_are_gone_as_soon_as_the_new_life_has_answered() -> None:
    """[P15]."""
    mesh = Mesh("a")
    x = mesh.puppet("x").introduce("a", entries=[Registration("t", "old")])
    new = mesh.puppet("x2", generation=x.generation + 1)
    new.name, new.key = "x", wire.record_key("gossipmm", "x", new.generation)
    page = new.page(7, Registration("u", "h"), version=9)
    replies = new.say("a", pages=[page])
    wants = [want[0] for p in replies for want in p.frame.options.get(wire.OPT_WANT, ())]
    assert new.key in wants  # the reporter is asked for the rest
    assert mesh["a"].table.topic("t") is not None
    new.say("a", pages=[new.page_zero(version=8)])
    mesh.run(0.05)
    assert mesh["a"].table.topic("t") is None
    assert held(mesh["a"], "x").status is Status.ALIVE
    assert held(mesh["a"], "x").pages[7].raw == page.raw


def test_who_still_speaks_of_the_old_life_is_told_of_the_new_one() -> None:
    """[P15]."""
    mesh = Mesh("a")
    y, *_ = mesh.puppets("y")
    old = mesh.puppet("x")
    page = old.page_zero()
    new = mesh.puppet("new", generation=old.generation + 5)
    new.name, new.key = "x", wire.record_key("gossipmm", "x", new.generation)
    new.introduce("a")
    replies = y.say("a", pages=[page])
    assert [raw for p in replies for raw in p.pages] == [held(mesh["a"], "x").pages[0].raw]
    assert dropped(mesh["a"], Drop.OLD_GENERATION) == 1


def test_a_change_of_address_within_a_life_is_an_event() -> None:
    """[P71]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    before = x.addresses
    x.addresses = (("10.7.7.7", 7946),)
    x.say("a", pages=[x.page_zero()])
    (event,) = mesh.told("a", AddressChanged)
    assert (event.name, event.previous, event.addresses) == ("x", before, x.addresses)


def test_an_address_taken_over_never_keeps_its_former_owner_alive() -> None:
    """Promise 13, by another node and by one of another cluster [P64]."""
    for cluster in ("gossipmm", "other"):
        mesh = three()
        address = mesh["b"].addresses[0]
        mesh.crash("b")
        mesh.add("taker", address=address, cluster=cluster)
        mesh.until(
            lambda: all(held(mesh[n], "b").status is Status.DEAD for n in "ac"),  # noqa: B023
            within=10,
        )
        assert mesh["a"].table.topics["t"].picks == ()


# -- what others say of this node ----------------------------------------------------------------


def forged(what: str, mesh: Mesh, x: Puppet) -> Drop | None:
    """Say something false of node ``a``, as member x; return how it is counted."""
    node = mesh["a"]
    own = key_of(node)
    ghost = Puppet(mesh, "a", node.addresses[0], node.generation)
    ghost.version = 50
    if what == "a heartbeat that it never issued":
        x.say("a", rows=wire.row(own, node.heartbeat + 1000, wire.ALIVE))
        return Drop.OWN_HEARTBEAT
    if what == "known at a heartbeat that it never issued":
        x.say("a", wire.SYN, known=node.heartbeat + 1000)
        return Drop.OWN_HEARTBEAT
    if what == "a left that it never said":
        x.say("a", rows=wire.row(own, 0, wire.LEFT))
        return Drop.OWN_LEFT
    if what == "a left in its own page":
        x.say("a", pages=[ghost.page_zero(NodeState.LEFT)])
        return Drop.OWN_RECORD
    if what == "a registration that it never made":
        x.say("a", pages=[ghost.page(1, Registration("t", "evil"))])
        return Drop.OWN_RECORD
    assert what == "that it is closed"
    x.say("a", options={wire.OPT_MINIMUMS: [["a", node.generation]]})
    return None


#: What is told -> why the node begins a new life.
FORGERIES = {
    "a heartbeat that it never issued": RenewalReason.FOREIGN_HEARTBEAT,
    "known at a heartbeat that it never issued": RenewalReason.FOREIGN_HEARTBEAT,
    "a left that it never said": RenewalReason.FOREIGN_LEAVE,
    "a left in its own page": RenewalReason.FOREIGN_PAGE,
    "a registration that it never made": RenewalReason.FOREIGN_PAGE,
    "that it is closed": RenewalReason.CLOSED,
}


@pytest.mark.parametrize("what", FORGERIES)
def test_what_is_false_of_this_node_is_counted_and_answered_by_a_new_life(what: str) -> None:
    """It never copies a foreign heartbeat, page or state: its own record stands, above all that.

    For what others hold cannot be told from a forgery: it supersedes [P17].
    """
    mesh = Mesh("a")
    mesh["a"].register("t", "h", now=mesh.now)
    (x,) = mesh.puppets("x")
    mesh.run(2)
    before = mesh["a"].generation
    reason = forged(what, mesh, x)
    if reason is not None:
        assert dropped(mesh["a"], reason) == 1
    (event,) = mesh.told("a", GenerationRenewed)
    assert (event.reason, event.reporter) == (FORGERIES[what], "x")
    assert before == event.previous < event.generation == mesh["a"].generation
    assert picks(mesh["a"], "t") == ("h",)
    assert [entry.host for entry in mesh["a"].registrations(mesh.now)] == ["h"]
    assert mesh["a"].heartbeat < 1000
    assert held(mesh["a"], "a").status is Status.ALIVE


@pytest.mark.parametrize("what", FORGERIES)
def test_new_lives_are_taken_at_most_once_in_ten_seconds_and_backing_off(what: str) -> None:
    """Else whoever can send a datagram could keep a node, and all who hear of it, busy [P18]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    mesh.run(1)
    for _ in range(600):
        forged(what, mesh, x)
        mesh.run(0.2)
    at = [event.at for event in mesh.told("a", GenerationRenewed)]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert (1 if what == "that it is closed" else 2) <= len(at) <= 5  # hearsay of floors: 600 s
    assert all(gap >= 9.99 for gap in gaps)
    assert gaps == sorted(gaps)


def test_a_generation_that_could_never_be_superseded_is_not_believed() -> None:
    """[P14]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    x.say("a", options={wire.OPT_MINIMUMS: [["a", MAX_GENERATION]]})
    assert dropped(mesh["a"], Drop.OUT_OF_RANGE) == 1
    ghost = Puppet(mesh, "a", x.addresses[0], MAX_GENERATION - 1)
    x.say("a", pages=[ghost.page_zero()])
    assert mesh["a"].generation < MAX_GENERATION


def test_an_own_past_life_heard_of_is_answered_with_the_present_one() -> None:
    """Scenario own_past_identity_heard: a bystander comes back with what it knew long ago."""
    mesh = three()
    old = held(mesh["a"], "b").pages[0]
    mesh.crash("b")
    mesh.run(1)
    mesh.add("b")
    mesh.settle()
    generation = mesh["b"].generation
    page = held(mesh["b"], "b").pages[0].raw
    data = datagram(sender=key_of(mesh["a"]), heartbeat=1, options={wire.OPT_PAGES: [old.raw]})
    replies = mesh.deliver(data, mesh["a"].addresses[0], "b")
    assert [raw for p in replies for raw in p.pages] == [page]
    mesh.run(15)
    assert mesh["b"].generation == generation


# -- a name used twice ---------------------------------------------------------------------------


def doubled() -> Mesh:
    """Nodes a and c; two processes that both call themselves b, the second one younger."""
    mesh = three()
    mesh.add("b2", node_name="b")
    mesh["b2"].register("t", "new", now=mesh.now)
    mesh.run(3)
    return mesh


def test_a_name_used_twice_is_an_event_on_both_sides_with_both_addresses() -> None:
    """[P120]."""
    mesh = doubled()
    older, newer = mesh["b"].addresses, mesh["b2"].addresses
    for name, ours in (("b", True), ("b2", False)):
        told = mesh.told(name, NameConflict)
        assert [(e.name, e.ours, e.older, e.newer) for e in told] == [("b", ours, older, newer)]
        stats = mesh[name].stats
        assert stats.conflicts == 1
    assert mesh["b"].conflict == newer
    assert mesh["b2"].conflict == ()


def test_the_younger_one_counts_and_the_older_one_still_answers_its_own_lookups() -> None:
    """[P121]."""
    mesh = doubled()
    for name in "ac":
        assert held(mesh[name], "b").addresses == mesh["b2"].addresses
        assert picks(mesh[name], "t") == ("new",)
    assert "old" in picks(mesh["b"], "t")
    prints = {mesh[name].table.fingerprint for name in ("a", "c", "b2")}
    assert len(prints) == 1


@pytest.mark.parametrize("how", ["dies", "leaves"])
def test_the_older_one_tries_again_when_the_other_is_gone(how: str) -> None:
    """[P121]."""
    mesh = doubled()
    generation = mesh["b"].generation
    if how == "leaves":
        mesh["b2"].leave(mesh.now)
        mesh.run(1)
    mesh.crash("b2")
    mesh.until(lambda: picks(mesh["a"], "t") == picks(mesh["c"], "t") == ("old",), within=30)
    assert mesh["b"].generation > generation
    assert mesh["b"].conflict == ()
    mesh.settle()


def test_a_conflict_does_not_flap() -> None:
    """Two that supersede each other in turn would take both out of all lookups all the time."""
    mesh = doubled()
    mesh.run(120)
    for name in ("b", "b2"):
        assert len(mesh.told(name, GenerationRenewed)) == 0
    assert len(mesh.told("a", MemberRestarted)) <= 1


@pytest.mark.parametrize("how", ["dies", "leaves"])
def test_a_copy_that_is_seen_to_be_gone_is_forgotten_at_once_each_time(how: str) -> None:
    """Story: the healthy original stayed away for 6, 20, 60, 140, 300 s after copies had ended.

    Each time it took a new generation through the back-off that is meant for forgeries, although
    it had seen, and everybody had told it, that the other one was gone [P121].
    """
    mesh = three()
    mesh["b"].register("t", "old", now=mesh.now)
    for number in range(4):
        label = f"copy{number}"
        mesh.add(label, node_name="b")
        mesh.run(3)
        assert mesh["b"].conflict == mesh[label].addresses
        if how == "leaves":
            mesh[label].leave(mesh.now)
            mesh.run(0.5)
        mesh.crash(label)
        mesh.until(lambda: picks(mesh["a"], "t") == picks(mesh["c"], "t") == ("old",), within=6)
        mesh.run(1)


def test_a_copy_that_only_the_original_cannot_reach_is_not_gone() -> None:
    """Story: parted from each other alone, the two ended one another in turn, for ever.

    Everybody else goes on telling the original how lately they reached the copy [P121].
    """
    mesh = doubled()
    mesh.cut(["b"], ["b2"])
    generations = mesh["b"].generation, mesh["b2"].generation
    mesh.run(60)
    assert (mesh["b"].generation, mesh["b2"].generation) == generations
    assert mesh["b"].conflict == mesh["b2"].addresses


@pytest.mark.parametrize("state", [NodeState.UP, NodeState.LEFT])
def test_a_page_that_nobody_holds_who_was_asked_is_no_conflict(state: NodeState) -> None:
    """Story: owners took a new life at each forged page, which all had to learn of [P120]."""
    mesh = three()
    liar = mesh.puppet("x").introduce("b")
    before = mesh["b"].generation
    forged = mesh.puppet("forged")
    forged.answers = False
    for _ in range(5):
        forged.name, forged.generation = "b", mesh.new_generation(60)
        liar.say("b", pages=[forged.page_zero(state)])
        assert mesh["b"].conflict == ()
        mesh.run(9)
    assert mesh["b"].generation == before
    assert mesh.told("b", NameConflict) == []


def test_a_name_claimed_by_nobody_who_answers_waits_as_after_a_forgery() -> None:
    """A page alone shows no process: what ends it at once must have lived [P18, P121].

    Here a member answers this node's probe that it holds that life.
    """
    mesh = three()
    x = mesh.puppet("x").introduce("b")
    forged = mesh.puppet("forged")
    waits = []
    for _ in range(3):
        forged.name, forged.generation = "b", mesh.new_generation()
        x.answers = False
        probe = mesh["b"]._parts.probes.start(held(mesh["b"], "x"), Purpose.ROUND)
        assert probe is not None
        asked = probe.identity
        x.answers = True
        x.say("b", wire.ACK, probe=asked, pages=[forged.page_zero()])
        assert mesh["b"].conflict == forged.addresses
        mesh.crash("forged")
        waits.append(mesh.until(lambda: mesh["b"].conflict == (), within=60))
        mesh.run(1.5)  # until somebody acknowledges the new generation, in an exchange
        forged = mesh.puppet("forged", address=forged.addresses[0])
    assert waits[-1] > 15


# -- strangers -----------------------------------------------------------------------------------


def test_two_that_hold_nothing_of_each_other_do_not_ask_for_ever() -> None:
    """Story: each answered a stranger's question for its record by asking for the stranger's.

    One forged datagram made two nodes send 3,300 datagrams a second to each other, for ever [P82].
    """
    mesh = Mesh()
    a = mesh.add("a", seeds=[])
    b = mesh.add("b", seeds=[])
    mesh.run(1)
    mesh.deliver(datagram(sender=99), b.addresses[0], "a")
    mesh.run(1)
    assert len(mesh.sent) <= 30
    assert a.member("b") is not None
    assert b.member("a") is not None


def test_a_member_that_there_is_no_room_for_is_not_asked_for_ever() -> None:
    mesh = Mesh("a", max_members=1)
    node = mesh.add("b", max_members=100)
    mesh.run(5)
    assert node.member("a") is not None
    assert mesh["a"].member("b") is None
    sent = len(mesh.sent)
    mesh.run(10)
    assert len(mesh.sent) - sent <= 10 * 40
    assert dropped(mesh["a"], Drop.MAX_MEMBERS) > 0
