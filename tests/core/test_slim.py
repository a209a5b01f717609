"""Slim frames: exchanges between members of wire version 2, without what both know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.values.events import ForeignTraffic, MemberDied, MemberSuspected
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.slim import (
    MAX_SLIM_ROWS,
    SHORT,
    decode_slim_untrusted,
    encode,
    is_slim,
)
from gossipmm.core.wire.strict import Refused
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, Packet, dropped, held, key_of
from tests.puppets import frame_of

OLD = frozenset({Mechanism.WIRE_VERSION})
KEYS = st.integers(1, 2**64 - 1)
BEATS = st.integers(0, wire.MAX_COUNTER - 1)
ROW = wire.row(7, 3, wire.SUSPECT, 9)


def never(probe: int) -> bool:
    return False


def slim(mesh: Mesh) -> list[Packet]:
    return [packet for packet in mesh.sent if is_slim(packet.data)]


@given(
    kind=st.sampled_from([wire.SYN, wire.ACK]),
    keys=st.tuples(KEYS, KEYS),
    probe=st.integers(1, 2**64 - 1),
    fingerprint=st.integers(0, 2**64 - 1),
    beats=st.tuples(BEATS, BEATS),
    rows=st.integers(0, MAX_SLIM_ROWS // wire.ROW_SIZE),
)
def test_what_is_read_is_what_was_written(
    kind: int,
    keys: tuple[int, int],
    probe: int,
    fingerprint: int,
    beats: tuple[int, int],
    rows: int,
) -> None:
    """[P125]."""
    data = encode(kind, keys, probe, fingerprint, beats, rows * ROW)
    assert len(data) == (31 if kind == wire.SYN else 27) + 14 * rows
    frame = decode_slim_untrusted(data, keys[1], (), lambda short: short == probe & SHORT)
    high = bool(probe & 8)
    half = fingerprint >> 32 if high else fingerprint & SHORT
    which = wire.HIGH_HALF if high else wire.LOW_HALF
    assert frame == (kind, *keys, probe & SHORT, half, *beats, rows * ROW, {}, which, None)


@given(kind=st.sampled_from([wire.SYN, wire.ACK]), me=KEYS, target=KEYS)
def test_what_is_for_another_node_is_never_taken_for_ones_own(
    kind: int, me: int, target: int
) -> None:
    data = encode(kind, (5, target), 16, 0, (1, 1), b"")
    frame = decode_slim_untrusted(data, me, (5,), never)
    mine = kind == wire.SYN and (target ^ me) & SHORT == 0
    assert (frame.target == me) is mine
    assert frame.target


GOOD = encode(wire.SYN, (5, 6), 16, 0, (1, 1), ROW)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x58", Drop.MALFORMED),
        (GOOD[:-1], Drop.MALFORMED),
        (GOOD + b"\0", Drop.MALFORMED),
        (b"\x58\x2a" + GOOD[2:-1], Drop.MALFORMED),
        (b"\x58\x2b\x43" + GOOD[3:], Drop.VERSION),
        (b"\x58\x2b\x33" + GOOD[3:], Drop.UNKNOWN_KIND),
        (b"\x58\x2b\x23" + GOOD[3:], Drop.UNKNOWN_KIND),
        (GOOD[:3] + bytes(8) + GOOD[11:], Drop.OUT_OF_RANGE),
        (GOOD[:23] + b"\xff" * 4 + GOOD[27:], Drop.OUT_OF_RANGE),
        (GOOD[:27] + b"\xff" * 4 + GOOD[31:], Drop.OUT_OF_RANGE),
        (b"\x58\x1c\x21" + bytes(8) + bytes(19), Drop.MALFORMED),
    ],
)
def test_what_is_not_well_formed_is_refused_by_its_reason(data: bytes, reason: Drop) -> None:
    """[P125, P100]."""
    with pytest.raises(Refused) as refused:
        decode_slim_untrusted(data, 6, (5,), never)
    assert refused.value.reason is reason


@given(st.binary(max_size=300), KEYS)
def test_any_bytes_are_read_or_refused(tail: bytes, me: int) -> None:
    size = len(tail) + 1
    for data in (tail, b"\x58" + tail, bytes((0x58, size & 255)) + b"\x21" + tail):
        try:
            frame = decode_slim_untrusted(data, me, (5,), never)
        except Refused:
            continue
        assert len(frame.rows) % wire.ROW_SIZE == 0


# -- who says it, and to whom -------------------------------------------------------------------


def test_members_exchange_slim_frames_and_others_are_asked_in_full() -> None:
    """Those of wire version 1 refuse a slim frame as malformed [P122, P125]."""
    mesh = Mesh("a", "b")
    mesh.add("old", without=OLD)
    mesh.settle()
    mesh.run(2)
    mesh.sent.clear()
    mesh.run(10)
    new = {mesh[name].addresses[0] for name in "ab"}
    for packet in mesh.sent:
        assert is_slim(packet.data) is ({packet.source, packet.target} <= new)
    refused = {Drop.MALFORMED, Drop.VERSION, Drop.UNKNOWN_KIND, Drop.UNKNOWN_SENDER}
    assert not [n for n in mesh.names() if refused & mesh[n].stats.dropped.keys()]


def test_a_lost_slim_frame_is_said_again_in_full() -> None:
    """[P125]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(1)
    mesh.rules["slim"] = lambda packet: is_slim(packet.data)
    mesh.sent.clear()
    mesh.run(10)
    assert slim(mesh)
    assert [packet for packet in mesh.sent if packet.frame.half == 0]
    assert not mesh.told("a", MemberSuspected)
    assert mesh["a"].stats.probes_failed == 0
    mesh.rules.clear()
    mesh.crash("b")
    mesh.until(lambda: bool(mesh.told("a", MemberDied, "b")), within=20)


