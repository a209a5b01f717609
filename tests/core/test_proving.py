"""What is sealed counts once, at one node, and from whom has proved to be there now."""

from __future__ import annotations

import random

from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.sessions import WINDOW
from gossipmm.core.values.stats import Drop
from tests.core.sealed_pair import FRAME, OLD, RING, A, B, C, V, envelope, introduce, pair, refusal

# -- replay ------------------------------------------------------------------------------------


def test_a_datagram_opens_once() -> None:
    a, b = pair()
    data = a.seal(FRAME, B, 0.0)
    assert b.open_untrusted(data, A, 0.0) == FRAME
    assert refusal(b, data) is Drop.REPLAYED
    assert refusal(b, data, V) is Drop.REPLAYED


def test_what_was_sent_to_one_node_cannot_be_played_to_another() -> None:
    """[P110]."""
    a, b = pair()
    c = envelope(3)
    introduce(a, c, to=C)
    for now in (0.0, 60.0):
        data = a.seal(FRAME, B, now)
        assert refusal(c, data, A, now + 3.0) is Drop.MISDIRECTED
        ((_, challenge, to),) = c.waiting
        c.waiting.clear()
        assert to == A
        assert refusal(a, challenge, C, now + 3.0) is Drop.LATE_CHALLENGE
        assert b.open_untrusted(data, A, now + 3.0) == FRAME


def test_not_even_at_once() -> None:
    """The challenge comes in time, and names what A said to B: who is at B has answered from there.

    A once took C for the one at B's address. An outsider who played all that A sent to B to C lost
    19 of 20 frames so, because B challenged each [P111].
    """
    a, b = pair()
    c = envelope(3)
    introduce(a, c, to=C)
    for _ in range(20):
        data = a.seal(FRAME, B, 0.0)
        refusal(c, data, A)
        assert refusal(a, c.waiting.pop()[1], C) is Drop.MISDIRECTED
        assert not a.waiting
        assert b.open_untrusted(data, A, 0.0) == FRAME
    # And a life of B that begins now is believed, although a challenge came in between.
    b_again = envelope(4)
    data = a.seal(FRAME, B, 0.0)
    refusal(c, data, A)
    refusal(a, c.waiting.pop()[1], C)
    assert refusal(b_again, data, A) is Drop.UNPROVEN
    assert a.open_untrusted(b_again.waiting.pop()[1], B, 0.0) is None
    assert b_again.open_untrusted(a.waiting.pop()[1], A, 0.0) == FRAME


def test_what_was_meant_for_an_earlier_life_is_said_again_to_this_one() -> None:
    a, b = pair()
    b_again = envelope(3)
    introduce(b_again, a, source=B, to=A)
    # B's new life has proved itself to A, so A knows whom it sends to.
    assert b_again.open_untrusted(a.seal(FRAME, B, 0.0), A, 0.0) == FRAME
    for one in (b, b_again):
        one.new_boot()
    assert refusal(b_again, a.seal(FRAME, B, 0.0), A) is Drop.MISDIRECTED
    assert a.open_untrusted(b_again.waiting.pop()[1], B, 0.0) is None
    assert b_again.open_untrusted(a.waiting.pop()[1], A, 0.0) == FRAME


def test_nothing_of_the_introduction_can_be_played_again() -> None:
    a, b = envelope(1), envelope(2)
    first, challenge, proof = introduce(a, b)
    assert refusal(b, first) is Drop.REPLAYED
    assert refusal(b, proof) is Drop.REPLAYED
    assert refusal(a, challenge, B) is Drop.REPLAYED


