"""Frames: what they cost in bytes, and what is read back is what was said."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.config import Config
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.user_events import EventText
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.event_text import encode_event
from gossipmm.core.wire.strict import Refused
from tests.helpers import Mesh
from tests.puppets import datagram

TAG = wire.cluster_tag("gossipmm")
U64 = st.integers(0, 2**64 - 1)
BEATS = st.integers(0, wire.MAX_COUNTER - 1)
ROWS = st.lists(
    st.tuples(U64, BEATS, st.integers(0, 255), st.integers(0, 255)), max_size=wire.MAX_ROWS - 4
)

#: What the parts of the wire cost. A change here changes every budget of bytes.
SIZES = {
    "a frame without rows": (datagram(), 51),
    "a frame with one row": (datagram(rows=wire.row(1, 1, wire.ALIVE)), 65),
    "a frame with two rows": (datagram(rows=2 * wire.row(1, 1, wire.ALIVE)), 80),
    "a row": (wire.row(2**64 - 1, wire.MAX_COUNTER - 1, wire.ACCUSER, 255), 14),
    "a line of a digest": (wire.digest_row(2**64 - 1, 1, wire.ALIVE, 255, b"123456"), 20),
    "one page in a vector": (wire.vector({65535: 2**32 - 1}), 6),
    "the option 'slow'": (cbor2.dumps({wire.OPT_SLOW: True}), 3),
    "a small user event": (
        cbor2.dumps([2**64 - 1, 9, 9, encode_event(EventText(1, "deploy", b"v1.2")), b""]),
        28,
    ),
    "what is held of a sender": (cbor2.dumps([2**64 - 1, 100, 110, 500, b""]), 18),
    "a target": (cbor2.dumps({wire.OPT_TARGET: 2**64 - 1}), 11),
}


@pytest.mark.parametrize("what", SIZES)
def test_sizes_are_what_the_budget_says(what: str) -> None:
    data, size = SIZES[what]
    assert len(data) == size


def test_an_idle_exchange_is_a_syn_of_45_and_an_ack_of_27_bytes() -> None:
    """What makes the bytes a second of an idle node, whatever the size of the cluster [P62]."""
    mesh = Mesh("a", "b", "c", "d")
    mesh.settle()
    mesh.run(10)
    mesh.sent.clear()
    mesh.run(10)
    sizes = {(p.frame.kind, len(p.data)) for p in mesh.sent}
    assert sizes == {(wire.SYN, 45), (wire.ACK, 27)}


@given(
    kind=st.sampled_from(sorted(wire.KIND_NAMES)),
    sender=st.integers(1, 2**64 - 1),
    words=st.tuples(U64, U64, U64),
    beats=st.tuples(BEATS, BEATS),
    rows=ROWS,
    slow=st.booleans(),
)
def test_what_is_read_is_what_was_written(
    kind: int,
    sender: int,
    words: tuple[int, int, int],
    beats: tuple[int, int],
    rows: list[tuple[int, int, int, int]],
    slow: bool,
) -> None:
    options = {wire.OPT_SLOW: True} if slow else {}
    encoded = b"".join(wire.row(*row) for row in rows)
    data = datagram(
        kind,
        sender=sender,
        target=words[0],
        probe=words[1],
        fingerprint=words[2],
        heartbeat=beats[0],
        known=beats[1],
        rows=encoded,
        options=options,
    )
    head = 51 + (len(encoded) >= 24) + (len(encoded) >= 256)
    assert len(data) == head + len(encoded) + 3 * slow
    frame = wire.decode_untrusted(data, TAG)
    assert tuple(frame) == (kind, sender, *words, *beats, encoded, options, 0, None)
    assert list(wire.rows_in(frame.rows)) == rows


def test_a_frame_is_one_ordinary_cbor_array() -> None:
    """Anybody's CBOR tool can read a datagram; the struct is only a quick way to the same [P98]."""
    data = datagram(wire.ACK, sender=9, rows=wire.row(7, 3, wire.SUSPECT), options={9: True})
    protocol, tag, kind, head, rows, options = cbor2.loads(data)
    assert (protocol, tag, kind, options) == (wire.PROTOCOL, TAG, wire.ACK, {9: True})
    assert head[:8] == (9).to_bytes(8, "big")
    assert rows == wire.row(7, 3, wire.SUSPECT)
    assert cbor2.dumps([protocol, tag, kind, head, rows, options], canonical=True) == data


def test_clusters_have_different_tags_and_lives_different_keys() -> None:
    """[P1]."""
    assert wire.cluster_tag("one") != wire.cluster_tag("two")
    keys = {
        wire.record_key(cluster, name, generation)
        for cluster in ("one", "two")
        for name in ("a", "b")
        for generation in (1, 2)
    }
    assert len(keys) == 8
    assert all(0 < key < 2**64 for key in keys)


