"""CBOR's own examples: what is well formed (RFC 8949, appendix A) and what is not (appendix F)."""

from __future__ import annotations

import math
from typing import Any

import cbor2
import pytest

from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import page_untrusted
from gossipmm.core.wire.strict import Refused, loads_untrusted
from tests.puppets import datagram

#: Appendix A, table 6: what has one encoding that this protocol reads.
READ: dict[str, Any] = {
    "00": 0,
    "01": 1,
    "0a": 10,
    "17": 23,
    "1818": 24,
    "1819": 25,
    "1864": 100,
    "1903e8": 1000,
    "1a000f4240": 1000000,
    "1b000000e8d4a51000": 1000000000000,
    "1bffffffffffffffff": 18446744073709551615,
    "3bffffffffffffffff": -18446744073709551616,
    "20": -1,
    "29": -10,
    "3863": -100,
    "3903e7": -1000,
    "f90000": 0.0,
    "f98000": -0.0,
    "f93c00": 1.0,
    "fb3ff199999999999a": 1.1,
    "f93e00": 1.5,
    "f97bff": 65504.0,
    "fa47c35000": 100000.0,
    "fa7f7fffff": 3.4028234663852886e38,
    "fb7e37e43c8800759c": 1.0e300,
    "f90001": 5.960464477539063e-8,
    "f90400": 0.00006103515625,
    "f9c400": -4.0,
    "fbc010666666666666": -4.1,
    "f97c00": math.inf,
    "f9fc00": -math.inf,
    "fa7f800000": math.inf,
    "faff800000": -math.inf,
    "fb7ff0000000000000": math.inf,
    "fbfff0000000000000": -math.inf,
    "f4": False,
    "f5": True,
    "f6": None,
    "f7": cbor2.undefined,
    "f0": cbor2.CBORSimpleValue(16),
    "f8ff": cbor2.CBORSimpleValue(255),
    "40": b"",
    "4401020304": b"\x01\x02\x03\x04",
    "60": "",
    "6161": "a",
    "6449455446": "IETF",
    "62225c": '"\\',
    "62c3bc": "\u00fc",
    "63e6b0b4": "\u6c34",
    "64f0908591": "\U00010151",
    "80": [],
    "83010203": [1, 2, 3],
    "8301820203820405": [1, [2, 3], [4, 5]],
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819": list(range(1, 26)),
    "a0": {},
    "a201020304": {1: 2, 3: 4},
    "a26161016162820203": {"a": 1, "b": [2, 3]},
    "826161a161626163": ["a", {"b": "c"}],
    "a56161614161626142616361436164614461656145": {c: c.upper() for c in "abcde"},
}
NOT_NUMBERS = ("f97e00", "fa7fc00000", "fb7ff8000000000000")
#: Appendix A: well formed, but with a tag, or of indefinite length.
_REFUSED = """
    c249010000000000000000 c349010000000000000000
    c074323031332d30332d32315432303a30343a30305a c11a514b67b0 c1fb41d452d9e8800000 d74401020304
    d818456449455446 d82076687474703a2f2f7777772e6578616d706c652e636f6d
    5f42010243030405ff 7f657374726561646d696e67ff 9fff 9f018202039f0405ffff 9f01820203820405ff
    83018202039f0405ff 83019f0203ff820405
    9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff
    bf61610161629f0203ffff 826161bf61626163ff bf6346756ef563416d7421ff
"""
#: Appendix F: not well formed.
_MALFORMED = """
    18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 98 9a01ff00 b8 d8 f8 f900 fa0000 fb000000
    41 61 5affffffff00 5bffffffffffffffff010203 7affffffff00 7b7fffffffffffffff010203
    81 818181818181818181 8200 a1 a20102 a100 a2000000 c0 5f4100 7f6100
    9f 9f0102 bf bf01020102 819f 9f8000 9f9f9f9f9fffffffff 9f819f819f9fffffff
    1c 1d 1e 3c 3d 3e 5c 5d 5e 7c 7d 7e 9c 9d 9e bc bd be dc dd de fc fd fe
    f800 f801 f818 f81f
    5f00ff 5f21ff 5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff 5f5f4100ffff 7f7f6100ffff
    ff 81ff 8200ff a1ff a1ff00 a100ff a20000ff 9f81ff 9f829f819f9fffffffff bf00ff bf000000ff
    1f 3f df
"""
REFUSED, MALFORMED = _REFUSED.split(), _MALFORMED.split()
TAG = wire.cluster_tag("gossipmm")


def refused(data: bytes) -> Drop:
    with pytest.raises(Refused) as caught:
        loads_untrusted(data)
    return caught.value.reason


def test_there_are_as_many_examples_as_in_the_rfc() -> None:
    assert len(READ) + len(NOT_NUMBERS) + len(REFUSED) == 81
    assert len(MALFORMED) == 94


@pytest.mark.parametrize("text", READ)
def test_reads_what_is_well_formed(text: str) -> None:
    value = loads_untrusted(bytes.fromhex(text))
    assert value == READ[text]
    assert type(value) is type(READ[text])
    assert refused(bytes.fromhex(text) + b"\0") is Drop.MALFORMED


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_reads_what_is_not_a_number(text: str) -> None:
    assert math.isnan(loads_untrusted(bytes.fromhex(text)))


@pytest.mark.parametrize("text", REFUSED + MALFORMED)
def test_refuses_tags_indefinite_lengths_and_what_is_not_well_formed(text: str) -> None:
    data = bytes.fromhex(text)
    assert refused(data) is Drop.MALFORMED
    assert refused(b"\x81" + data) is Drop.MALFORMED


@pytest.mark.parametrize("text", [*READ, *NOT_NUMBERS, *REFUSED, *MALFORMED])
def test_no_example_gets_into_a_frame_or_a_page_as_something_else(text: str) -> None:
    data = bytes.fromhex(text)
    head = b"\x86" + datagram()[1:]
    with pytest.raises(Refused):
        wire.decode_untrusted(head + data, TAG)
    with pytest.raises(Refused):
        page_untrusted(data)
    unknown = wire.Frame
    try:
        unknown = type(wire.decode_untrusted(head + b"\xa1\x18\x63" + data, TAG))
    except Refused:
        assert text not in READ
    else:
        assert unknown is wire.Frame
        assert text in READ or text in NOT_NUMBERS