def test_datagrams_may_overtake_each_other_within_the_window() -> None:
    a, b = pair()
    sealed = [a.seal(FRAME, B, 0.0) for _ in range(WINDOW + 1)]
    assert b.open_untrusted(sealed[-1], A, 0.0) == FRAME
    assert refusal(b, sealed[0]) is Drop.BEHIND_WINDOW
    for data in (sealed[1], sealed[-2], sealed[WINDOW // 2]):
        assert b.open_untrusted(data, A, 0.0) == FRAME
        assert refusal(b, data) is Drop.REPLAYED


def test_a_forged_counter_does_not_move_the_window() -> None:
    a, b = pair()
    data = a.seal(FRAME, B, 0.0)
    forged = data[:19] + b"\xff\xff\xff\xf0" + data[23:]
    assert refusal(b, forged) is Drop.NOT_AUTHENTIC
    assert b.open_untrusted(data, A, 0.0) == FRAME


# -- who are you now? --------------------------------------------------------------------------


def test_an_unknown_boot_id_counts_once_it_has_answered() -> None:
    """[P110]."""
    a, b = envelope(1), envelope(2)
    introduce(a, b)
    for _ in range(3):
        assert b.open_untrusted(a.seal(FRAME, B, 0.0), A, 0.0) == FRAME
        assert a.open_untrusted(b.seal(FRAME, A, 0.0), B, 0.0) == FRAME


def test_a_recording_of_an_old_life_never_counts() -> None:
    a, _ = pair()
    recorded = [a.seal(FRAME, B, 0.0) for _ in range(20)]
    b_again = envelope(3)  # restarted: it knows nobody
    sent = 0
    for data in recorded:
        assert refusal(b_again, data) is Drop.UNPROVEN
        ((_, challenge, to),) = b_again.waiting
        b_again.waiting.clear()
        sent += len(challenge)
        assert to == A
        assert len(challenge) < len(data)
        # A restarted, too, or is gone: nobody can answer that.
        assert refusal(envelope(4), challenge, B) is Drop.LATE_CHALLENGE
    assert sent < 3 * sum(map(len, recorded))


def test_a_recording_is_not_made_true_by_the_one_who_sent_it() -> None:
    """A still lives, but said this long ago: it does not say it again."""
    a, _ = pair()
    recorded = a.seal(FRAME, B, 0.0)
    b_again = envelope(3)
    refusal(b_again, recorded, A, 60.0)
    ((_, challenge, _),) = b_again.waiting
    assert refusal(a, challenge, B, 60.0) is Drop.LATE_CHALLENGE
    assert not a.waiting
    assert b_again.boot not in a._sessions.by_boot


def test_only_the_challenged_address_can_prove_itself() -> None:
    """[P111]."""
    a, b = envelope(1), envelope(2)
    refusal(b, a.seal(FRAME, B, 0.0), A)
    ((_, challenge, _),) = b.waiting
    b.waiting.clear()
    a.open_untrusted(challenge, B, 0.0)
    ((_, proof, _),) = a.waiting
    assert refusal(b, proof, V) is Drop.UNPROVEN
    ((_, again, to),) = b.waiting
    assert to == V
    assert len(again) <= 3 * len(proof)
    assert b.open_untrusted(proof, A, 0.0) == FRAME, "the real one was not spent"


def test_a_proof_is_good_for_some_seconds_only() -> None:
    """[P111]."""
    a, b = envelope(1), envelope(2)
    refusal(b, a.seal(FRAME, B, 0.0), A, 0.0)
    ((_, challenge, _),) = b.waiting
    a.open_untrusted(challenge, B, 0.0)
    ((_, proof, _),) = a.waiting
    assert refusal(b, proof, A, 16.0) is Drop.UNPROVEN
    assert refusal(b, proof, A, -1.0) is Drop.UNPROVEN
    assert b.open_untrusted(proof, A, 15.9) == FRAME


def test_a_known_sender_at_a_new_address_is_challenged_there() -> None:
    """[P110]."""
    a, b = pair()
    moved = a.seal(FRAME, B, 0.0)
    assert refusal(b, moved, V) is Drop.UNPROVEN
    ((_, challenge, to),) = b.waiting
    assert to == V
    b.waiting.clear()
    assert a.open_untrusted(challenge, B, 0.0) is None
    ((_, proof, _),) = a.waiting
    assert b.open_untrusted(proof, V, 0.0) == FRAME
    assert refusal(b, proof, V) is Drop.REPLAYED
    assert refusal(a, challenge, B) is Drop.REPLAYED
    # Both addresses count from now on: a host with two of them is not challenged for ever.
    assert b.open_untrusted(a.seal(FRAME, B, 0.0), A, 0.0) == FRAME
    assert b.open_untrusted(a.seal(FRAME, B, 0.0), V, 0.0) == FRAME


def test_whoever_answers_from_another_address_is_understood_all_the_same() -> None:
    """B has two addresses: A sends to one, and everything of B comes from the other."""
    a, b = envelope(1), envelope(2)
    refusal(b, a.seal(FRAME, B, 0.0), A)
    ((_, challenge, _),) = b.waiting
    b.waiting.clear()
    assert a.open_untrusted(challenge, V, 0.0) is None
    ((_, proof, to),) = a.waiting
    a.waiting.clear()
    assert to == B, "said again to where it went, not to wherever the challenge came from"
    assert b.open_untrusted(proof, A, 0.0) == FRAME
    assert refusal(a, b.seal(FRAME, A, 0.0), V) is Drop.UNPROVEN
    ((_, challenge, to),) = a.waiting
    a.waiting.clear()
    assert to == V
    assert b.open_untrusted(challenge, A, 0.0) is None
    ((_, proof, _),) = b.waiting
    assert a.open_untrusted(proof, V, 0.0) == FRAME


def test_both_may_speak_first_at_once() -> None:
    a, b = envelope(1), envelope(2)
    from_a, from_b = a.seal(FRAME, B, 0.0), b.seal(FRAME, A, 0.0)
    refusal(b, from_a, A)
    refusal(a, from_b, B)
    opened = 0
    for _ in range(4):
        for here, there, source in ((a, b, A), (b, a, B)):
            waiting, here.waiting = here.waiting, []
            for _, data, _ in waiting:
                opened += there.open_untrusted(data, source, 0.0) == FRAME
    assert opened == 2
    assert not a.waiting
    assert not b.waiting


def test_what_does_not_fit_with_its_proof_follows_it() -> None:
    a, b = envelope(1), envelope(2)
    frame = b"\x85" + bytes(1200 - a.overhead - 1)
    data = a.seal(frame, B, 0.0)
    refusal(b, data)
    a.open_untrusted(b.waiting.pop()[1], B, 0.0)
    (_, proof, _), (_, said, _) = a.waiting
    assert len(data) == 1200 - 4 + len(OLD.kid)
    assert b.open_untrusted(proof, A, 0.0) is None
    assert len(said) <= 1200
    assert b.open_untrusted(said, A, 0.0) == frame


def test_a_frame_is_said_again_once() -> None:
    """Through a NAT that changes the port of every datagram nothing gets through, nor loops.

    [P111]
    """
    a, b = envelope(1), envelope(2)
    refusal(b, a.seal(FRAME, B, 0.0), (A[0], 1))
    a.open_untrusted(b.waiting.pop()[1], B, 0.0)
    (_, again, _) = a.waiting.pop()
    refusal(b, again, (A[0], 2))
    assert refusal(a, b.waiting.pop()[1], B) is Drop.LATE_CHALLENGE
    assert not a.waiting


def test_one_datagram_is_said_again_for_one_challenge() -> None:
    a, b = envelope(1), envelope(2)
    data = a.seal(FRAME, B, 0.0)
    for _ in range(3):
        refusal(b, data)
    first, *more = b.waiting
    a.open_untrusted(first[1], B, 0.0)
    for _, challenge, _ in more:
        assert refusal(a, challenge, B) is Drop.LATE_CHALLENGE
    assert len(a.waiting) == 1


def test_a_challenge_names_the_boot_id_as_well_as_the_counter() -> None:
    a, b = pair()
    counter = a._counter
    a.seal(FRAME, B, 0.0)
    wrong = b"\x54" + b"another!" + counter.to_bytes(4, "big") + bytes(8)
    assert refusal(a, b._seal(b._sending, wrong), B) is Drop.LATE_CHALLENGE


def test_malformed_challenges_and_proofs_are_refused() -> None:
    a, b = pair()

    def said(plaintext: bytes) -> Drop:
        return refusal(a, b._seal(b._sending, plaintext), B)

    for size in (0, 11, 19, 21):
        assert said(b"\x54" + bytes(size)) is Drop.MALFORMED
    assert said(b"\x54" + bytes(20)) is Drop.LATE_CHALLENGE
    assert said(b"\x48" + bytes(3)) is Drop.MISDIRECTED
    assert said(b"\x00") is Drop.MISDIRECTED


def test_what_can_be_said_again_is_bounded() -> None:
    a = envelope()
    for _ in range(5000):
        a.seal(FRAME, B, 0.0)
    assert len(a._sent) == 256


def test_an_unproven_sender_leaves_nothing_behind() -> None:
    b = envelope(2)
    for seed in range(3, 103):
        refusal(b, envelope(seed).seal(FRAME, B, 0.0))
        b.waiting.clear()
    assert not b._sessions.by_boot


def test_senders_remembered_are_bounded_and_forgetting_lets_nothing_be_replayed() -> None:
    b = CoseEnvelope(RING, "test", random.Random(2), most=8)
    talks = [introduce(envelope(seed), b, now=0.01 * seed) for seed in range(3, 33)]
    assert len(b._sessions.by_boot) <= 8
    for talk in talks:
        for data in (talk[0], talk[2]):
            assert refusal(b, data, A, 0.5) in (Drop.UNPROVEN, Drop.REPLAYED)
            b.waiting.clear()
