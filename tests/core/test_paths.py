"""Members with several addresses, and members to which no path leads: which address is used [P71].

The first address of a record was used whatever became of what was sent there: hosts of one family
held hosts of both for alive, were probed by them at each address in turn, and were told nothing.
"""

from __future__ import annotations

import random

import pytest

from gossipmm.config import Config
from gossipmm.core.node import Node
from gossipmm.core.sending.paths import Paths
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.table.self_record import SelfRecord
from gossipmm.core.values.events import MemberDied, MemberSuspected, PathTrouble
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Address, PathFault
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, Packet, held, picks

PORT = 7946


def four(number: int) -> Address:
    return f"10.9.0.{number}", PORT


def six(number: int) -> Address:
    return f"fd09::{number}", PORT


def dual(*names: str, mesh: Mesh | None = None, **fields: object) -> Mesh:
    """Start nodes that announce an IPv6 address before an IPv4 one."""
    mesh = mesh or Mesh(**fields)
    for name in names:
        number = ord(name)
        mesh.add(name, address=six(number), more=(four(number),))
    return mesh


def by_ipv6(packet: Packet) -> bool:
    return ":" in packet.target[0]


def used(node: Node, name: str) -> Address:
    """Where a node sends what it tells a member."""
    return node._paths.to(held(node, name))


def test_a_node_of_one_family_is_told_everything_by_those_with_both() -> None:
    """It was alive everywhere, and in nobody's lookups [P71]."""
    mesh = dual("a", "b")
    mesh.refused = lambda packet: packet.source == four(99) and by_ipv6(packet)
    mesh.add("c", address=four(99), seeds=[four(ord("a"))])
    mesh.settle()
    mesh["c"].register("compute", "c", now=mesh.now)
    mesh["a"].register("compute", "a", now=mesh.now)
    mesh.run(0.2)
    for name in "abc":
        assert picks(mesh[name], "compute") == ("a", "c")
    assert not any(by_ipv6(packet) for packet in mesh.sent if packet.source == four(99))


def test_a_newcomer_whose_first_address_carries_nothing_is_answered_where_it_sends_from() -> None:
    """Its seed pushed to the address that it announces first, for ever [P71]."""
    mesh = dual("a")
    mesh.rules["ipv6"] = by_ipv6
    mesh.add("b", address=six(ord("b")), more=(four(ord("b")),), seeds=[four(ord("a"))])
    mesh.settle(within=3)
    assert used(mesh["a"], "b") == four(ord("b"))


def test_a_family_that_breaks_is_left_after_three_questions_for_all_members_at_once() -> None:
    """Most members of a large cluster were not asked anything since it broke [P71]."""
    mesh = dual(*"abcdefgh")
    mesh.settle()
    mesh.run(5)
    assert used(mesh["a"], "b")[0].startswith("fd09")
    mesh.rules["ipv6"] = by_ipv6
    mesh.until(
        lambda: not any(by_ipv6(Packet(0, 0, b"", six(1), used(mesh["a"], n))) for n in "bcdefgh"),
        within=8,
    )
    mesh.run(8)  # until the others have found it: each asks once in 1.25 s
    mesh["a"].register("compute", "a", now=mesh.now)
    mesh.run(0.1)
    assert all(picks(mesh[name], "compute") == ("a",) for name in "abcdefgh")
    mesh.rules.clear()
    mesh.rules["ipv4"] = lambda packet: not by_ipv6(packet)
    mesh.until(
        lambda: all(used(mesh["a"], name)[0].startswith("fd09") for name in "bcdefgh"), within=60
    )
    assert not any(mesh.told(name, kind) for name in "ab" for kind in (MemberDied, MemberSuspected))


def test_a_send_that_the_system_refuses_goes_to_the_next_address_at_once() -> None:
    """The next try came after a round trip, and everything else was lost [P70]."""
    mesh = dual("a", "b")
    mesh.settle()
    mesh.run(2)
    refused = []

    def refuses(packet: Packet) -> bool:
        if by_ipv6(packet) and packet.source in mesh["a"].addresses:
            refused.append(packet.at)
        return by_ipv6(packet)

    mesh.refused = refuses
    mesh.until(lambda: used(mesh["a"], "b") == four(ord("b")), within=1.0)
    assert refused[0] in {packet.at for packet in probes_of(mesh, "a", "b")}
    before = len(mesh.sent)
    mesh["a"].register("compute", "a", now=mesh.now)
    mesh.run(0.05)
    told = [p for p in mesh.sent[before:] if p.source == four(ord("a")) and p.pages]
    assert {packet.target for packet in told} == {four(ord("b"))}
    assert picks(mesh["b"], "compute") == ("a",)


def probes_of(mesh: Mesh, name: str, target: str) -> list[Packet]:
    where = held(mesh[name], target).addresses
    return [
        packet
        for packet in mesh.sent
        if packet.source in mesh[name].addresses
        and packet.target in where
        and packet.frame.kind == wire.SYN
    ]


