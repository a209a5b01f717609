"""A node whose addresses change while it runs, and one that is suspected again and again."""

from __future__ import annotations

import pytest

from gossipmm.core.values.events import AddressChanged, MemberDied, MemberSuspected, SelfSuspected
from gossipmm.core.values.types import Address, Status
from gossipmm.core.wire import frame as wire
from gossipmm.errors import ConfigError, LimitError
from tests.helpers import Mesh, held, key_of
from tests.puppets import frame_of

NEW: Address = ("10.7.7.7", 7946)


def three() -> Mesh:
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(2)
    return mesh


def move(mesh: Mesh, name: str, *addresses: Address) -> None:
    """Give a node other addresses, which the network knows from now on."""
    node = mesh[name]
    mesh._by_address.pop(node.addresses[0])
    for address in addresses:
        mesh._by_address[address] = name
    node.set_addresses(addresses, mesh.now)
    mesh.flush(name)


def test_a_node_that_moved_is_known_at_its_new_address_at_once_and_never_suspected() -> None:
    """It announced the old address for ever, and was suspected once or twice a second [P2]."""
    mesh = three()
    before, generation = mesh["b"].addresses, mesh["b"].generation
    move(mesh, "b", NEW)
    mesh.run(0.1)
    for name in "ac":
        assert held(mesh[name], "b").addresses == (NEW,)
        (event,) = mesh.told(name, AddressChanged)
        assert (event.name, event.previous, event.addresses) == ("b", before, (NEW,))
    assert [event.name for event in mesh.told("b", AddressChanged)] == ["b"]
    assert mesh["b"].addresses == (NEW,)
    assert mesh["b"].generation == generation
    mesh.run(20)
    assert mesh.agreed()
    assert not any(
        mesh.told(name, kind) for name in "abc" for kind in (MemberSuspected, MemberDied)
    )


def test_who_moved_while_it_was_cut_off_is_asked_for_its_new_address_where_it_speaks_from() -> None:
    """It spoke to all others, and they held it dead for good.

    They asked it at its old address (swarm_paths seed 4425), although it spoke from another. The
    old address was still proved, as only a request to one that is not had its record asked
    for where the datagram came from [P96].
    """
    mesh = Mesh("a", "b", "c", "d")
    mesh.settle()
    mesh.run(2)
    both = {*mesh["b"].addresses, NEW}
    mesh.rules["cut off"] = lambda packet: not both.isdisjoint((packet.source, packet.target))
    move(mesh, "b", NEW)
    mesh.until(lambda: all(mesh.told(name, MemberDied, "b") for name in "acd"), within=12)
    mesh.heal()
    mesh.run(4)
    for name in "acd":
        assert held(mesh[name], "b").addresses == (NEW,)
        assert held(mesh[name], "b").status is Status.ALIVE
    assert mesh.agreed()


def test_one_of_two_who_moved_unheard_is_asked_for_its_new_address_as_soon_as_it_is_suspect() -> (
    None
):
    """Each question of the other one, and each digest, went to where nobody was any longer.

    What came from the new address refuted each suspicion within half a second, so that it was never
    held dead, and the tables never stood still for long enough to be compared. That went on for as
    long as both ran.

    [P96] (swarm_paths seed 101436, 3 hosts)
    """
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(2)
    old = mesh["b"].addresses[0]
    mesh.rules["lost"] = lambda packet: packet.target == mesh["a"].addresses[0]
    move(mesh, "b", NEW)
    mesh.run(0.3)
    mesh.rules.clear()
    assert held(mesh["a"], "b").addresses == (old,)
    mesh.until(lambda: held(mesh["a"], "b").addresses == (NEW,), within=5)
    mesh.settle(within=2)
    mesh.run(1)
    began = len(mesh.told("a", MemberSuspected))
    mesh.run(20)
    assert len(mesh.told("a", MemberSuspected)) == began


def test_who_lives_and_sends_from_elsewhere_is_not_asked_for_its_record_each_time() -> None:
    """Behind a translator that rewrites ports each exchange would cost a question more [P96]."""
    mesh = Mesh("a")
    x = mesh.puppet("x").introduce()
    sent = x.say("a", wire.SYN, probe=8, source=NEW)
    answers = [frame_of(packet.data) for packet in sent if packet.target == NEW]
    assert [frame.kind for frame in answers] == [wire.ACK]
    assert not any(wire.OPT_WANT in frame.options for frame in answers)


def test_what_cannot_be_announced_changes_nothing() -> None:
    """Nor do the same addresses again, or those of a node that leaves."""
    mesh = three()
    node = mesh["b"]
    before, version = node.addresses, held(mesh["b"], "b").pages[0].version
    with pytest.raises(ConfigError):
        node.set_addresses([("example.org", 7946)], mesh.now)
    with pytest.raises(ConfigError):
        node.set_addresses([], mesh.now)
    node.set_addresses(before, mesh.now)
    assert (node.addresses, held(node, "b").pages[0].version) == (before, version)
    node.leave(mesh.now)
    node.set_addresses([NEW], mesh.now)
    assert node.addresses == before


def test_a_page_that_would_be_too_large_changes_nothing() -> None:
    mesh = Mesh("a", metadata={"note": "x" * 280})
    node = mesh["a"]
    before = node.addresses
    with pytest.raises(LimitError):
        node.set_addresses([(f"fd00::{number}", 7946) for number in range(1, 9)], mesh.now)
    assert node.addresses == before
    node.drain(now=mesh.now)  # page 0 can still be written


def accuse(mesh: Mesh, times: int, pause: float) -> None:
    """Let x hold node a suspect so many times."""
    x = mesh._members["x"]
    for _ in range(times):
        x.say("a", rows=wire.row(key_of(mesh["a"]), mesh["a"].heartbeat, wire.SUSPECT))
        mesh.run(pause)


def test_who_is_suspected_ten_times_in_a_minute_says_so_once_and_takes_it_back() -> None:
    """It refuted for hours, and nothing on that host said that anything was wrong [P38]."""
    mesh = Mesh("a")
    mesh.puppets("x", "y")
    accuse(mesh, 9, 1.0)
    assert mesh.told("a", SelfSuspected) == []
    accuse(mesh, 20, 1.0)
    assert [event.active for event in mesh.told("a", SelfSuspected)] == [True]
    mesh.run(58)
    assert [event.active for event in mesh.told("a", SelfSuspected)] == [True]
    mesh.run(3)
    assert [event.active for event in mesh.told("a", SelfSuspected)] == [True, False]


def test_who_is_suspected_now_and_then_says_nothing() -> None:
    """As at 25 % loss: twice a minute."""
    mesh = Mesh("a")
    mesh.puppets("x", "y")
    accuse(mesh, 30, 10.0)
    assert mesh.told("a", SelfSuspected) == []
