"""Exchanges and pushes by zones: who looks after whom, and who is told [P184]."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from gossipmm.core.failure.probe import Failure
from gossipmm.core.table.peers import Peers
from gossipmm.core.table.ring import place_on_ring, zone_at
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, held, key_of


def zoned(zones: str, **fields: Any) -> Mesh:
    """Nodes a, b, c ... in these zones, one letter each; a dot: none."""
    mesh, fields = Mesh(), {"zone_exchanges": True, **fields}
    for name, zone in zip("abcdefghijklmnopqrstuvwxyz", zones, strict=False):
        mesh.add(name, metadata={} if zone == "." else {"zone": zone}, **fields)
    mesh.settle()
    return mesh


def zones_around(mesh: Mesh) -> list[str]:
    """Zones in the order in which each node asks the next, once around."""
    name, found = "a", []
    for _ in mesh.names():
        found.append(mesh[name].table.zone)
        after = mesh[name]._local.peers.successor()
        assert after is not None
        name = after.name
    assert name == "a", "everybody agrees about the ring"
    return found


def borders(zones: list[str]) -> int:
    return sum(one != other for one, other in pairwise([*zones, zones[0]]))


def test_the_ring_leaves_each_zone_once() -> None:
    """On the ring of keys alone two in three exchanges crossed to another zone."""
    mesh = zoned("xyzxyzxyz.xyz.")
    assert borders(zones_around(mesh)) == 4
    for name in mesh.names():
        after = mesh[name]._local.peers.successor()
        assert after is not None
        watched = mesh[after.name]._local.peers.predecessor()
        assert watched is not None
        assert watched.name == name


def test_without_the_setting_the_ring_is_that_of_keys() -> None:
    mesh = zoned("xyzxyzxyz", zone_exchanges=False)
    ring = sorted(mesh.names(), key=lambda name: key_of(mesh[name]))
    for name in mesh.names():
        after = mesh[name]._local.peers.successor()
        assert after is not None
        assert after.name == ring[(ring.index(name) + 1) % len(ring)]
        assert mesh[name]._local.peers.zone == 0


def test_without_zones_the_setting_changes_nothing() -> None:
    """Every datagram is the same, to the byte and the microsecond."""
    sent = []
    for on in (True, False):
        mesh = Mesh("a", "b", "c", "d", "e", "f", zone_exchanges=on)
        mesh.settle()
        mesh["a"].register("t", "a", now=mesh.now)
        mesh.run(20)
        sent.append([(p.at, p.data, p.target) for p in mesh.sent])
    assert sent[0] == sent[1]


def test_a_node_that_changes_its_zone_moves_on_the_ring_of_all() -> None:
    """The ring was sorted once: a member that moved would be looked for where it no longer is."""
    mesh = zoned("xyxyxyxy")
    mesh["a"].set_metadata({"zone": "y"}, now=mesh.now)
    mesh.run(2)
    assert borders(zones_around(mesh)) == 2
    assert held(mesh["b"], "a").place == place_on_ring("y", key_of(mesh["a"]))
    mesh["a"].set_metadata({"zone": None}, now=mesh.now)
    mesh.run(2)
    assert borders(zones_around(mesh)) == 3
    assert held(mesh["b"], "a").place == key_of(mesh["a"])


def test_zones_that_begin_alike_are_neighbours() -> None:
    """eu-west-1 and eu-west-2 are nearer to each other than to us-east-1."""
    names = ["us-east-1", "eu-west-2", "ap-1", "eu-west-1", "us-east-2", "eu-central-1"]
    found = sorted(names, key=lambda name: place_on_ring(name, 1))
    assert [name[:2] for name in found] == ["ap", "eu", "eu", "eu", "us", "us"]
    assert len({zone_at(place_on_ring(name, 1)) for name in names}) == len(names)
    assert place_on_ring("", 7) == 7


def receivers(mesh: Mesh, name: str, times: int = 400) -> Counter[str]:
    """Zones of those whom a node pushes a change to, in so many pushes."""
    peers = Peers(mesh[name].table, random.Random(5))
    counts: Counter[str] = Counter()
    for _ in range(times):
        for peer in peers.sample_both(3, 2, mesh.now - 5, set()):
            counts[mesh[peer.name].table.zone] += 1
    return counts


def test_one_of_those_whom_a_change_is_pushed_to_is_in_another_zone() -> None:
    counts = receivers(zoned("xxxxxyyyyyzzzzz"), "a")
    assert counts["x"] == 2 * 400
    assert counts["y"] + counts["z"] == 400
    assert counts["y"] > 100 < counts["z"]


@pytest.mark.parametrize(
    ("zones", "most"),
    [("xxxxxxxxxxxxxxxxxxxy", 60), (".yyyyyyyyyyy", 1200), ("xyyyyyyyyyyy", 1200)],
    ids=["one alone among many", "no zone", "alone"],
)
def test_a_zone_of_one_host_is_told_neither_by_all_nor_by_nobody(zones: str, most: int) -> None:
    """One host of fifty in a zone of its own would be told by the 49 others, each time."""
    counts = receivers(zoned(zones), "a")
    assert 10 < counts["y"] <= most
    assert counts.total() == 1200


def test_where_one_of_a_zone_is_accused_another_of_it_is_asked() -> None:
    """A zone that died was looked after by one member: 33 hosts left lookups after 29 s, not 12."""
    for on in (True, False):
        without = frozenset() if on else frozenset({Mechanism.ZONE_BESIDE})
        mesh = zoned("xxyyyyyy", without=without)
        mesh.run(2)
        node, first = mesh["a"], len(mesh.sent)
        node._parts.detector.accuse(held(node, "d"), Failure(mesh.now - 1, 6, 1.0, None))
        mesh.flush("a")
        asked = [p.target for p in mesh.sent[first:] if p.frame.kind == wire.SYN]
        assert len(asked) == on
        assert held(node, "d").addresses[0] not in asked
