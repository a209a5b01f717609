"""Converts messages to and from CBOR (RFC 8949): the frame, its rows, its options, every limit.

A frame is one CBOR array, in preferred (shortest) serialization only::

    [protocol, cluster tag, kind, head, rows, ? options]

``head`` and ``rows`` are byte strings of fixed columns: a byte string costs a fifth of what the
same numbers cost as CBOR integers, and the fixed prefix lets one ``struct`` call read a whole
ordinary datagram. ``options`` is a map from small integers; unknown keys are skipped, so that
fields can be added later. The grammar is ``wire.cddl``; pages are in ``pages.py``.

Functions ending in ``_untrusted`` take bytes from the network and raise only ``Refused``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from struct import Struct
from struct import error as struct_error
from typing import Any, Final, NamedTuple

from gossipmm.core.values.claim import Claim
from gossipmm.core.values.evidence_time import AGE_RATIO
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Generation, Heartbeat, NodeId
from gossipmm.core.wire.option_checks import MAX_PULL as MAX_PULL
from gossipmm.core.wire.option_checks import (
    are_events,
    are_missed,
    are_questions,
    is_coordinate,
    is_cursor,
    is_held,
    is_key,
    is_life,
    is_minimums,
    is_pages,
    is_pair_of_text,
    is_part,
    is_pull,
    is_relay,
    is_u64,
)
from gossipmm.core.wire.strict import Refused, is_numbered, loads_untrusted

PROTOCOL: Final = 1
#: The highest wire version that this node reads, as its page 0 announces it. From 2 on, digests may
#: hash the bytes of pages, and exchanges may be slim frames [P122]; from 3 on, those may ask for
#: coordinates, and bring them [P179]. A node that keeps none announces 2.
WIRE_VERSION: Final = 3
WIRE_VERSION_WITHOUT: Final = 2

#: Largest datagram read. Senders keep to Config.max_datagram, which need not be equal everywhere.
MAX_RECEIVE: Final = 1500
#: Largest datagram that every path carries: IPv4's 576 bytes, minus its header and that of UDP
#: (RFC 791, RFC 1122 section 3.3.3).
LEAST_DATAGRAM: Final = 548
#: Counters at or above this are refused: an owner must always be able to raise its own.
MAX_COUNTER: Final = 0xFFFF_0000
#: One datagram cannot have more rows than this; more is malformed, not work.
MAX_ROWS: Final = MAX_RECEIVE // 14

SYN: Final = 1
ACK: Final = 2
NEWS: Final = 3
HELP: Final = 4
HELPED: Final = 5
KIND_NAMES: Final = {SYN: "syn", ACK: "ack", NEWS: "news", HELP: "help", HELPED: "helped"}

#: Low bits of a probe's identity that number the try and come back in its answer, so that the round
#: trip is known however many tries were under way, as with QUIC's packet numbers [P66].
TRY: Final = 7

#: Which half of a fingerprint came.
LOW_HALF: Final = 1
HIGH_HALF: Final = 2

#: Claims in rows, as module constants: looking up an enum's member costs four times as much.
ALIVE: Final = Claim.ALIVE
SUSPECT: Final = Claim.SUSPECT
DEAD: Final = Claim.DEAD
LEFT: Final = Claim.LEFT
ACCUSER: Final = Claim.ACCUSER
UNHEARD: Final = Claim.UNHEARD

#: Keys of the options map. Append only.
OPT_PAGES: Final = 1  # [* page bytes]
OPT_DIGEST: Final = 2  # [bits, bucket numbers, rows of 20, ? 2: hashes are of bytes]
OPT_BUCKETS: Final = 3  # [bits, first bucket, 4-byte hashes, ? 2: hashes are of bytes]
OPT_WANT: Final = 4  # [* [record key, page vector, ? first page, behind the last, ? digests]]
OPT_MINIMUMS: Final = 5  # [* [name, generation]]
#: [page number, record key, ? gone only, ? datagrams at most]: send what comes after.
OPT_PULL: Final = 6
OPT_MORE: Final = 7  # [page number, record key], or []: where the transfer stands; it ended
OPT_TARGET: Final = 8  # record key that a HELP or HELPED is about
OPT_SLOW: Final = 9  # true: my own timers fire late
OPT_EXPIRE: Final = 10  # [topic, host]: is this registration of yours still meant?
OPT_REACHED: Final = 11  # true, in a HELPED: the target itself answered the helper
OPT_KEY: Final = 12  # [register, secret]: the key that comes; only ever inside a sealed datagram
OPT_JOINING: Final = 14  # true: I have not joined yet, so agreement with me proves nothing
OPT_AHEAD: Final = 16  # true: your life begins more than a day ahead of my clock
OPT_FULL: Final = 15  # true: my table is full of members that live, there is no room for you
OPT_PADDING: Final = 17  # bytes that mean nothing: whether so large a datagram arrives is asked
OPT_PART: Final = 18  # [number of the whole, its size, place, bytes]: of a frame that is too large
OPT_ASK: Final = 19  # [what, ...], in a SYN: a question to its target itself
OPT_TOLD: Final = 20  # [outcome, ...], in the ACK: the answer
OPT_SIGN: Final = 21  # [+ random number], in a SYN or HELP: sign that the target lives
OPT_REVOKED: Final = 23  # a list of revocations; empty: I have none
OPT_WHERE: Final = 29  # a coordinate, in an ACK; empty, in a SYN: where are you?
OPT_EVENTS: Final = 24  # [* [sender key, number, age in ms, text, signature]]: user events
OPT_HELD: Final = 25  # [is this all, [* [sender key, lowest, next, age in ms, bits]]]: held of them
OPT_MISSED: Final = 26  # [* [sender key, * first, how many]]: send me those of them
OPT_LIFE: Final = 22  # [record key, heartbeat, numbers, wall clock, number, signature]: it does
OPT_RELAY: Final = 27  # [who asks, who is asked, probe id, the question]: pass it on
OPT_RELAYED: Final = 28  # [who asks, who is asked, probe id, the answer]: pass it back
OPT_BRIDGE: Final = 30  # record key, in a HELPED: it reached the target when I did not

#: Requests answered with more than a datagram, or that send something to others: only for validated
#: addresses.
LARGE: Final = (OPT_DIGEST, OPT_BUCKETS, OPT_WANT, OPT_PULL, OPT_REVOKED)
#: Options that are neither a request nor an answer to one.
NO_REQUEST: Final = frozenset(
    (
        *(OPT_PAGES, OPT_KEY, OPT_SLOW, OPT_JOINING),
        *(OPT_FULL, OPT_AHEAD, OPT_TOLD, OPT_SIGN, OPT_LIFE, OPT_WHERE),
    )
)

_PREFIX: Final = Struct(">BBB4sBBBQQQQII")
_ROW: Final = Struct(">QIBB")
_DIGEST_ROW: Final = Struct(">QIBB6s")
_VECTOR: Final = Struct(">HI")
_DIGEST: Final = Struct(">I")
ROW_SIZE: Final = _ROW.size
DIGEST_ROW_SIZE: Final = _DIGEST_ROW.size
#: Bytes of a frame without rows and options: prefix and the head of the empty rows.
FRAME_SIZE: Final = _PREFIX.size + 1


class Frame(NamedTuple):
    """One datagram, read. Keys are 8-byte hashes as integers; 0 is nobody [P62]."""

    kind: int
    sender: int
    target: int
    probe: int
    fingerprint: int
    heartbeat: Heartbeat
    known: Heartbeat  #: the heartbeat at which the sender knows the receiver
    rows: bytes
    options: dict[int, Any]
    half: int = 0  #: which half of the fingerprint a slim frame brought; 0: it was none
    #: In an ACK, the coordinate of its sender; empty, in a SYN: it asks for that [P179].
    coordinate: bytes | None = None


_new = tuple.__new__


def cluster_tag(cluster: str) -> bytes:
    """Return the 4 bytes that distinguish clusters on a shared port (not a secret) [P99]."""
    return blake2b(cluster.encode(), digest_size=4, person=b"gossipmm-tag").digest()


def record_key(cluster: str, name: NodeId, generation: Generation) -> int:
    """Return the 64-bit key of one generation of a node [P1]."""
    data = b"%d|%s" % (generation, name.encode())
    digest = blake2b(data, digest_size=8, key=cluster.encode()[:64], person=b"gossipmm-key")
    return int.from_bytes(digest.digest(), "big") or 1


# -- ages ----------------------------------------------------------------------------------
# One byte, geometric from 10 ms to a week: each step is 7.3 % above the one before.

AGES: Final[tuple[float, ...]] = (0.0, *(0.01 * AGE_RATIO**step for step in range(255)))


def age_up(seconds: float) -> int:
    """Return the code of evidence's age, rounded up: hearsay never looks younger [P106]."""
    return 0 if seconds <= 0.0 else min(bisect_left(AGES, seconds), 255)


