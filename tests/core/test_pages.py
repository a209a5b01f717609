"""Pages: what is read is what the owner wrote; later fields travel on; the rest is refused."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import MAX_GENERATION, EntryState, NodeState, Registration
from gossipmm.core.wire.frame import MAX_COUNTER
from gossipmm.core.wire.pages import (
    MAX_ADDRESSES,
    MAX_ENTRY,
    MAX_PAGE,
    MAX_PAGE_NUMBER,
    MAX_PAGE_ZERO,
    Page,
    encode_entry,
    encode_page,
    encode_page_zero,
    is_ip_literal,
    page_overhead,
    page_untrusted,
)
from gossipmm.core.wire.strict import Refused
from gossipmm.errors import LimitError
from gossipmm.names import MAX_METADATA_ITEMS, MAX_NAME, why_not_host, why_not_topic

GENERATION = 1_700_000_000_000 << 16
HERE = (("127.0.0.1", 7946),)

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
TOPICS = TEXT.filter(lambda topic: not why_not_topic(topic))
HOSTS = TEXT.filter(lambda host: not why_not_host(host))
METADATA = st.dictionaries(
    st.text(max_size=8),
    st.one_of(TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1)),
    max_size=4,
)
ENTRIES = st.builds(
    Registration,
    TOPICS,
    HOSTS,
    st.sampled_from([state for state in EntryState if state >= 0]),
    METADATA,
)


def page_of(entries: list[Registration], number: int = 1, version: int = 1) -> Page:
    pairs = [(entry, encode_entry(entry)) for entry in entries]
    return encode_page("a", GENERATION, number, version, pairs)


@given(
    entries=st.lists(ENTRIES, max_size=6),
    number=st.integers(1, MAX_PAGE_NUMBER - 1),
    version=st.integers(1, MAX_COUNTER - 1),
)
def test_a_page_of_entries_reads_as_it_was_written(
    entries: list[Registration], number: int, version: int
) -> None:
    page = page_of(entries, number, version)
    assert page_untrusted(page.raw) == page


@given(
    state=st.sampled_from(NodeState),
    hosts=st.lists(
        st.ip_addresses().map(str).filter(lambda host: "%" not in host), min_size=1, max_size=8
    ),
    port=st.integers(1, 65535),
    metadata=METADATA,
)
def test_page_zero_reads_as_it_was_written(
    state: NodeState, hosts: list[str], port: int, metadata: dict[str, Any]
) -> None:
    """[P2]."""
    addresses = tuple((host, port) for host in hosts)
    try:
        page = encode_page_zero("a", GENERATION, 1, state, addresses, metadata)
    except LimitError:
        return
    assert page_untrusted(page.raw) == page


def test_sizes_of_usual_pages() -> None:
    """What a record costs when it travels: every byte counts in the goals of RESULTS.md."""
    zero = encode_page_zero("host-17", GENERATION, 1, NodeState.UP, (("10.20.30.40", 7946),), {})
    assert len(zero.raw) == 39
    one = page_of([Registration("gpu", "10.20.30.40")])
    assert len(one.raw) == 32
    assert len(encode_entry(Registration("gpu", "host-17"))) == 13
    assert len(encode_entry(Registration("gpu", "host-17", EntryState.DRAINING))) == 14
    assert len(encode_entry(Registration("gpu", "host-17", metadata={"zone": "b"}))) == 22


@given(st.integers(1, MAX_NAME), st.integers(0, MAX_PAGE_NUMBER), st.integers(0, 70))
def test_the_overhead_of_a_page_is_never_more_than_is_set_aside(
    size: int, number: int, count: int
) -> None:
    """Otherwise a page filled to its limit would be refused by everybody else."""
    entry = Registration("t", "h")
    pairs = [(entry, encode_entry(entry))] * count
    page = encode_page("n" * size, MAX_GENERATION - 1, number, MAX_COUNTER - 1, pairs)
    assert len(page.raw) <= page_overhead("n" * size) + 5 * count


# -- later versions ----------------------------------------------------------------------------


def test_fields_of_a_later_version_are_skipped_and_travel_on() -> None:
    """Relays pass on the owner's own bytes, so that a newer node behind an older one sees all.

    [P5]
    """
    entry = ["t", "h", 1, {"a": 1}, "later", {"x": [1.5]}]
    raw = cbor2.dumps(["a", GENERATION, 3, 9, [entry, ["u", "h"]], {"later": True}, 7])
    page = page_untrusted(raw)
    assert page.raw == raw
    assert page.entries == (
        Registration("t", "h", EntryState.DRAINING, {"a": 1}),
        Registration("u", "h"),
    )
    address = ["127.0.0.1", 7946, "later"]
    zero = cbor2.dumps(["a", GENERATION, 0, 9, 1, [address], {"m": 1}, "later"])
    assert page_untrusted(zero).addresses == HERE
    assert page_untrusted(zero).state is NodeState.DRAINING


# -- what is refused ---------------------------------------------------------------------------


def entries_page(*fields: object, entries: object = ()) -> list[object]:
    head = list(fields) or ["a", GENERATION, 1, 1]
    return [*head, list(entries) if isinstance(entries, tuple) else entries]


def zero_page(
    state: object = 0, addresses: object = None, metadata: object = None, **_: object
) -> list[object]:
    here = [["127.0.0.1", 7946]] if addresses is None else addresses
    return ["a", GENERATION, 0, 1, state, here, {} if metadata is None else metadata]


REFUSED: dict[str, tuple[object, Drop]] = {
    "not a list": ({}, Drop.BAD_PAGE),
    "too short": (["a", GENERATION, 1, 1], Drop.BAD_PAGE),
    "name not text": (entries_page(b"a", GENERATION, 1, 1), Drop.BAD_PAGE),
    "name empty": (entries_page("", GENERATION, 1, 1), Drop.BAD_PAGE),
    "name of 65 bytes": (entries_page("é" * 32 + "x", GENERATION, 1, 1), Drop.BAD_PAGE),
    "name with a control character": (entries_page("a\n", GENERATION, 1, 1), Drop.BAD_PAGE),
    "generation zero": (entries_page("a", 0, 1, 1), Drop.OUT_OF_RANGE),
    "generation at its end": (entries_page("a", MAX_GENERATION, 1, 1), Drop.OUT_OF_RANGE),
    "generation negative": (entries_page("a", -1, 1, 1), Drop.OUT_OF_RANGE),
    "generation a float": (entries_page("a", 1.0, 1, 1), Drop.BAD_PAGE),
    "generation a boolean": (entries_page("a", True, 1, 1), Drop.BAD_PAGE),
    "number above 65535": (entries_page("a", GENERATION, 65536, 1), Drop.OUT_OF_RANGE),
    "version zero": (entries_page("a", GENERATION, 1, 0), Drop.OUT_OF_RANGE),
    "version at its maximum": (entries_page("a", GENERATION, 1, MAX_COUNTER), Drop.OUT_OF_RANGE),
    "entries not a list": (entries_page(entries={}), Drop.BAD_PAGE),
    "entry not a list": (entries_page(entries=("t",)), Drop.BAD_PAGE),
    "entry without a host": (entries_page(entries=(["t"],)), Drop.BAD_PAGE),
    "entry with an empty host": (entries_page(entries=(["t", ""],)), Drop.BAD_PAGE),
    "topic with a dot": (entries_page(entries=(["t.x", "h"],)), Drop.BAD_PAGE),
    "topic with a tilde": (entries_page(entries=(["t~x", "h"],)), Drop.BAD_PAGE),
    "topic fanout": (entries_page(entries=(["fanout", "h"],)), Drop.BAD_PAGE),
    "entry state negative": (entries_page(entries=(["t", "h", -1],)), Drop.OUT_OF_RANGE),
    "entry state a boolean": (entries_page(entries=(["t", "h", True],)), Drop.OUT_OF_RANGE),
    "metadata not a map": (entries_page(entries=(["t", "h", 0, []],)), Drop.BAD_PAGE),
    "metadata with a float": (entries_page(entries=(["t", "h", 0, {"a": 0.5}],)), Drop.BAD_PAGE),
    "metadata with a NaN key": (
        entries_page(entries=(["t", "h", 0, {float("nan"): 1}],)),
        Drop.BAD_PAGE,
    ),
    "metadata with a list": (entries_page(entries=(["t", "h", 0, {"a": []}],)), Drop.BAD_PAGE),
    "node state unknown": (zero_page(4), Drop.OUT_OF_RANGE),
    "node state text": (zero_page("up"), Drop.BAD_PAGE),
    "no address": (zero_page(addresses=[]), Drop.BAD_PAGE),
    "too many addresses": (
        zero_page(addresses=[["127.0.0.1", 1]] * (MAX_ADDRESSES + 1)),
        Drop.BAD_PAGE,
    ),
    "port zero": (zero_page(addresses=[["127.0.0.1", 0]]), Drop.OUT_OF_RANGE),
    "port above 65535": (zero_page(addresses=[["127.0.0.1", 65536]]), Drop.OUT_OF_RANGE),
    "address not a pair": (zero_page(addresses=["127.0.0.1"]), Drop.BAD_PAGE),
    "address a name": (zero_page(addresses=[["example.com", 7946]]), Drop.OUT_OF_RANGE),
    "address with a scope": (zero_page(addresses=[["fe80::1%lo", 7946]]), Drop.OUT_OF_RANGE),
    "page 0 above its limit": (
        zero_page(metadata={"x": "y" * (MAX_PAGE_ZERO - 30)}),
        Drop.BAD_PAGE,
    ),
    "metadata of too many items": (
        zero_page(metadata={chr(200 + n): 1 for n in range(MAX_METADATA_ITEMS + 1)}),
        Drop.BAD_PAGE,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_bad_page_is_refused_with_its_reason(what: str) -> None:
    fields, reason = REFUSED[what]
    with pytest.raises(Refused) as refused:
        page_untrusted(cbor2.dumps(fields))
    assert refused.value.reason is reason


def test_the_pages_that_the_refused_ones_differ_from_are_good() -> None:
    assert page_untrusted(cbor2.dumps(zero_page())).addresses == HERE
    assert page_untrusted(cbor2.dumps(entries_page(entries=(["t", "h"],)))).entries


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "2001:db8::17", "255.255.255.255"])
def test_ip_literals(host: str) -> None:
    assert is_ip_literal(host)


@pytest.mark.parametrize("host", ["", "localhost", "1.2.3", "127.0.0.1:80", "[::1]", "::1%1", "1"])
def test_what_is_no_ip_literal(host: str) -> None:
    """A name in a record would make every receiver resolve it, blocking, when it sends there."""
    assert not is_ip_literal(host)


def test_the_limits_leave_a_page_room_in_the_smallest_datagram() -> None:
    """1,200 bytes less frame, envelope (44), two rows and the heads of the option [P104]."""
    assert MAX_PAGE <= 1200 - 51 - 44 - 2 * 14 - 8
    assert MAX_ENTRY + page_overhead("n" * MAX_NAME) <= MAX_PAGE
