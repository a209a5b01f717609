"""Decoding is strict [P100]: what is refused, by which reason, and never an exception.

The examples of malformed CBOR are those of RFC 8949, appendix F.
"""

from __future__ import annotations

import math
from contextlib import suppress

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_PAGE, page_untrusted
from gossipmm.core.wire.strict import MAX_DEPTH, Refused, loads_untrusted
from tests.puppets import datagram

TAG = wire.cluster_tag("gossipmm")

NOT_WELL_FORMED = """
    18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 98 9a01ff00 b8 d8 f8 f900 fa0000 fb000000
    41 61 5affffffff00 5bffffffffffffffff010203 7affffffff00 7b7fffffffffffffff010203
    81 818181818181818181 8200 a1 a20102 a100 a2000000 c0
    5f4100 7f6100 9f 9f0102 bf bf01020102 819f 9f8000 9f9f9f9f9fffffffff 9f819f819f9fffffff
    1c 1d 1e 3c 3d 3e 5c 5d 5e 7c 7d 7e 9c 9d 9e bc bd be dc dd de fc fd fe
    f800 f801 f818 f81f
    5f00ff 5f21ff 5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff 5f5f4100ffff 7f7f6100ffff
    ff 81ff 8200ff a1ff a1ff00 a100ff a20000ff 9f81ff 9f829f819f9fffffffff bf00ff bf000000ff
    1f 3f df
""".split()  # noqa: SIM905 - as a list, eighty lines
#: Well formed, and not of this protocol: indefinite lengths, tags, bytes that are not UTF-8.
NOT_OURS = {
    "indefinite bytes": "5f42010243030405ff",
    "indefinite text": "7f657374726561646d696e67ff",
    "indefinite array": "9f018202039f0405ffff",
    "indefinite map": "bf61610161629f0203ffff",
    "a date": "c074323031332d30332d32315432303a30343a30305a",
    "a bignum": "c249010000000000000000",
    "a negative bignum": "c349010000000000000000",
    "a decimal of ten million digits": "c4821a0098968001",
    "a regular expression": "d8236161",
    "a shared reference": "d81c81d81d00",
    "a set": "d9010280",
    "self-described CBOR": "d9d9f7f6",
    "embedded CBOR": "d818456449455446",
    "text that is not UTF-8": "62c328",
    "a lone surrogate": "63eda080",
    "one key twice": "a201000100",
    "one key twice, as 1 and true": "a20100f500",
    "a length of 2**63": "5b8000000000000000",
    "an array of 2**62 items": "9b4000000000000000",
    "a map of 2**32 pairs": "ba ffffffff".replace(" ", ""),
}
ALL_BAD = {f"appendix F {text}": text for text in NOT_WELL_FORMED} | NOT_OURS


def reason_of(data: bytes) -> Drop:
    with pytest.raises(Refused) as refused:
        wire.decode_untrusted(data, TAG)
    return refused.value.reason


def with_options(raw: bytes) -> bytes:
    """A frame that is well formed up to its options, which are these bytes."""
    return b"\x86" + datagram()[1:] + raw


@pytest.mark.parametrize("what", ALL_BAD)
def test_bad_cbor_is_refused_in_every_place_where_cbor_is_read(what: str) -> None:
    """[P100]."""
    bad = bytes.fromhex(ALL_BAD[what])
    assert reason_of(with_options(bad)) is Drop.MALFORMED
    assert reason_of(with_options(b"\xa1\x18\x63" + bad)) is Drop.MALFORMED  # an unknown option
    prefix = cbor2.dumps(["a", 1 << 50, 1, 1])[1:]
    for page in (bad, b"\x85" + prefix + bad, b"\x85" + prefix + b"\x81\x82\x61t" + bad):
        with pytest.raises(Refused) as refused:
            page_untrusted(page)
        assert refused.value.reason is Drop.BAD_PAGE