def age_down(seconds: float) -> int:
    """Return the code of a death's age, rounded down: retelling must not make it older [P106]."""
    return 0 if seconds <= 0.0 else bisect_right(AGES, seconds) - 1


def row(key: int, heartbeat: Heartbeat, claim: int, age_code: int = 0) -> bytes:
    """Return one claim, 14 bytes."""
    return _ROW.pack(key, heartbeat, claim, age_code)


def digest_row(
    key: int, heartbeat: Heartbeat, claim: int, age_code: int, page_hash: bytes
) -> bytes:
    """Return one line of a digest, 20 bytes; ``page_hash`` has 6 [P54]."""
    return _DIGEST_ROW.pack(key, heartbeat, claim, age_code, page_hash)


#: Yields (key, heartbeat, claim, age code) of rows.
rows_in: Final[Callable[[bytes], Iterator[tuple[int, int, int, int]]]] = _ROW.iter_unpack


def digest_rows_in(rows: bytes) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Yield (key, heartbeat, claim, age code, page hash)."""
    return _DIGEST_ROW.iter_unpack(rows)


def vector(versions: dict[int, int]) -> bytes:
    """Return the page versions held of a record, 6 bytes per page."""
    return b"".join(_VECTOR.pack(number, versions[number]) for number in sorted(versions))


def vector_in(data: bytes) -> dict[int, int]:
    """Read a page vector: number -> version."""
    return dict(_VECTOR.iter_unpack(data))


def short_digest(digest: int) -> int:
    """Return the part of a page's digest that a WANT carries: 32 bits."""
    return digest >> 32


