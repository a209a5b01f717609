"""The three maxima [P22]: their algebra, and what each claim does, as a table."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.table.liveness import (
    NEVER,
    TRANSITIONS,
    Liveness,
    Maxima,
    Outcome,
    Standing,
    Weight,
    verdict,
)
from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.types import Status

BEATS = st.integers(NEVER, 6)
MAXIMA = st.builds(Maxima, BEATS, BEATS, BEATS)


# -- the algebra -------------------------------------------------------------------------------


def merged(*maxima: Maxima) -> Maxima:
    """Let one holder hear of each, by the code that takes claims."""
    live = Liveness()
    for one in maxima:
        live.merge(*one)
    return live.maxima


@given(MAXIMA)
def test_merging_is_idempotent(a: Maxima) -> None:
    assert merged(a, a) == merged(a) == a


@given(MAXIMA, MAXIMA)
def test_merging_is_commutative(a: Maxima, b: Maxima) -> None:
    """[P22]."""
    assert merged(a, b) == merged(b, a)


@given(MAXIMA, MAXIMA, MAXIMA)
def test_merging_is_associative(a: Maxima, b: Maxima, c: Maxima) -> None:
    assert merged(merged(a, b), c) == merged(a, merged(b, c))


@given(MAXIMA, MAXIMA)
def test_merging_is_monotone(a: Maxima, b: Maxima) -> None:
    assert all(after >= before for after, before in zip(merged(a, b), a, strict=True))
    assert merged(a, Maxima()) == a


@pytest.mark.parametrize(
    ("k", "s", "d", "status"),
    [
        (NEVER, NEVER, NEVER, Status.UNKNOWN),
        (NEVER, 3, NEVER, Status.UNKNOWN),  # accused, and never seen alive here
        (NEVER, NEVER, 3, Status.DEAD),
        (3, NEVER, NEVER, Status.ALIVE),
        (3, 2, NEVER, Status.ALIVE),  # the accusation is stale
        (3, 3, NEVER, Status.SUSPECT),
        (3, 4, NEVER, Status.SUSPECT),
        (4, 3, 3, Status.ALIVE),  # a death ends as soon as K is above it
        (3, 3, 3, Status.DEAD),
        (3, NEVER, 3, Status.DEAD),
        (3, 5, 4, Status.DEAD),
    ],
)
def test_the_verdict(k: int, s: int, d: int, status: Status) -> None:
    """Dead if D >= K, else suspect if S >= K, else alive [P22]."""
    assert verdict(k, s, d) is status


# -- claims ------------------------------------------------------------------------------------


def holder(**state: Any) -> Liveness:
    live = Liveness()
    for name, value in state.items():
        setattr(live, name, value)
    return live


ALIVE_AT_5 = {"k": 5}
SUSPECT_AT_5 = {"k": 5, "s": 5}
DEAD_AT_5 = {"k": 5, "s": 5, "d": 5, "declared_dead_at": 100.0}
RETURNING_AT_7 = {"k": 7, "s": 5, "d": 5, "declared_dead_at": 100.0}
FAILED = {"k": 5, "s": 5, "failed_at": 100.0}

#: What is held; the heartbeat claimed alive; when the evidence for it was had; what comes of it.
ALIVE_ROWS = [
    ("nothing", {}, 3, 90.0, Outcome.BORN, Status.ALIVE),
    ("nothing but an accusation", {"s": 4}, 3, 90.0, Outcome.BORN, Status.SUSPECT),
    ("nothing but a death heard of", {"d": 4, "s": 4}, 5, 90.0, Outcome.REFUTED, Status.ALIVE),
    ("alive", ALIVE_AT_5, 5, 90.0, Outcome.STALE, Status.ALIVE),
    ("alive", ALIVE_AT_5, 4, 90.0, Outcome.STALE, Status.ALIVE),
    ("alive", ALIVE_AT_5, 6, 90.0, Outcome.FRESHER, Status.ALIVE),
    ("suspect", SUSPECT_AT_5, 5, 90.0, Outcome.STALE, Status.SUSPECT),
    ("suspect", SUSPECT_AT_5, 6, 90.0, Outcome.REFUTED, Status.ALIVE),
    ("suspect above", {"k": 5, "s": 8}, 8, 90.0, Outcome.FRESHER, Status.SUSPECT),
    ("suspect above", {"k": 5, "s": 8}, 9, 90.0, Outcome.REFUTED, Status.ALIVE),
    ("my probe failed", FAILED, 6, 99.0, Outcome.RENEWED, Status.SUSPECT),
    ("my probe failed", FAILED, 6, 100.0, Outcome.REFUTED, Status.ALIVE),
    ("declared_dead", DEAD_AT_5, 5, 200.0, Outcome.STALE, Status.DEAD),
    ("declared_dead", DEAD_AT_5, 6, 99.0, Outcome.RETURNING, Status.RETURNING),
    ("declared_dead", DEAD_AT_5, 6, 100.0, Outcome.RETURNING, Status.RETURNING),
    ("declared_dead", DEAD_AT_5, 6, 100.1, Outcome.RETURNED, Status.ALIVE),
    ("returning", RETURNING_AT_7, 8, 99.0, Outcome.RETURNING, Status.RETURNING),
    ("returning", RETURNING_AT_7, 7, 99.0, Outcome.STALE, Status.RETURNING),
    ("returning", RETURNING_AT_7, 7, 101.0, Outcome.RETURNED, Status.ALIVE),
    ("returning", RETURNING_AT_7, 6, 101.0, Outcome.RETURNED, Status.ALIVE),
]


@pytest.mark.parametrize(("what", "state", "beat", "evidence", "outcome", "status"), ALIVE_ROWS)
def test_a_claim_alive(
    what: str,
    state: dict[str, float],
    beat: int,
    evidence: float,
    outcome: Outcome,
    status: Status,
) -> None:
    """Only a claim "alive" raises K; a return needs evidence younger than the burial [P33]."""
    live = holder(**state)
    before = live.maxima
    assert live.hear_alive(beat, first_hand(evidence)) is outcome, what
    assert live.judged() is status, what
    assert live.k == max(before.k, beat)
    assert live.d == before.d


#: What is held; the heartbeat accused; what comes of it.
SUSPECT_ROWS = [
    ("nothing", {}, 3, Outcome.IGNORED, Status.UNKNOWN),
    ("alive", ALIVE_AT_5, 4, Outcome.CONTRADICTED, Status.ALIVE),
    ("alive", ALIVE_AT_5, 5, Outcome.SUSPECTED, Status.SUSPECT),
    ("alive", ALIVE_AT_5, 9, Outcome.SUSPECTED, Status.SUSPECT),
    ("suspect", SUSPECT_AT_5, 4, Outcome.CONTRADICTED, Status.SUSPECT),
    ("suspect", SUSPECT_AT_5, 5, Outcome.CONFIRMED, Status.SUSPECT),
    ("suspect", SUSPECT_AT_5, 6, Outcome.RAISED, Status.SUSPECT),
    ("declared_dead", DEAD_AT_5, 5, Outcome.IGNORED, Status.DEAD),
    ("declared_dead", DEAD_AT_5, 6, Outcome.IGNORED, Status.DEAD),
    ("returning", RETURNING_AT_7, 6, Outcome.CONTRADICTED, Status.RETURNING),
    ("returning", RETURNING_AT_7, 7, Outcome.IGNORED, Status.RETURNING),
]


@pytest.mark.parametrize(("what", "state", "beat", "outcome", "status"), SUSPECT_ROWS)
def test_a_claim_suspect(
    what: str, state: dict[str, float], beat: int, outcome: Outcome, status: Status
) -> None:
    """Anyone who knows a higher heartbeat contradicts; an accusation raises neither K nor D.

    [P28]
    """
    live = holder(**state)
    before = live.maxima
    assert live.hear_suspect(beat) is outcome, what
    assert live.judged() is status, what
    assert (live.k, live.d) == (before.k, before.d)


@pytest.mark.parametrize("state", [SUSPECT_AT_5, {"k": 5, "s": 8}, {"k": 5, "s": 8, "d": 3}])
def test_a_burial_is_above_all_that_was_known(state: dict[str, int]) -> None:
    """[P36]."""
    live = holder(**state)
    live.declare_dead(100.0)
    assert live.judged() is Status.DEAD
    assert live.d >= max(state.values())
    assert live.declared_dead_at == 100.0


def test_reaching_it_ends_what_the_own_failed_probe_said() -> None:
    live = holder(k=5, failed_at=100.0, heard=50.0)
    live.reached(101.0)
    assert (live.heard, live.failed_at) == (101.0, None)


# -- the table ---------------------------------------------------------------------------------

#: Of each standing one holder; beside it the heartbeats that its claims are made of.
HOLDERS: dict[Standing, dict[str, Any]] = {
    Standing.UNHEARD: {"s": 4},
    Standing.ALIVE: {"k": 5, "s": 4},
    Standing.ACCUSED: {"k": 5, "s": 7, "failed_at": 100.0},
    Standing.DEAD: {"k": 5, "s": 7, "d": 7, "declared_dead_at": 100.0},
    Standing.RETURNING: {"k": 8, "s": 7, "d": 7, "declared_dead_at": 100.0},
}
#: Every claim there is: alive or suspect, at a heartbeat, on evidence older or younger than 100.
EVERY_CLAIM = [
    (kind, beat, evidence)
    for kind in ("alive", "suspect")
    for beat in range(NEVER, 12)
    for evidence in (99.0, 101.0)
]


def standing_to_verdict(standing: Standing) -> set[Status]:
    return {
        Standing.UNHEARD: {Status.UNKNOWN},
        Standing.ALIVE: {Status.ALIVE},
        Standing.ACCUSED: {Status.SUSPECT},
        Standing.DEAD: {Status.DEAD},
        Standing.RETURNING: {Status.RETURNING},
    }[standing]


def test_a_walk_through_every_transition_of_the_table() -> None:
    """Each pair of the table is met by some claim, does what it says, and ends where it says."""
    met: set[tuple[Standing, Weight]] = set()
    for standing, state in HOLDERS.items():
        for kind, beat, evidence in EVERY_CLAIM:
            live = holder(**state)
            assert live.standing() is standing
            weight = weight_of(live, kind, beat, evidence)
            transition = TRANSITIONS[standing][weight]
            before = live.maxima
            outcome = take(live, (kind, beat, evidence))
            where = f"{standing.name}, {weight.name}: {kind} at {beat}"
            assert outcome is transition.outcome, where
            assert live.standing() is transition.standing, where
            assert live.judged() in standing_to_verdict(transition.standing), where
            assert merged(before, live.maxima) == live.maxima, where
            met.add((standing, weight))
    assert met == {(standing, weight) for standing, row in TRANSITIONS.items() for weight in row}


def weight_of(live: Liveness, kind: str, beat: int, evidence: float) -> Weight:
    """Compare a claim with what is held, by the words of the table and not by its code."""
    if kind == "suspect":
        if beat < live.k:
            return Weight.ACCUSATION_BELOW
        return Weight.ACCUSATION if beat <= live.s else Weight.ACCUSATION_ABOVE
    buried, failed = live.declared_dead_at is not None, live.failed_at is not None
    if beat <= live.k:
        return Weight.KNOWN_YOUNG if buried and evidence > 100.0 else Weight.KNOWN
    if beat <= (live.d if buried else live.s):
        return Weight.BELOW
    return Weight.OLD if (buried or failed) and evidence < 100.0 else Weight.YOUNG


# -- any claims in any order -------------------------------------------------------------------

CLAIMS = st.lists(
    st.tuples(st.sampled_from(["alive", "suspect", "bury"]), st.integers(0, 6), st.floats(0, 100)),
    max_size=12,
)


def take(live: Liveness, claim: tuple[str, int, float]) -> Outcome | None:
    kind, beat, at = claim
    if kind == "alive":
        return live.hear_alive(beat, first_hand(at))
    if kind == "suspect":
        return live.hear_suspect(beat)
    if live.suspected:
        live.declare_dead(at)
    return None


@given(CLAIMS)
def test_the_maxima_only_grow(told: list[tuple[str, int, float]]) -> None:
    live = Liveness()
    for claim in told:
        before = live.maxima
        take(live, claim)
        assert merged(before, live.maxima) == live.maxima


@given(CLAIMS)
def test_telling_it_twice_changes_nothing_more(told: list[tuple[str, int, float]]) -> None:
    live = Liveness()
    for claim in told:
        take(live, claim)
        once = live.maxima, live.declared_dead_at
        if claim[0] != "bury":
            take(live, claim)
            assert (live.maxima, live.declared_dead_at) == once


@given(CLAIMS, st.randoms(use_true_random=False))
def test_alive_and_suspect_claims_may_come_in_any_order(
    told: list[tuple[str, int, float]], order: random.Random
) -> None:
    """What is known of the living is the same for all who heard the same, however it came.

    S is compared where it counts, at or above K: a stale accusation is not even kept [P22].
    """
    told = [claim for claim in told if claim[0] != "bury"]
    shuffled = list(told)
    order.shuffle(shuffled)
    one, two = Liveness(), Liveness()
    for claim in told:
        take(one, claim)
    for claim in shuffled:
        take(two, claim)
    assert one.k == two.k
    assert one.judged() is two.judged()


@given(CLAIMS)
def test_the_dead_come_back_only_on_evidence_younger_than_their_burial(
    told: list[tuple[str, int, float]],
) -> None:
    """Promise 3, for one holder: no stale hearsay, however often told, resurrects [P41]."""
    live = Liveness()
    for claim in told:
        declared_dead_at = live.declared_dead_at
        outcome = take(live, claim)
        if declared_dead_at is not None and live.declared_dead_at is None:
            assert outcome is Outcome.RETURNED
            assert claim[0] == "alive"
            assert claim[2] > declared_dead_at
            assert live.k > live.d
