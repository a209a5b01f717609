"""Slim frames: an exchange between members of wire version 2 or 3, in columns alone [P125].

    0x58 size  version << 4 | kind  sender 8  [target 4, in a SYN]  probe 4  half fingerprint 4
    heartbeat 4  known 4  [coordinate 8]  rows

One CBOR byte string. It has no cluster tag: the sender's key is a hash keyed by the cluster's name,
so whoever is known by it is of this cluster. Anything with options goes in the form of ``frame``.
In wire version 3 a SYN asks for the coordinate of its target, and an ACK brings it [P179].
"""

from __future__ import annotations

from collections.abc import Callable, Container
from struct import Struct
from typing import Final

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Heartbeat
from gossipmm.core.wire.frame import (
    ACK,
    HIGH_HALF,
    LOW_HALF,
    MAX_COUNTER,
    ROW_SIZE,
    SYN,
    Frame,
)
from gossipmm.core.wire.option_checks import COORDINATE as COORDINATE
from gossipmm.core.wire.strict import Refused

_SYN: Final = Struct(">BBBQIIIII")
_ACK: Final = Struct(">BBBQIIII")
_HEAD: Final = 0x58
#: The wire version that has slim frames.
SLIM_SINCE: Final = 2
#: The wire version in which they ask for coordinates, and bring them.
COORDINATES_SINCE: Final = 3
_KINDS: Final = {
    SLIM_SINCE << 4 | SYN: SYN,
    SLIM_SINCE << 4 | ACK: ACK,
    COORDINATES_SINCE << 4 | SYN: SYN,
    COORDINATES_SINCE << 4 | ACK: ACK,
}
_ASKS: Final = COORDINATES_SINCE << 4 | SYN
_BRINGS: Final = COORDINATES_SINCE << 4 | ACK
#: The kinds of those that ask, and of those that bring.
COORDINATES: Final = {SYN: _ASKS, ACK: _BRINGS}
#: What a slim frame has of a target's key and of a probe's identity.
SHORT: Final = 0xFFFF_FFFF
#: The bit of a probe that says which half of the fingerprint comes: over two exchanges, both.
_WHICH_HALF: Final = 8
#: Most bytes of rows: the size is one byte.
MAX_SLIM_ROWS: Final = 255 - (_SYN.size - 2)

_new = tuple.__new__


def encode(
    kind: int,
    keys: tuple[int, int],
    probe: int,
    fingerprint: int,
    beats: tuple[Heartbeat, Heartbeat],
    rows: bytes,
) -> bytes:
    """Build a SYN or ACK; ``keys``: sender and target, ``beats``: own heartbeat, and known one.

    ``kind`` may be one of ``COORDINATES``: then ``rows`` begin with what an ACK brings.
    """
    half = fingerprint >> 32 if probe & _WHICH_HALF else fingerprint & SHORT
    short = probe & SHORT
    first = kind if kind > ACK else SLIM_SINCE << 4 | kind
    if kind & ACK != ACK:
        size = _SYN.size - 2 + len(rows)
        target = keys[1] & SHORT
        return _SYN.pack(_HEAD, size, first, keys[0], target, short, half, *beats) + rows
    size = _ACK.size - 2 + len(rows)
    return _ACK.pack(_HEAD, size, first, keys[0], short, half, *beats) + rows


def is_slim(data: bytes) -> bool:
    """Return whether bytes can only be a slim frame, of this version or a later one."""
    return data[:1] == b"\x58"


def decode_slim_untrusted(
    data: bytes, me: int, members: Container[int], asked: Callable[[int], bool]
) -> Frame:
    """Read a slim frame. Raises Refused, and nothing else, on any bytes [P125].

    ``me`` is this node's record key, ``members`` are the keys known here; ``asked`` says whether
    this life of the node has an open probe of those low bits: an ACK to it is meant for this node.
    """
    size = len(data)
    if size < _ACK.size or data[1] != size - 2:
        raise Refused(Drop.MALFORMED)
    kind = _KINDS.get(data[2])
    if kind is None:
        later = data[2] >> 4 not in (SLIM_SINCE, COORDINATES_SINCE)
        raise Refused(Drop.VERSION if later else Drop.UNKNOWN_KIND)
    if kind == SYN:
        if size < _SYN.size:
            raise Refused(Drop.MALFORMED)
        _, _, _, sender, target, probe, half, heartbeat, known = _SYN.unpack_from(data)
        rows = data[_SYN.size :]
        for_me = target == me & SHORT
        coordinate = b"" if data[2] == _ASKS else None
    else:
        _, _, _, sender, probe, half, heartbeat, known = _ACK.unpack_from(data)
        brings = data[2] == _BRINGS
        start = _ACK.size + COORDINATE if brings else _ACK.size
        if size < start:
            raise Refused(Drop.MALFORMED)
        coordinate = data[_ACK.size : start] if brings else None
        rows = data[start:]
        target = 0
        for_me = asked(probe)
    if len(rows) % ROW_SIZE:
        raise Refused(Drop.MALFORMED)
    if heartbeat >= MAX_COUNTER or known >= MAX_COUNTER or not sender:
        raise Refused(Drop.OUT_OF_RANGE)
    if not for_me and sender not in members:
        raise Refused(Drop.UNKNOWN_SENDER)
    # Of another node's key 32 bits came. Any number stands for it that differs from this node's.
    meant = me if for_me else ((me ^ 1 << 63) & ~SHORT | target) or 1
    which = HIGH_HALF if probe & _WHICH_HALF else LOW_HALF
    return _new(
        Frame,
        (kind, sender, meant, probe, half, heartbeat, known, rows, {}, which, coordinate),
    )
