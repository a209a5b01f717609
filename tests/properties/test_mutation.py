"""Real datagrams, damaged: whatever comes in, no exception goes out and the table is consistent."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh
from tests.invariants import check_node
from tests.puppets import frame_of

#: Kinds of datagrams that this cluster sends to ``c``.
KINDS = 13


def cluster() -> Mesh:
    """Three nodes in the middle of things: a dead one, a leaver, large and small pages."""
    mesh = Mesh("a", "b", "c", "d", "e", suspicion_min=0.5)
    mesh["a"].register("t", "h", {"m": 1}, now=mesh.now)
    for topic in range(4):
        mesh["b"].register(f"t{topic}", "h", {"m": "x" * 300}, now=mesh.now)
    mesh.settle()
    mesh.crash("e")
    mesh.run(3)
    mesh["d"].leave(mesh.now)
    mesh.run(0.3)
    mesh["c"].register("t", "i", draining=True, now=mesh.now)
    mesh.run(0.5)
    return mesh


@cache
def datagrams() -> tuple[tuple[bytes, Address], ...]:
    """One real datagram to node ``c`` of each kind and set of options."""
    mesh = cluster()
    here = mesh["c"].addresses[0]
    found: dict[Any, tuple[bytes, Address]] = {}
    for packet in mesh.sent:
        if packet.target == here:
            frame = packet.frame
            form = frame.half != 0
            found[frame.kind, form, tuple(sorted(frame.options)), bool(frame.rows)] = packet[2:4]
    return tuple(found.values())


def test_there_is_something_to_damage() -> None:
    frames = [frame_of(data) for data, _ in datagrams()]
    assert {frame.half != 0 for frame in frames} == {True, False}
    assert {frame.kind for frame in frames} >= {wire.SYN, wire.ACK, wire.NEWS}
    assert {o for f in frames for o in f.options} >= {wire.OPT_PAGES, wire.OPT_MORE}
    assert len(frames) >= KINDS


@pytest.mark.parametrize("which", range(len(datagrams())))
def test_every_byte_of_every_kind_may_be_damaged(which: int) -> None:
    """Each byte in turn: a bit of it flipped, and set to what is special in CBOR."""
    data, source = datagrams()[which]
    mesh = cluster()
    for place in range(len(data)):
        for value in {data[place] ^ 1, data[place] ^ 0x80, 0xFF, 0x5F, 0xC1}:
            damaged = data[:place] + bytes((value,)) + data[place + 1 :]
            mesh.deliver(damaged, source, "c")
        if place % 16 == 0:
            mesh.run(0.01)
    check_node(mesh["c"])
    mesh.run(10)
    check_node(mesh["c"])
    assert mesh["c"].table.topics["t"].entries["i"].nodes == ("c",)


@settings(max_examples=60)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_many_bytes_may_be_damaged_moved_or_missing(data: st.DataObject, seed: int) -> None:
    mesh = cluster_once()
    rng = random.Random(seed)
    for _ in range(20):
        raw, source = rng.choice(datagrams())
        other, _ = rng.choice(datagrams())
        damaged = bytearray(raw)
        for _ in range(data.draw(st.integers(0, 4))):
            place = rng.randrange(len(damaged))
            damaged[place] = rng.randrange(256)
        how = data.draw(st.sampled_from(["as it is", "cut", "joined", "doubled", "hole"]))
        at = rng.randrange(len(damaged))
        if how == "cut":
            del damaged[at:]
        elif how == "joined":
            damaged[at:] = other[at:]
        elif how == "doubled":
            damaged[at:at] = damaged[at : at + 20]
        elif how == "hole":
            del damaged[at : at + 3]
        mesh.deliver(bytes(damaged), source, "c")
    check_node(mesh["c"])


@cache
def cluster_once() -> Mesh:
    """One for all examples: what one of them leaves behind, the next one starts from."""
    return cluster()
