"""What follows from the SYN that the predecessor on the ring owes a node, and how soon [P61]."""

from __future__ import annotations

import pytest

from gossipmm.core.values.events import Isolated, MemberSuspected
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, Packet, held, key_of
from tests.puppets import Puppet


def ring_of(mesh: Mesh) -> list[str]:
    """Names of the real nodes in the order of their keys."""
    return sorted(mesh.names(), key=lambda name: key_of(mesh[name]))


def around(mesh: Mesh, name: str, *puppets: Puppet) -> tuple[Puppet, Puppet]:
    """The predecessor and the successor of a node among puppets."""
    own = key_of(mesh[name])
    inorder = sorted(puppets, key=lambda puppet: puppet.key)
    above = [puppet for puppet in inorder if puppet.key > own]
    below = [puppet for puppet in inorder if puppet.key < own]
    return (below or above)[-1], (above or below)[0]


def asked(mesh: Mesh, target: Puppet, since: int) -> list[Packet]:
    """The SYNs to a puppet among what was sent since so many packets."""
    syns = [p for p in mesh.sent[since:] if p.frame.kind == wire.SYN]
    return [p for p in syns if p.target == target.addresses[0]]


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_a_predecessor_whose_question_does_not_come_is_asked(on: bool) -> None:
    """Nobody asks it at random for half a minute, but it owed a question after 1.25 s [P61]."""
    without = frozenset() if on else frozenset({Mechanism.EXPECTED_SYN})
    mesh = Mesh("a", without=without)
    before, after = around(mesh, "a", *mesh.puppets(*(f"x{n}" for n in range(6))))
    assert before is not after
    mesh.run(2)
    before.say("a", wire.SYN, known=1, probe=8)
    first, began = len(mesh.sent), mesh.now
    longest = 1.25 * 1.1 + 2 * mesh.config.resend_base
    mesh.run(longest - 0.01)
    assert asked(mesh, before, first) == [] or not on
    mesh.run(0.02)
    found = [p for p in asked(mesh, before, first) if p.at - began >= longest - 0.001]
    assert bool(found) is on


def test_as_long_as_the_predecessor_asks_nothing_is_sent_to_it() -> None:
    """One exchange watches both of its ends, and costs what it did [P61]."""
    mesh = Mesh("a", "b", "c", "d", "e")
    mesh.settle()
    mesh.run(10)
    ring = ring_of(mesh)
    probes = {name: mesh[name].stats.probes for name in ring}
    mesh.run(100)
    each = [mesh[name].stats.probes - probes[name] for name in ring]
    # An exchange in 1.25 s with the successor, and in every fourth interval one more at most.
    assert all(100 / 1.375 - 1 <= count <= 100 / 1.125 * 1.25 + 1 for count in each)
    assert sum(each) / len(each) <= 100 / 1.25 * 1.25 * 1.02


def test_who_does_not_ask_but_answers_is_not_asked_again_and_again() -> None:
    """It may not know this node, or only a bridge may connect the two: others ask it [P61]."""
    mesh = Mesh("a")
    before, _ = around(mesh, "a", *mesh.puppets(*(f"x{n}" for n in range(12))))
    mesh.run(4)
    first = len(mesh.sent)
    mesh.run(20)
    assert len(asked(mesh, before, first)) <= 2


def test_on_the_ring_whoever_only_helpers_reach_is_passed_over() -> None:
    """Two halves that one host connects have a ring each; before, half of all exchanges failed.

    It is taken back at its first datagram that arrives here [P61].
    """
    mesh = Mesh("a", "b", "c", "d", "e")
    mesh.settle()
    ring = ring_of(mesh)
    one, two, three = ring[0], ring[1], ring[2]
    mesh.cut([one], [two])
    stats = mesh[one].stats
    mesh.until(lambda: stats.probes_helped > 0, within=10)
    peers = mesh[one]._local.peers
    assert held(mesh[one], two).indirect
    assert peers.successor() is held(mesh[one], three)
    assert not mesh.told(one, MemberSuspected)
    mesh.heal()
    mesh.until(lambda: peers.successor() is held(mesh[one], two), within=60)
    assert not held(mesh[one], two).indirect


def test_a_failure_brings_the_next_exchange_at_once() -> None:
    """Exchanges are rare as long as all is well, and no rarer than before when it is not [P60]."""
    mesh = Mesh("a")
    puppets = mesh.puppets(*(f"x{n}" for n in range(12)))
    mesh.run(4)
    for puppet in puppets:
        puppet.answers = False
    mesh.until(lambda: mesh["a"].stats.probes_failed >= 1, within=5)
    before = mesh["a"].stats.probes
    mesh.run(0.53)  # half a second after the last one at the earliest
    assert mesh["a"].stats.probes > before


def test_more_are_asked_by_what_failed_lately_and_not_by_turns() -> None:
    """Eight turns took ten seconds instead of four, and 90 of 100 dead as much longer [P60]."""
    mesh = Mesh("a")
    puppets = mesh.puppets(*(f"x{n:02}" for n in range(60)))
    mesh.run(4)
    for puppet in puppets[:-4]:
        puppet.answers = False
    began = mesh.now
    # It is not deaf: a few are heard.
    while mesh.now - began < 4:
        mesh.run(0.25)
        puppets[-1].say("a")
    suspected = {event.name for event in mesh.told("a", MemberSuspected)}
    assert len(suspected) >= 50
    assert suspected.isdisjoint(puppet.name for puppet in puppets[-4:])


def test_survivors_that_hear_each_other_say_that_they_may_be_isolated() -> None:
    """Silence was the only sign: two of a hundred heard each other, and said it after 8 s [P92]."""
    mesh = Mesh("a")
    puppets = mesh.puppets(*(f"x{n:02}" for n in range(60)))
    mesh.run(4)
    for puppet in puppets[:-1]:
        puppet.answers = False
    began = mesh.now
    while not mesh.told("a", Isolated):
        mesh.run(0.25)
        puppets[-1].say("a")
        assert mesh.now - began < 4.5
    assert mesh.told("a", Isolated)[0].active


def test_one_dead_of_three_isolates_nobody() -> None:
    """[P92]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(3)
    mesh.crash("c")
    mesh.run(20)
    assert mesh.told("a", Isolated) + mesh.told("b", Isolated) == []


def test_a_deaf_node_asks_no_more_than_one_at_a_time() -> None:
    """It learns nothing from asking more: what answers cannot reach it [P60]."""
    mesh = Mesh("a")
    puppets = mesh.puppets(*(f"x{n:02}" for n in range(60)))
    mesh.run(4)
    for puppet in puppets:
        puppet.answers = False
    before = mesh["a"].stats.probes
    mesh.run(4)
    assert mesh["a"].stats.probes - before <= 25