def digests_in(vector: bytes, digests: bytes) -> dict[int, int]:
    """Read the digests that go with a page vector: number -> the first 4 bytes of each."""
    numbers = [number for number, _ in _VECTOR.iter_unpack(vector)]
    return dict(zip(numbers, (one for (one,) in _DIGEST.iter_unpack(digests)), strict=True))


def packed_digests(digests: Iterable[int]) -> bytes:
    """Return the first 4 bytes of each digest, as they go with a page vector [P56]."""
    return b"".join(_DIGEST.pack(short_digest(one)) for one in digests)


# -- frames --------------------------------------------------------------------------------


def encode(
    tag: bytes,
    kind: int,
    sender: int,
    target: int,
    probe: int,
    fingerprint: int,
    heartbeat: Heartbeat,
    known: Heartbeat,
    rows: bytes,
    options: bytes = b"",
) -> bytes:
    """Build a datagram's payload; ``options`` is the encoded map, or empty."""
    prefix = _PREFIX.pack(
        0x86 if options else 0x85,
        PROTOCOL,
        0x44,
        tag,
        kind,
        0x58,
        40,
        sender,
        target,
        probe,
        fingerprint,
        heartbeat,
        known,
    )
    return prefix + bytes_head(len(rows)) + rows + options


def bytes_head(size: int) -> bytes:
    """Return the CBOR head of a byte string, in its shortest form."""
    if size < 24:
        return bytes((0x40 | size,))
    if size < 256:
        return bytes((0x58, size))
    return b"\x59" + size.to_bytes(2, "big")


def decode_untrusted(data: bytes, tag: bytes) -> Frame:
    """Read one datagram's payload. Raises Refused, and nothing else, on any bytes [P98]."""
    if len(data) > MAX_RECEIVE:
        raise Refused(Drop.TOO_LARGE)
    try:
        (
            array,
            version,
            tag_head,
            its_tag,
            kind,
            head,
            head_size,
            sender,
            target,
            probe,
            fingerprint,
            heartbeat,
            known,
        ) = _PREFIX.unpack_from(data)
        size_head = data[50]
    except (struct_error, IndexError):
        raise Refused(_why_short(data)) from None
    if tag_head != 0x44 or not 0x85 <= array <= 0x97:
        raise Refused(Drop.MALFORMED)
    if version != PROTOCOL:
        raise Refused(Drop.VERSION if version < 24 else Drop.MALFORMED)
    if its_tag != tag:
        raise Refused(Drop.CLUSTER)
    if array > 0x86 or head != 0x58 or head_size != 40:
        raise Refused(Drop.MALFORMED)
    if kind not in KIND_NAMES:
        raise Refused(Drop.UNKNOWN_KIND if kind < 24 else Drop.MALFORMED)
    if heartbeat >= MAX_COUNTER or known >= MAX_COUNTER or not sender:
        raise Refused(Drop.OUT_OF_RANGE)
    if 0x40 <= size_head < 0x58:
        start, size = 51, size_head - 0x40
    else:
        start, size = _long_bytes_head(data, size_head)
    end = start + size
    if size % ROW_SIZE or end > len(data):
        raise Refused(Drop.MALFORMED)
    rows = data[start:end]
    where: bytes | None = None
    if array == 0x85:
        if end != len(data):
            raise Refused(Drop.MALFORMED)
        options: dict[int, Any] = {}
    else:
        options = options_untrusted(data[end:])
        where = options.get(OPT_WHERE)
    # Bypasses the generated constructor, which costs half as much again as all of this.
    return _new(
        Frame,
        (kind, sender, target, probe, fingerprint, heartbeat, known, rows, options, 0, where),
    )


