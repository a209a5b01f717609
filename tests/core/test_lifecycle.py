"""Joining by seeds, and leaving [P78, P83]."""

from __future__ import annotations

import pytest

from gossipmm.core.values.events import (
    Joined,
    LeaveFinished,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberSuspected,
    SourceDiffers,
)
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import NodeState, PathFault, Registration, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, dropped, held, key_of, picks
from tests.puppets import claims

# -- joining -----------------------------------------------------------------------------------


def test_a_node_joins_by_one_seed_and_knows_everybody() -> None:
    """[P79, P80]."""
    mesh = Mesh("a", "b", "c", "d")
    mesh["c"].register("t", "h", now=mesh.now)
    mesh.settle()
    node = mesh.add("e")
    assert not node.table.joined
    mesh.settle(within=1)
    mesh.run(0.1)
    assert node.table.joined
    assert [event.members for event in mesh.told("e", Joined)] == [5]
    assert {event.name for event in mesh.told("e", MemberJoined)} == set("abcd")
    assert picks(node, "t") == ("h",)


def test_a_node_without_seeds_is_joined_and_alone() -> None:
    """[P80]."""
    mesh = Mesh()
    node = mesh.add("a", seeds=[], join=())
    mesh.run(5)
    assert node.table.joined
    assert [member.name for member in node.members()] == ["a"]
    assert mesh.sent == []


def test_a_node_does_not_join_by_itself() -> None:
    """Every node may have the same list of seeds [P78]."""
    mesh = Mesh()
    address = mesh.new_address()
    node = mesh.add("a", address=address, seeds=[address])
    mesh.run(5)
    assert node.table.joined
    assert mesh.sent == []


def test_seeds_are_asked_for_as_long_as_nobody_is_there_and_at_their_new_addresses() -> None:
    """Names are resolved again for as long as the node lives (seed_name_changes_address) [P78]."""
    mesh = Mesh()
    nobody = mesh.new_address()
    node = mesh.add("a", seeds=[nobody])
    mesh.run(30)
    assert len([p for p in mesh.sent if p.target == nobody]) >= 30
    assert not node.table.joined
    b = mesh.add("b", seeds=[])
    node.join(b.addresses, mesh.now)
    mesh.settle(within=1)
    assert node.table.joined


def test_two_parts_that_never_met_find_each_other_by_a_seed_of_one() -> None:
    """One seed address an interval with probability 1/N, for ever: even halves parted for days.

    [P78]
    """
    mesh = Mesh("a", "b", "c")
    mesh.add("x", seeds=[])
    first = mesh["x"].addresses
    for name in "yz":
        mesh.add(name, seeds=first)
    mesh.run(3)
    for name in "abc":
        mesh[name].join([*mesh["a"].addresses, *first], mesh.now)
    mesh.settle(within=30)


def test_a_seed_of_another_cluster_is_not_joined() -> None:
    """[P99]."""
    mesh = Mesh("a")
    other = mesh.add("b", cluster="other")
    mesh.run(5)
    for node in (mesh["a"], other):
        assert [member.name for member in node.members()] == [node.name]
    assert dropped(mesh["a"], Drop.CLUSTER) > 5
    assert not other.table.joined