def test_tries_go_to_the_address_in_use_first_and_then_to_the_others() -> None:
    """[P65]."""
    mesh = dual("a", "b")
    mesh.settle()
    mesh.run(2)
    mesh.sent.clear()
    mesh.rules["all"] = lambda _: True
    mesh.run(2.5)
    # The first probe may have begun as a slim frame, which names but half of its target.
    tries = [p for p in probes_of(mesh, "a", "b") if p.frame.probe % 8 < 4]
    first = next(place for place, packet in enumerate(tries) if packet.frame.probe % 8 == 0)
    assert [packet.target for packet in tries[first : first + 4]] == [six(98), four(98)] * 2


def test_a_member_that_only_others_reach_is_told_and_taken_back() -> None:
    """It was alive, in silence, and heard of things by chance [P71]."""
    mesh = Mesh(*"abcde")
    mesh.settle()
    mesh.cut("a", "b")
    mesh.until(lambda: all(mesh.told(me, PathTrouble) for me in "ab"), within=90)
    for me, other in ("ab", "ba"):
        (said,) = mesh.told(me, PathTrouble)
        at = mesh[other].addresses
        assert (said.name, said.fault, said.active) == (other, PathFault.NO_PATH, True)
        assert said.addresses == at
        assert [(view.name, view.addresses) for view in mesh[me].paths()] == [(other, at)]
        assert held(mesh[me], other).status.label == "alive"
        assert EvidenceKind.NO_PATH in {line.kind for line in mesh[me].why(other)}
    assert not any(mesh.told(name, kind) for name in "abcde" for kind in (MemberDied,))
    assert not any(mesh[name].paths() for name in "cde")
    mesh.heal()
    mesh.until(lambda: not mesh["a"].paths() and not mesh["b"].paths(), within=90)
    for me, other in ("ab", "ba"):
        assert [said.active for said in mesh.told(me, PathTrouble)] == [True, False]
        assert mesh[me].paths() == ()
        assert EvidenceKind.PATH_FOUND in {line.kind for line in mesh[me].why(other)}


def test_a_member_without_a_path_costs_little() -> None:
    """Each of its turns costs a helper four datagrams: one in four is taken [P71]."""
    mesh = Mesh(*"abcde")
    mesh.settle()
    mesh.cut("a", "b")
    mesh.run(12)
    before, began = len(probes_of(mesh, "a", "b")), mesh.now
    mesh.run(400)
    assert mesh.now - began == 400
    # A turn in four intervals, one of four members, one turn in four taken, two tries: 10, or 30
    # where it comes next on the ring to those that are passed over.
    assert 4 <= len(probes_of(mesh, "a", "b")) - before <= 60
    mesh.crash("b")
    mesh.until(lambda: not mesh["a"].paths(), within=10)


def test_loss_alone_is_not_taken_for_a_member_without_a_path() -> None:
    """[P71]."""
    mesh = Mesh(*"abcdefgh")
    mesh.settle()
    mesh.lose(0.25)
    mesh.run(120)
    assert not any(mesh.told(name, PathTrouble) for name in mesh.names())


def paths(*own: Address, **fields: object) -> Paths:
    config = Config(**fields)
    local = LocalState(config, SelfRecord(config, "me", 1 << 17, own), random.Random(1), 5.0)
    return Paths(local)


def member(*addresses: Address) -> Member:
    one = Member("m", 1 << 17, 7)
    one.addresses = addresses
    return one


def test_what_was_measured_goes_with_the_addresses_of_the_record() -> None:
    """What is kept of a member is bounded by its eight addresses [P71]."""
    room = paths(four(1), six(1))
    one = member(six(2), four(2))
    assert room.order(one) == (six(2), four(2))
    room.failed(one, six(2))
    assert room.order(one) == (four(2), six(2))
    one.addresses = (six(3), four(2))
    assert room.to(one) == six(3)
    assert one.path is not None
    assert six(2) not in one.path.failed
    one.addresses = (four(3),)
    assert room.to(one) == four(3)


@pytest.mark.parametrize("own", [four(1), six(1)])
def test_the_family_of_the_own_socket_comes_first_until_something_was_measured(
    own: Address,
) -> None:
    """A NAT may make it reach the other one: what was answered counts for more [P71]."""
    room = paths(own)
    one = member(six(2), four(2))
    mine, other = (four(2), six(2)) if own == four(1) else (six(2), four(2))
    assert room.to(one) == mine
    room.answered(one, other, silent=(mine,))
    assert room.to(one) == other


def test_without_it_the_first_address_is_used() -> None:
    """Switch [P71]."""
    room = paths(four(1), without={Mechanism.PATHS})
    assert room.to(member(six(2), four(2))) == six(2)
