"""The sealing envelope: what opens, what does not and why, and who has to prove what."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipmm.core.sealing.cose import MAX_OVERHEAD
from gossipmm.core.sealing.envelope import COUNTER_END, PlainEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire.strict import FromMyself, Refused
from tests.core.sealed_pair import (
    FRAME,
    NEW,
    OLD,
    RING,
    A,
    B,
    V,
    envelope,
    introduce,
    pair,
    refusal,
)

frames = st.binary(max_size=1100).map(lambda body: b"\x85" + body)


# -- what opens --------------------------------------------------------------------------------


@settings(max_examples=50)
@given(frames)
def test_what_is_sealed_opens_unchanged_and_fits(frame: bytes) -> None:
    a, b = pair()
    data = a.seal(frame, B, 0.0)
    assert len(data) <= len(frame) + a.overhead
    assert b.open_untrusted(data, A, 0.0) == frame
    assert frame[1:] not in data or len(frame) < 8


def test_no_flipped_bit_of_a_datagram_opens() -> None:
    a, b = pair()
    data = a.seal(FRAME, B, 0.0)
    reasons = set()
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            reasons.add(refusal(b, bytes(changed)))
    assert reasons <= {Drop.MALFORMED, Drop.UNKNOWN_KEY, Drop.NOT_AUTHENTIC, Drop.REPLAYED}
    assert not b.waiting, "nothing of it is answered"
    assert b.open_untrusted(data, A, 0.0) == FRAME, "and nothing of it was remembered"


@settings(max_examples=200)
@given(frame=frames, data=st.data())
def test_no_mutated_datagram_opens(frame: bytes, data: st.DataObject) -> None:
    a, b = pair()
    sealed = a.seal(frame, B, 0.0)
    begin = data.draw(st.integers(0, len(sealed)))
    end = data.draw(st.integers(begin, len(sealed)))
    changed = sealed[:begin] + data.draw(st.binary(max_size=20)) + sealed[end:]
    if changed != sealed:
        refusal(b, changed)
        assert not b.waiting
    assert b.open_untrusted(sealed, A, 0.0) == frame


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    refusal(pair()[1], data)
    refusal(pair()[1], b"\x83\x46\xa2\x01\x03\x04\x41\x01\xa1\x05\x4c" + data)


@pytest.mark.parametrize("size", [0, 1, 6, 7, 26, 27, 38, 39, 1500, 1501, 65_000])
def test_no_length_is_too_short_or_too_long(size: int) -> None:
    reason = refusal(envelope(), bytes(size))
    assert reason is (Drop.TOO_LARGE if size > 1500 else Drop.MALFORMED)


def test_every_cut_datagram_is_refused() -> None:
    a, b = pair()
    data = a.seal(FRAME, B, 0.0)
    for size in range(len(data)):
        refusal(b, data[:size])
    refusal(b, data + b"\x00")


# -- whose it is -------------------------------------------------------------------------------


def test_another_key_id_is_an_unknown_key_and_noted() -> None:
    other = envelope(7, Keyring((NEW,)))
    b = envelope(2)
    assert refusal(b, other.seal(FRAME, B, 0.0), V, 5.0) is Drop.UNKNOWN_KEY
    assert refusal(b, other.seal(FRAME, B, 0.0), V, 6.0) is Drop.UNKNOWN_KEY
    (stranger,) = b.strangers.values()
    assert (stranger.kid, stranger.source, stranger.times, stranger.at) == (NEW.kid, V, 2, 6.0)
    assert not b.waiting


def test_strangers_are_bounded() -> None:
    b = envelope(2)
    for number in range(1000):
        ring = Keyring((Key(number.to_bytes(2, "big"), OLD.secret),))
        assert refusal(b, envelope(3, ring).seal(FRAME, B, 0.0)) is Drop.UNKNOWN_KEY
    assert len(b.strangers) == 64


def test_another_secret_under_the_same_key_id_is_not_authentic() -> None:
    other = envelope(7, Keyring((Key(OLD.kid, NEW.secret),)))
    assert refusal(envelope(2), other.seal(FRAME, B, 0.0)) is Drop.NOT_AUTHENTIC


def test_another_cluster_with_the_same_key_is_not_authentic() -> None:
    """[P108]."""
    assert refusal(envelope(2), envelope(7, cluster="tess").seal(FRAME, B, 0.0)) is (
        Drop.NOT_AUTHENTIC
    )


def test_cluster_name_and_kid_cannot_be_traded_for_each_other() -> None:
    """Both stand side by side in the info of HKDF; as authenticated data they are apart."""
    one = envelope(1, Keyring((Key(b"bc", OLD.secret),)), cluster="a")
    two = envelope(2, Keyring((Key(b"c", OLD.secret),)), cluster="ab")
    data = one.seal(FRAME, B, 0.0)
    moved = two.seal(FRAME, B, 0.0)[:11] + data[12:]
    assert refusal(two, moved) is Drop.NOT_AUTHENTIC


def test_another_protocol_version_is_not_authentic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gossipmm.core.sealing.cose.PROTOCOL", 2)
    newer = envelope(7)
    monkeypatch.undo()
    assert refusal(envelope(2), newer.seal(FRAME, B, 0.0)) is Drop.NOT_AUTHENTIC


def test_plain_and_sealed_say_so_to_each_other() -> None:
    plain = PlainEnvelope()
    frame = b"\x85\x01\x44" + bytes(80)
    assert plain.open_untrusted(plain.seal(frame, B, 0.0), A, 0.0) == frame
    assert refusal(envelope(), frame) is Drop.NOT_ENCRYPTED
    with pytest.raises(Refused) as caught:
        plain.open_untrusted(envelope().seal(FRAME, B, 0.0), A, 0.0)
    assert caught.value.reason is Drop.ENCRYPTED


def test_its_own_datagrams_are_known_as_such() -> None:
    a = envelope()
    data = a.seal(FRAME, A, 0.0)
    assert refusal(a, data) is Drop.FROM_MYSELF
    with pytest.raises(FromMyself) as caught:
        a.open_untrusted(data, B, 0.0)
    assert caught.value.frame == FRAME
    with pytest.raises(FromMyself) as caught:
        a.open_untrusted(data[:-1] + bytes([data[-1] ^ 1]), B, 0.0)
    assert caught.value.frame == b"", "forged: it says nothing"


# -- boot ids ----------------------------------------------------------------------------------


def test_a_new_boot_id_comes_before_the_counter_ends() -> None:
    """[P109]."""
    a, b = pair()
    before = a.boot
    a._counter = COUNTER_END - 2
    ivs = set()
    for _ in range(5):
        data = a.seal(FRAME, B, 0.0)
        ivs.add(data[11:23])
        if data[11:19] == before:
            assert b.open_untrusted(data, A, 0.0) == FRAME
    introduce(a, b)
    assert len(ivs) == 5
    assert a.boot != before
    assert all(iv[8:] != b"\xff\xff\xff\xff" for iv in ivs)


def test_a_new_boot_id_on_demand_seals_with_another_key() -> None:
    a, b = pair()
    seen = a.boot, a.seal(FRAME, B, 0.0)
    a.new_boot()
    assert a.boot != seen[0]
    introduce(a, b)
    assert b.open_untrusted(seen[1], A, 0.0) == FRAME, "what was on its way still counts"


def test_two_envelopes_of_one_seed_are_equal_and_of_two_differ() -> None:
    assert envelope(1).seal(FRAME, B, 0.0) == envelope(1).seal(FRAME, B, 0.0)
    assert envelope(1).boot != envelope(2).boot


# -- rotation ----------------------------------------------------------------------------------


def test_a_rotation_is_add_then_use_then_remove_without_a_lost_datagram() -> None:
    a, b = pair()

    def talk() -> None:
        for _ in range(3):
            assert b.open_untrusted(a.seal(FRAME, B, 0.0), A, 0.0) == FRAME
            assert a.open_untrusted(b.seal(FRAME, A, 0.0), B, 0.0) == FRAME
        assert not a.waiting
        assert not b.waiting

    for change in (
        lambda ring: ring.add(NEW),
        lambda ring: ring.use(NEW.kid),
        lambda ring: ring.remove(OLD.kid),
    ):
        for one in (a, b):
            one.keyring = change(one.keyring)
            talk()
    assert a.seal(FRAME, B, 0.0)[7:11] == NEW.kid


def test_a_key_that_is_not_there_yet_is_unknown_and_one_that_was_removed_is_retired() -> None:
    a, b = pair()
    ahead = a.keyring.add(NEW).use(NEW.kid)
    a.keyring = ahead
    assert refusal(b, a.seal(FRAME, B, 0.0)) is Drop.UNKNOWN_KEY
    late = b
    a.keyring = ahead.remove(OLD.kid)
    assert refusal(a, late.seal(FRAME, A, 0.0), B, 9.0) is Drop.RETIRED_KEY
    (straggler,) = a.stragglers.values()
    assert (straggler.kid, straggler.source, straggler.at) == (OLD.kid, B, 9.0)
    assert not a.waiting
    # An intruder who only knows the key id is not taken for one.
    intruder = envelope(9, Keyring((Key(OLD.kid, bytes(31) + b"x"),)))
    assert refusal(a, intruder.seal(FRAME, A, 0.0), V) is Drop.NOT_AUTHENTIC
    assert len(a.stragglers) == 1


def test_a_challenge_is_sealed_with_the_key_that_the_sender_has() -> None:
    """In the middle of a rotation B sends with the new key already, and A lacks it."""
    a, b = envelope(1), envelope(2, RING.add(NEW).use(NEW.kid))
    introduce(a, b)


def test_a_key_id_that_comes_back_with_another_secret_is_derived_anew() -> None:
    a, b = pair()
    other = Key(OLD.kid, NEW.secret)
    a.keyring = b.keyring = Keyring((other,))
    assert b.open_untrusted(a.seal(FRAME, B, 0.0), A, 0.0) == FRAME


def test_the_overhead_does_not_depend_on_the_keys() -> None:
    """Else a rotation to a longer key id would make datagrams too large that fit before."""
    for ring in (RING, Keyring((NEW,))):
        assert envelope(1, ring).overhead == MAX_OVERHEAD + 3