def test_what_a_joiner_registered_before_is_known_as_soon_as_it_is() -> None:
    """[P79]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    node = mesh.add("c")
    node.register("t", "h", now=mesh.now)
    mesh.until(lambda: picks(mesh["a"], "t") == ("h",), within=1)


def test_many_join_one_seed_at_once() -> None:
    """The goal at 100 nodes, all views complete within a second."""
    names = [f"n{index}" for index in range(60)]
    mesh = Mesh(*names)
    assert mesh.settle(within=3) <= 1.0


def test_a_member_that_sends_from_elsewhere_is_told_of_once() -> None:
    """NAT: answers go to the source, all else to the record's addresses; people want to know.

    [P71]
    """
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    for _ in range(3):
        x.say("a", source=("192.0.2.1", 4711))
    told = mesh.told("a", SourceDiffers)
    assert [(event.name, event.source) for event in told] == [("x", ("192.0.2.1", 4711))]


def test_a_source_whose_port_alternates_is_told_once_and_taken_back_when_over() -> None:
    """What it sent unasked left by the router's port, its answers by the forwarded one [P71].

    Each change was a warning: 30 to 60 in 40 s, for ever.
    """
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    for port in range(20_000, 20_100):
        x.say("a", source=("192.0.2.1", port))
        x.say("a")
    for last in range(1, 12):
        x.say("a", source=(f"192.0.2.{last}", 4711))
    assert [event.source[0] for event in mesh.told("a", SourceDiffers)] == [
        f"192.0.2.{last}" for last in (1, 2, 3, 4)
    ]
    (view,) = mesh["a"].paths()
    assert (view.name, view.fault, view.addresses) == (
        "x",
        PathFault.SOURCE,
        (("192.0.2.11", 4711),),
    )
    x.say("a")
    mesh.run(50)
    assert mesh["a"].paths()
    mesh.run(12)
    assert [event.active for event in mesh.told("a", SourceDiffers)] == [True] * 4 + [False]
    assert mesh["a"].paths() == ()
    kinds = [line.kind for line in mesh["a"].why("x")]
    assert kinds.count(EvidenceKind.SOURCE_AGREES) == 1
    x.say("a", source=("192.0.2.1", 4711))
    assert mesh.told("a", SourceDiffers)[-1].active


# -- leaving -----------------------------------------------------------------------------------


def test_a_leave_is_confirmed_by_all_and_known_to_all_at_once() -> None:
    """Promise 6 [P83]."""
    mesh = Mesh(*"abcdefgh")
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.settle()
    mesh.run(1)
    began = mesh.now
    mesh["a"].leave(mesh.now)
    assert mesh["a"].leaving
    mesh.until(lambda: mesh["a"].left, within=1, step=0.001)
    assert mesh.now - began <= 0.05
    (finished,) = mesh.told("a", LeaveFinished)
    assert (finished.confirmed, finished.told) == (7, 7)
    for name in "bcdefgh":
        assert held(mesh[name], "a").status is Status.LEFT
        assert picks(mesh[name], "t") == ()
        assert [event.name for event in mesh.told(name, MemberLeft)] == ["a"]
    mesh.crash("a")
    mesh.run(20)
    for name in "bcdefgh":
        assert mesh.told(name, MemberSuspected) + mesh.told(name, MemberDied) == []


def test_a_leave_says_what_share_confirmed_and_ends_in_time() -> None:
    """[P83]."""
    mesh = Mesh(*"abcde")
    mesh.settle()
    mesh.run(1)
    mesh.cut("a", "b")
    began = mesh.now
    mesh["a"].leave(mesh.now)
    mesh.until(lambda: mesh["a"].left, within=5, step=0.001)
    assert mesh.now - began == pytest.approx(mesh.config.leave_timeout, abs=0.01)
    (finished,) = mesh.told("a", LeaveFinished)
    assert (finished.confirmed, finished.told) == (3, 4)
    mesh.crash("a")
    mesh.until(lambda: held(mesh["b"], "a").status is Status.LEFT, within=5)


def test_a_leave_reaches_all_at_heavy_loss() -> None:
    mesh = Mesh(*"abcdefgh")
    mesh.settle()
    mesh.lose(0.3)
    mesh["a"].leave(mesh.now)
    mesh.run(2.5)
    (finished,) = mesh.told("a", LeaveFinished)
    assert finished.confirmed >= 6
    mesh.crash("a")
    mesh.until(lambda: all(held(mesh[n], "a").status is Status.LEFT for n in "bcdefgh"), within=5)


def test_who_leaves_alone_has_left_at_once() -> None:
    mesh = Mesh("a")
    mesh["a"].leave(mesh.now)
    mesh.flush("a")
    assert mesh["a"].left
    assert [(e.confirmed, e.told) for e in mesh.told("a", LeaveFinished)] == [(0, 0)]
    mesh["a"].leave(mesh.now)
    mesh.run(3)
    assert len(mesh.told("a", LeaveFinished)) == 1


def test_who_left_neither_asks_nor_raises_its_heartbeat_any_more() -> None:
    """[P83]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh["a"].leave(mesh.now)
    mesh.run(0.1)
    beat = mesh["a"].heartbeat
    before = len(mesh.sent)
    mesh.run(5)
    own = [p for p in mesh.sent[before:] if p.source == mesh["a"].addresses[0]]
    assert all(p.frame.kind != wire.SYN for p in own)
    assert mesh["a"].heartbeat <= beat + 1


def test_the_word_of_the_one_who_left_ends_the_matter() -> None:
    """`left` ends the generation: claims of others about it neither raise nor kill it.

    Story: an accusation that came after the leave made the member "suspect" and then "dead" in
    events and counters, while it was left [P84].
    """
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    x.say("a", pages=[x.page(1, Registration("t", "h")), x.page_zero(NodeState.LEFT)])
    x.answers = False
    for claim in (wire.SUSPECT, wire.DEAD):
        replies = y.say("a", rows=wire.row(x.key, x.heartbeat + 5, claim))
        assert [claims(p.frame.rows, x.key) for p in replies] == [[(wire.LEFT, 0)]]
    y.say("a", rows=wire.row(x.key, x.heartbeat + 9, wire.ALIVE))
    mesh.run(10)
    assert held(mesh["a"], "x").status is Status.LEFT
    assert picks(mesh["a"], "t") == ()
    assert mesh.told("a", MemberSuspected) + mesh.told("a", MemberDied) == []
    assert mesh["a"].stats.suspicions == 0


def test_only_its_own_page_makes_a_member_left() -> None:
    """A row that says so asks for the page [P84]."""
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    replies = y.say("a", rows=wire.row(x.key, 0, wire.LEFT))
    assert held(mesh["a"], "x").status is Status.ALIVE
    wants = [want for p in replies for want in p.frame.options[wire.OPT_WANT]]
    assert [want[0] for want in wants] == [x.key]


def test_a_name_that_left_and_comes_back_joins() -> None:
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh["b"].leave(mesh.now)
    mesh.run(0.5)
    mesh.crash("b")
    mesh.events["a"].clear()
    mesh.run(5)
    mesh.add("b")
    mesh.settle(within=2)
    assert [event.name for event in mesh.told("a", MemberJoined)] == ["b"]


def test_the_reply_to_who_leaves_says_so_and_does_not_disturb_the_leave() -> None:
    mesh = Mesh("a", "b")
    mesh.settle()
    generation = mesh["a"].generation
    mesh["a"].leave(mesh.now)
    mesh.run(3)
    assert mesh["a"].generation == generation
    told = [p.frame for p in mesh.sent if p.frame.target == key_of(mesh["a"])]
    assert claims(told[-1].rows)[0] == (wire.LEFT, 0)