def _why_short(data: bytes) -> Drop:
    """Distinguish another version's or cluster's short datagram from plain junk."""
    if len(data) >= 7 and 0x85 <= data[0] <= 0x97 and data[2] == 0x44 and data[1] != PROTOCOL:
        return Drop.VERSION if data[1] < 24 else Drop.MALFORMED
    return Drop.MALFORMED


def _long_bytes_head(data: bytes, first: int) -> tuple[int, int]:
    if first == 0x58 and len(data) > 51 and data[51] >= 24:
        return 52, data[51]
    if first == 0x59 and len(data) > 52 and data[51]:
        return 53, int.from_bytes(data[51:53], "big")
    raise Refused(Drop.MALFORMED)


# -- options -------------------------------------------------------------------------------


def options_untrusted(data: bytes) -> dict[int, Any]:
    """Read the options map: known keys are checked for shape and range, unknown ones skipped.

    [P102]
    """
    options = loads_untrusted(data)
    if type(options) is not dict or not options:
        raise Refused(Drop.MALFORMED)
    result = {}
    for key, value in options.items():
        if type(key) is not int:
            raise Refused(Drop.MALFORMED)
        check = _CHECKS.get(key)
        if check is not None:
            if not check(value):
                raise Refused(Drop.BAD_OPTION)
            result[key] = value
    return result


def _is_digest(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) >= 3
        and type(value[0]) is int
        and 0 <= value[0] <= 8
        and type(value[1]) is bytes
        and all(bucket < 1 << value[0] for bucket in value[1])
        and type(value[2]) is bytes
        and len(value[2]) % DIGEST_ROW_SIZE == 0
    )


def _is_buckets(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) >= 3
        and type(value[0]) is int
        and 0 <= value[0] <= 8
        and type(value[1]) is int
        and type(value[2]) is bytes
        and len(value[2]) % 4 == 0
        and 0 <= value[1] <= value[1] + len(value[2]) // 4 <= 1 << value[0]
    )


def _is_want(value: Any) -> bool:
    return type(value) is list and all(
        type(item) is list
        and len(item) >= 2
        and is_u64(item[0])
        and type(item[1]) is bytes
        and len(item[1]) % _VECTOR.size == 0
        and all(type(bound) is int and 0 <= bound <= 1 << 16 for bound in item[2:4])
        and (len(item) < 5 or _are_digests(item[4], len(item[1]) // _VECTOR.size))
        for item in value
    )


def _are_digests(value: Any, pages: int) -> bool:
    return type(value) is bytes and len(value) == _DIGEST.size * pages


_CHECKS: Final[dict[int, Callable[[Any], bool]]] = {
    OPT_PAGES: is_pages,
    OPT_DIGEST: _is_digest,
    OPT_BUCKETS: _is_buckets,
    OPT_WANT: _is_want,
    OPT_MINIMUMS: is_minimums,
    OPT_PULL: is_pull,
    OPT_MORE: lambda value: value == [] or is_cursor(value),
    OPT_TARGET: is_u64,
    OPT_SLOW: lambda value: value is True,
    OPT_EXPIRE: is_pair_of_text,
    OPT_REACHED: lambda value: value is True,
    OPT_KEY: is_key,
    OPT_JOINING: lambda value: value is True,
    OPT_FULL: lambda value: value is True,
    OPT_PADDING: lambda value: type(value) is bytes,
    OPT_PART: lambda value: is_part(value, MAX_RECEIVE),
    OPT_AHEAD: lambda value: value is True,
    OPT_ASK: is_numbered,
    OPT_TOLD: is_numbered,
    OPT_SIGN: are_questions,
    OPT_LIFE: is_life,
    OPT_REVOKED: lambda value: type(value) is bytes,
    OPT_WHERE: is_coordinate,
    OPT_RELAY: is_relay,
    OPT_RELAYED: is_relay,
    OPT_EVENTS: are_events,
    OPT_HELD: is_held,
    OPT_MISSED: are_missed,
    OPT_BRIDGE: is_u64,
}