@given(st.floats(0, 700_000))
def test_an_age_of_evidence_rounds_up_and_an_age_of_death_down(seconds: float) -> None:
    """Hearsay never looks younger than it is, retelling never makes older.

    [P106]
    """
    up, down = wire.AGES[wire.age_up(seconds)], wire.AGES[wire.age_down(seconds)]
    assert down <= seconds
    assert up >= min(seconds, wire.AGES[-1])
    if 0.01 <= seconds <= wire.AGES[-1]:
        assert up <= seconds * 1.074
        assert down >= seconds / 1.074
    assert wire.age_down(down) == wire.age_down(seconds)


def test_ages_reach_from_now_to_a_week_in_one_byte() -> None:
    """[P106]."""
    assert len(wire.AGES) == 256
    assert wire.AGES[0] == 0
    assert wire.AGES[255] == pytest.approx(7 * 86400)
    assert wire.age_up(-1.0) == wire.age_down(-1.0) == 0
    assert wire.age_up(1e12) == 255


@given(st.dictionaries(st.integers(0, 65535), st.integers(1, 2**32 - 1), max_size=40))
def test_a_page_vector_reads_back(versions: dict[int, int]) -> None:
    data = wire.vector(versions)
    assert len(data) == 6 * len(versions)
    assert wire.vector_in(data) == versions


# -- later versions ----------------------------------------------------------------------------


def test_options_of_a_later_version_are_skipped() -> None:
    """Issue 2, part 3: optional fields can be added later without breaking older nodes [P102]."""
    later = {wire.OPT_SLOW: True, 400: [1, {"a": 1.5}], 4711: None, 2**63: "x", -1: b"y"}
    frame = wire.decode_untrusted(datagram(options=later), TAG)
    assert frame.options == {wire.OPT_SLOW: True}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (wire.OPT_DIGEST, [0, b"\0", b"", "later"]),
        (wire.OPT_BUCKETS, [0, 0, b"abcd", None]),
        (wire.OPT_WANT, [[5, b"", 0, 9, b"", "later"]]),
        (wire.OPT_MINIMUMS, [["n", 7, {"later": 1}]]),
        (wire.OPT_PULL, [0, 0, "later"]),
        (wire.OPT_MORE, [0, 1, "later"]),
        (wire.OPT_EXPIRE, ["t", "h", "later"]),
        (wire.OPT_EVENTS, [[1, 1, 0, b"", b"", "later"]]),
        (wire.OPT_HELD, [True, [[1, 1, 1, 0, b"", "later"]], "later"]),
    ],
)
def test_arrays_in_options_may_grow_at_their_end(option: int, value: object) -> None:
    """[P102]."""
    assert wire.decode_untrusted(datagram(options={option: value}), TAG).options == {option: value}


def test_rows_with_a_claim_of_a_later_version_are_skipped() -> None:
    """Claims are appended only; to an older node an unknown one says nothing, of itself too.

    [P102]
    """
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    before = mesh["a"].table.fingerprint
    later = b"".join(wire.row(key, 2**20, 99, 0) for key in (y.key, 12345, mesh_key(mesh)))
    assert x.say("a", rows=later + wire.row(y.key, y.heartbeat + 3, wire.ALIVE)) == []
    member = mesh["a"].member("y")
    assert member is not None
    assert member.heartbeat == y.heartbeat + 3
    assert mesh["a"].table.fingerprint == before
    assert mesh["a"].stats.renewals == 0


def mesh_key(mesh: Mesh) -> int:
    return wire.record_key("gossipmm", "a", mesh["a"].generation)


def test_another_protocol_is_told_from_another_cluster_and_from_junk() -> None:
    """[P99]."""
    data = bytearray(datagram())
    data[1] = wire.PROTOCOL + 1
    for grown in (data, data + b"\x00" * 20, data[:30]):
        with pytest.raises(Refused) as refused:
            wire.decode_untrusted(bytes(grown), TAG)
        assert refused.value.reason is Drop.VERSION
    with pytest.raises(Refused) as refused:
        wire.decode_untrusted(datagram(cluster="other"), TAG)
    assert refused.value.reason is Drop.CLUSTER


def test_no_datagram_of_a_busy_cluster_exceeds_the_limit() -> None:
    """Promise 9, with the smallest limit that may be configured and entries of every size.

    [P103]
    """
    mesh = Mesh("a", "b", "c", "d", "e")
    limit = Config().max_datagram
    for index, name in enumerate("abcde"):
        for size in (1, 40, 200, 700):
            metadata = {"m": "x" * size}
            for topic in range(6):
                mesh[name].register(f"t{topic}-{index}", "h" * (size % 90), metadata, now=mesh.now)
    mesh.lose(0.3)
    mesh.run(5)
    mesh.heal()
    mesh.crash("e")
    mesh.run(3)
    mesh.settle()
    assert max(len(p.data) for p in mesh.sent) <= limit
    assert max(len(p.data) for p in mesh.sent) > limit - 200
