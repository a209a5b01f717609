"""Hosts of one family each, which reach each other by the help of those that have both [P71].

Of 400 random runs on the network as it is 18 ended with views that never agreed, or with a death of
somebody who lived.
"""

from __future__ import annotations

from gossipmm.core.node import Node
from gossipmm.core.values.events import MemberDied, MemberRestarted
from gossipmm.core.values.types import Address, Status
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