CONTENTS: tuple[object, ...] = (0, -1, "x", b"x", [1, 2], [10**7, 1], {"a": 1}, None, 1.5, [])


@pytest.mark.parametrize("base", [*range(0, 320, 64), 1000, 43000, 55799, 2**32, 2**64 - 64])
def test_every_tag_is_refused_whatever_is_in_it(base: int) -> None:
    """cbor2 has no switch for that; a tag that is decoded may cost hours (``[10**7, 1]``)."""
    for tag in range(base, base + 64):
        for content in CONTENTS:
            head = cbor2.dumps(cbor2.CBORTag(tag, None))[:-1]
            raw = b"\xa1\x18\x63" + head + cbor2.dumps(content)
            assert reason_of(with_options(raw)) is Drop.MALFORMED


@given(st.binary(min_size=1, max_size=40))
def test_trailing_bytes_are_refused(extra: bytes) -> None:
    """cbor2.loads ignores them [P100]."""
    assert reason_of(datagram() + extra) is Drop.MALFORMED
    assert reason_of(datagram(options={wire.OPT_SLOW: True}) + extra) is Drop.MALFORMED
    page = cbor2.dumps(["a", 1 << 50, 1, 1, []])
    with pytest.raises(Refused):
        page_untrusted(page + extra)


def test_trailing_bytes_are_refused_even_when_they_imitate_what_marks_the_end() -> None:
    for size in (1, 10, 900, 1300):
        for extra in (bytes(size), b"\x59\x08\x00" + bytes(size), b"\x40" + bytes(size)):
            with pytest.raises(Refused):
                loads_untrusted(b"\x01" + extra)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100, 600])
def test_deep_nesting_is_refused(depth: int) -> None:
    """[P100]."""
    assert reason_of(with_options(b"\xa1\x18\x63" + b"\x81" * depth + b"\x00")) is Drop.MALFORMED
    assert reason_of(with_options(b"\xa1\x00" * depth + b"\x00")) is Drop.MALFORMED


@pytest.mark.parametrize(
    "options",
    [{math.nan: 1}, {1.0: []}, {"1": []}, {b"1": []}, {None: 1}, {True: 1}, {(1, 2): 1}, {}],
    ids=repr,
)
def test_option_keys_are_integers_and_there_is_at_least_one(options: object) -> None:
    assert reason_of(with_options(cbor2.dumps(options))) is Drop.MALFORMED


@pytest.mark.parametrize("value", [0, "x", b"", [], [1], True, None], ids=repr)
def test_options_that_are_not_a_map_are_refused(value: object) -> None:
    assert reason_of(with_options(cbor2.dumps(value))) is Drop.MALFORMED


BAD_OPTIONS: dict[int, list[object]] = {
    wire.OPT_PAGES: [b"x", {}, [1], ["x"], None],
    wire.OPT_DIGEST: [[], [9, b"", b""], [0, b"\1", b""], [0, b"", b"x" * 19], [-1, b"", b""], 1],
    wire.OPT_BUCKETS: [[0, 0], [9, 0, b""], [0, 0, b"x"], [0, 1, b"abcd"], [0, -1, b""], [1, 0, 3]],
    wire.OPT_WANT: [[5], [[5]], [[-1, b""]], [[2**64 - 1, b"x"]], [[1, b"", -1, 5]], [[1, "x"]]],
    wire.OPT_MINIMUMS: [[["n"]], [[b"n", 1]], [["n", -1]], [["n", 1.0]], "n", [["n", True]]],
    wire.OPT_PULL: [[0], [-1, 0], [65536, 0], [0, -1], [0, None], [], 0],
    wire.OPT_MORE: [[0], [65536, 0], 0, None, {}],
    wire.OPT_TARGET: [-1, "x", None, True, 1.0],
    wire.OPT_SLOW: [False, 1, None, []],
    wire.OPT_EXPIRE: [["t"], ["t", 1], [b"t", b"h"], "th"],
    wire.OPT_REACHED: [False, 1, None],
    wire.OPT_BRIDGE: [-1, "x", None, True, 1.0],
    wire.OPT_EVENTS: [
        [[1, 0, 0, b"", b""]],
        [[1, 1, -1, b"", b""]],
        [[1, 2**32, 0, b"", b""]],
        [[1, 1, 0, b""]],
        [[1, 1, 0, "", b""]],
        1,
    ],
    wire.OPT_HELD: [
        [1, []],
        [True, [[1, 1, 0, 0, b""]]],
        [True, [[1, 1, 1, 0, bytes(65)]]],
        [True],
    ],
    wire.OPT_MISSED: [[[1]], [[1, 1]], [[1, 0, 1]], [["k", 1, 1]], {}],
}