def test_a_member_that_is_not_held_alive_is_asked_with_long_probe_ids() -> None:
    """[P126]."""
    mesh = Mesh("a", "b", "c", suspicion_min=2.0)
    mesh.settle()
    mesh.run(1)
    gone = mesh["b"].addresses[0]
    mesh.rules["b is cut off"] = lambda packet: gone in (packet.source, packet.target)
    mesh.until(lambda: bool(mesh.told("a", MemberSuspected, "b")), within=10)
    mesh.sent.clear()
    mesh.run(20)  # the suspected one, and then the dead one, is asked now and then
    asked = [packet for packet in mesh.sent if packet.target == gone]
    assert [packet for packet in asked if packet.frame.kind == wire.SYN]
    assert not [packet for packet in asked if is_slim(packet.data)]


def test_an_address_that_is_not_proved_is_asked_with_long_probe_ids() -> None:
    """Also, no answer to a short one proves it [P126, P97]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(2)
    proved = mesh["a"]._parts.admission.proved
    there = mesh["b"].addresses[0]
    mesh.sent.clear()
    mesh.until(lambda: any(p.target == there and is_slim(p.data) for p in mesh.sent), step=0.01)
    del proved[there]
    mesh.sent.clear()
    mesh.until(lambda: any(p.target == there and p.frame.kind == wire.SYN for p in mesh.sent))
    first = next(p for p in mesh.sent if p.target == there and p.frame.kind == wire.SYN)
    assert not is_slim(first.data)
    mesh.run(0.1)
    assert there in proved


def test_an_ack_to_an_earlier_life_does_not_acknowledge_the_present_one() -> None:
    """It has no target beside its probe, which is taken for the life that asked [P125, P16]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(1)
    mesh.sent.clear()
    a = mesh["a"]
    here = a.addresses[0]

    def syns() -> list[Packet]:
        slim = [p for p in mesh.sent if p.source == here and is_slim(p.data)]
        return [p for p in slim if p.frame.kind == wire.SYN]

    mesh.until(lambda: bool(syns()), step=0.0005)
    (syn,) = syns()
    probes = a._parts.probes
    assert probes.asked(syn.frame.probe)
    a._local.own.generation += 1
    assert not probes.asked(syn.frame.probe)


def test_differences_in_either_half_of_the_fingerprint_are_seen() -> None:
    """A difference that kept the low half was never seen [P125, P52]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(2)
    table = mesh["a"].table
    for change in (1, 1 << 63):
        table.fingerprint ^= change
        mesh.until(lambda: bool(mesh["b"].agreement().differ), within=10)
        table.fingerprint ^= change
        mesh.until(lambda: not mesh["b"].agreement().differ, within=10)


# -- who is refused -----------------------------------------------------------------------------


def test_a_cluster_that_took_over_an_address_is_refused_by_name() -> None:
    """Its tag is not in a slim frame: the next try of the probe has it [P99, P125]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(1)
    there = mesh["b"].addresses[0]
    mesh.crash("b")
    other = mesh.add("other", address=there, seeds=(), cluster="another")
    mesh.sent.clear()
    mesh.run(3)
    assert dropped(other, Drop.UNKNOWN_SENDER) >= 1
    assert dropped(other, Drop.CLUSTER) >= 1
    assert {event.reason for event in mesh.told("other", ForeignTraffic)} == {Drop.CLUSTER}
    assert not [packet for packet in mesh.sent if packet.source == there]


def test_a_fresh_life_at_that_address_is_asked_again_in_full() -> None:
    """Drop.UNKNOWN_SENDER: it knows nobody yet, and answers the second try as itself [P125]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(1)
    there = mesh["b"].addresses[0]
    mesh.crash("b")
    mesh.add("b", address=there, seeds=())
    mesh.until(lambda: dropped(mesh["b"], Drop.UNKNOWN_SENDER) > 0, within=5)
    mesh.until(lambda: held(mesh["a"], "b").generation == mesh["b"].generation, within=5)
    assert not mesh.told("a", MemberDied)
    assert not mesh.told("b", ForeignTraffic)


def test_who_is_not_known_but_names_this_life_is_answered_in_full() -> None:
    """A newcomer that learned of this node from others [P125, P82]."""
    mesh = Mesh("a")
    stranger = mesh.puppet("s")
    data = encode(wire.SYN, (stranger.key, key_of(mesh["a"])), 16, 0, (3, 0), ROW)
    answers = mesh.deliver(data, stranger.addresses[0], "a")
    (ack,) = [frame_of(p.data) for p in answers if p.frame.kind == wire.ACK]
    assert ack.half == 0
    assert (ack.probe, ack.target) == (16, stranger.key)
    assert dropped(mesh["a"], Drop.UNKNOWN_SENDER) == 0
