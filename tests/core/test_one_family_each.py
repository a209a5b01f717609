"""Hosts of one family each, which reach each other by the help of those that have both [P71].

Of 400 random runs on the network as it is 18 ended with views that never agreed, or with a death of
somebody who lived.
"""

from __future__ import annotations

import pytest

from gossipmm.core.node import Node
from gossipmm.core.values.events import MemberDied, MemberRestarted
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.types import Address, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, Packet, held, picks

PORT = 7946
FOUR: Address = ("10.9.0.4", PORT)
SIX: Address = ("fd09::6", PORT)


def by_ipv6(packet: Packet) -> bool:
    return ":" in packet.target[0]


def cluster() -> Mesh:
    """Nodes a and b with both families, one of IPv4 alone (four), and one of IPv6 alone (six)."""
    mesh = Mesh()
    seeds: list[Address] = []
    for number, name in enumerate("ab", start=20):
        mesh.add(name, address=(f"fd09::{number}", PORT), more=[(f"10.9.0.{number}", PORT)])
        seeds += [(f"fd09::{number}", PORT), (f"10.9.0.{number}", PORT)]
    mesh.refused = lambda packet: (
        (packet.source == FOUR) == by_ipv6(packet)
        and packet.source
        in (
            FOUR,
            SIX,
        )
    )
    mesh.add("four", address=FOUR, seeds=seeds)
    mesh.add("six", address=SIX, seeds=seeds)
    mesh["four"].register("t", "host-of-four", now=mesh.now)
    mesh.settle(within=10)
    return mesh


def start_again(mesh: Mesh, topic: str) -> Node:
    """Start another life of four, which registers its host under another topic."""
    node = mesh.add("four", address=FOUR, seeds=[(f"10.9.0.{20}", PORT), (f"10.9.0.{21}", PORT)])
    node.register(topic, "host-of-four", now=mesh.now)
    return node


def test_a_restart_of_a_host_that_only_others_reach_is_believed_without_a_death() -> None:
    """Story: its new life was asked at an address to which no path led, and not believed [P129].

    The one before it, which nobody accused, was listed all the time.
    """
    mesh = cluster()
    mesh.run(15)
    mesh.crash("four")
    mesh.run(0.2)
    again = start_again(mesh, "u")
    mesh.run(7)
    assert held(mesh["six"], "four").generation == again.generation
    assert picks(mesh["six"], "u") == ("host-of-four",)
    assert mesh["six"].table.topic("t") is None
    kinds = [type(event) for event in mesh.events["six"]]
    assert MemberRestarted in kinds
    assert MemberDied not in kinds


def test_a_host_that_only_others_reach_is_taken_back_after_it_was_held_dead() -> None:
    """Story: after one question in vain it was asked with one try and no helper, for good [P42]."""
    mesh = cluster()
    mesh.run(3)
    mesh.rules["four is cut off"] = lambda packet: FOUR in (packet.source, packet.target)
    mesh.run(20)
    assert held(mesh["six"], "four").status is Status.DEAD
    mesh.rules.clear()
    mesh.settle(within=15)
    assert held(mesh["six"], "four").status is Status.ALIVE


def test_before_a_death_helpers_are_asked_at_once_for_who_only_they_reach() -> None:
    """Story: at 20 % loss hosts of one family declared those of the other dead [P131].

    They were accused by others, and the question before the death went where no path led.
    """
    mesh = cluster()
    mesh.run(6)
    member = held(mesh["six"], "four")
    assert member.indirect
    probes = mesh["six"]._parts.probes
    probes.drop(member)
    mesh["six"].stats.loss = 0.3  # where it is asked ten times instead, and by nobody else
    began = len(mesh.sent)
    assert probes.start(member, Purpose.DEATH) is not None
    mesh.run(0.1)
    helps = [p for p in mesh.sent[began:] if p.frame.kind == wire.HELP and p.source == SIX]
    assert helps


def test_of_those_who_might_help_those_with_a_family_of_the_target_are_chosen() -> None:
    """Story: three at random of twelve, of whom two had both families [P67]."""
    mesh = Mesh("a")
    mesh.puppets(*(f"z{number}" for number in range(8)))
    both = mesh.puppets("x", "y")
    for number, one in enumerate(both):
        one.addresses = (*one.addresses, (f"fd09::{number + 50}", PORT))
        one.say("a", pages=[one.page_zero()])
    far = mesh.puppet("far", address=SIX).introduce("a")
    mesh.run(1)
    probes = mesh["a"]._parts.probes
    probes.drop(held(mesh["a"], "far"))
    probe = probes.start(held(mesh["a"], "far"), Purpose.ROUND)
    assert probe is not None
    chosen = [member.name for member in probes._helpers.choose(probe)]
    assert {"x", "y"} <= set(chosen)
    assert far.name not in chosen


@pytest.mark.parametrize("purpose", [Purpose.ROUND, Purpose.RETURNING])
def test_who_reached_somebody_else_is_asked_only_with_a_family_of_the_target(
    purpose: Purpose,
) -> None:
    """Story: a host of IPv4 held one of IPv6 dead, and asked the same other one of IPv4 for good.

    That one had reached somebody for it once. One of those that might come back is asked for with
    somebody at random besides, whoever reached somebody: that one may not reach it, either.

    [P42, P67] (swarm_paths seed 101172, 5 hosts)
    """
    mesh = Mesh("a", helpers=2)
    four, both, other = mesh.puppets("four", "both", "other")
    for number, one in enumerate((both, other), start=50):
        one.addresses = (*one.addresses, (f"fd09::{number}", PORT))
        one.say("a", pages=[one.page_zero()])
    far = mesh.puppet("far", address=SIX).introduce("a")
    mesh.run(1)
    probes, member = mesh["a"]._parts.probes, held(mesh["a"], "far")
    probes._helpers.reached(held(mesh["a"], "four"))
    probes._paths.lost[far.key] = None
    probes.drop(member)
    probe = probes.start(member, purpose)
    assert probe is not None
    probe.stage, probe.once = 1, purpose is Purpose.RETURNING
    some = {one.name for one in probes._helpers.choose(probe)}
    assert some
    assert four.name not in some
    probes._helpers.reached(held(mesh["a"], "both"))
    chosen = {one.name for one in probes._helpers.choose(probe)}
    assert chosen == ({"both", "other"} if probe.once else {"both"})
