"""Ends of lives: of a member that signs, nobody else says that it left or is over."""

from __future__ import annotations

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import NodeState, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, dropped, held, key_of
from tests.identities import seal, signed_mesh, view
from tests.puppets import Puppet


def insider(mesh: Mesh) -> Puppet:
    x = mesh.puppet("x")
    x.seal = seal("x")
    x.introduce()
    for name in mesh.names():
        x.say(name)
    return x


def test_a_floor_ends_no_life_that_is_held_alive() -> None:
    """One forged floor made an owner begin another life, and others close the one it had.

    [P157]
    """
    mesh = signed_mesh("a", "b", "c")
    x = insider(mesh)
    before = mesh["b"].generation
    for _ in range(3):
        for name in "abc":
            x.say(name, options={wire.OPT_MINIMUMS: [["b", before + 5], ["b", before]]})
        mesh.run(6)
    assert mesh["b"].generation == before
    assert view(mesh, "a", "b").status is Status.ALIVE
    assert "b" not in mesh["a"].table.minimum_generations
    assert dropped(mesh["a"], Drop.UNSIGNED)


def test_a_floor_ends_what_is_dead_here_at_the_generation_held_at_most() -> None:
    """[P157]: a forged one above it would keep its next life out for ever."""
    mesh = signed_mesh("a", "b", "c")
    x = insider(mesh)
    node = mesh["b"]
    mesh.crash("b")
    mesh.run(10)
    assert view(mesh, "a", "b").status is Status.DEAD
    x.say("a", options={wire.OPT_MINIMUMS: [["b", node.generation + (1 << 40)]]})
    assert mesh["a"].member("b") is None
    assert mesh["a"].table.minimum_generations["b"] == node.generation
    again = mesh.add("b", address=node.addresses[0])
    mesh.run(3)
    assert held(mesh["a"], "b").generation == again.generation


def test_a_claim_that_this_node_left_only_has_it_ask() -> None:
    """Each such row had it begin another life. [P157]."""
    mesh = signed_mesh("a", "b")
    x = insider(mesh)
    before = mesh["b"].generation
    asked = x.say("b", rows=wire.row(key_of(mesh["b"]), 1, wire.LEFT))
    wants = [want[0] for p in asked for want in p.frame.options.get(wire.OPT_WANT, ())]
    assert wants == [key_of(mesh["b"])]
    mesh.run(2)
    assert mesh["b"].generation == before


def test_a_claim_that_a_member_left_is_not_asked_about_without_end() -> None:
    """Ten such rows a second had all ask for its record as often. [P157]."""
    mesh = signed_mesh("a", "b")
    x = insider(mesh)
    asked = 0
    for _ in range(40):
        row = wire.row(key_of(mesh["b"]), mesh["b"].heartbeat, wire.LEFT)
        for packet in x.say("a", rows=row):
            asked += len(packet.frame.options.get(wire.OPT_WANT, ()))
        mesh.run(0.1)
    assert 1 <= asked <= 2


def test_a_copy_of_this_node_that_left_has_it_begin_another_life() -> None:
    """[P157]: that one has its key, so all others believe it."""
    mesh = signed_mesh("a", "b", "c")
    x = insider(mesh)
    copy = mesh.puppet("copy", generation=mesh["b"].generation)
    copy.name, copy.seal, copy.version = "b", seal("b"), 500
    copy.addresses = mesh["b"].addresses
    before = mesh["b"].generation
    x.say("a", pages=[copy.page_zero(NodeState.LEFT)])
    mesh.until(lambda: mesh["b"].generation > before, within=20)
    mesh.run(3)
    assert view(mesh, "a", "b").status is Status.ALIVE


def test_a_leave_that_is_signed_counts_at_once() -> None:
    """[P157]."""
    mesh = signed_mesh("a", "b", "c")
    mesh["b"].leave(mesh.now)
    mesh.flush("b")
    mesh.run(0.1)
    assert view(mesh, "c", "b").status is Status.LEFT


def test_a_heartbeat_that_was_never_issued_begins_no_other_life() -> None:
    """Twelve forged heartbeats made an owner begin as many lives, the third on probation.

    [P157]
    """
    mesh = signed_mesh("a", "b", "c")
    x = insider(mesh)
    before = mesh["b"].generation
    for ahead in (1, 50, 900, 1 << 20):
        beat = mesh["b"].heartbeat + ahead
        for name in "abc":
            x.say(name, rows=wire.row(key_of(mesh["b"]), beat, wire.ALIVE))
        mesh.run(3)
        assert mesh["b"].heartbeat > beat or ahead > 1000
    assert mesh["b"].generation == before
    assert view(mesh, "a", "b").status is Status.ALIVE