@pytest.mark.parametrize("option", BAD_OPTIONS)
def test_known_options_have_a_type_and_a_range(option: int) -> None:
    for value in BAD_OPTIONS[option]:
        assert reason_of(datagram(options={option: value})) is Drop.BAD_OPTION, value


def test_counters_at_their_maximum_are_refused() -> None:
    """An owner must always be able to raise its own [P19]."""
    top = wire.MAX_COUNTER
    assert wire.decode_untrusted(datagram(heartbeat=top - 1, known=top - 1), TAG).known == top - 1
    for fields in ({"heartbeat": top}, {"known": top}, {"heartbeat": 2**32 - 1}):
        assert reason_of(datagram(**fields)) is Drop.OUT_OF_RANGE  # type: ignore[arg-type]
    assert reason_of(datagram(sender=0)) is Drop.OUT_OF_RANGE


def test_only_the_shortest_heads_are_read() -> None:
    """One meaning has one form: what is longer than need be is somebody else's [P100]."""
    plain, row = datagram(), wire.row(1, 1, 0)
    one = datagram(rows=row)
    longer = {
        "array": b"\x98\x05" + plain[1:],
        "version": plain[:1] + b"\x18\x01" + plain[2:],
        "tag": plain[:2] + b"\x58\x04" + plain[3:],
        "kind": plain[:7] + b"\x18" + plain[7:],
        "head": plain[:8] + b"\x59\x00\x28" + plain[10:],
        "no rows": plain[:50] + b"\x58\x00",
        "a row by one byte": one[:50] + b"\x58\x0e" + row,
        "a row by two bytes": one[:50] + b"\x59\x00\x0e" + row,
        "a row by four bytes": one[:50] + b"\x5a\x00\x00\x00\x0e" + row,
        "rows of indefinite length": one[:50] + b"\x5f\x4e" + row + b"\xff",
    }
    for what, data in longer.items():
        assert reason_of(data) is Drop.MALFORMED, what


def test_rows_that_are_not_whole_or_longer_than_the_datagram_are_refused() -> None:
    plain = datagram()[:50]
    for size in (1, 13, 15, 27):
        assert reason_of(plain + wire.bytes_head(size) + bytes(size)) is Drop.MALFORMED
    for claimed in (b"\x4e", b"\x58\x2a", b"\x59\x05\x00", b"\x59\xff\xff"):
        assert reason_of(plain + claimed + bytes(10)) is Drop.MALFORMED


def test_what_is_larger_than_any_datagram_of_ours_is_refused_unread() -> None:
    """[P103]."""
    assert reason_of(bytes(wire.MAX_RECEIVE + 1)) is Drop.TOO_LARGE
    assert reason_of(datagram() + bytes(wire.MAX_RECEIVE)) is Drop.TOO_LARGE
    with pytest.raises(Refused):
        page_untrusted(bytes(MAX_PAGE + 1))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_raise_nothing_else(data: bytes) -> None:
    """[P101]."""
    for attempt in (data, datagram()[:50] + data, with_options(data)):
        with suppress(Refused):
            wire.decode_untrusted(attempt, TAG)
    with suppress(Refused):
        page_untrusted(data)
