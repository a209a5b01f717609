"""The pure functions under the detector, as tables of rows. Constants are read, not pinned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.failure import suspicion
from gossipmm.core.failure.suspicion import (
    crowd,
    expected_confirmations,
    probation,
    resend_unit,
    retry_probability,
    retry_weight,
    suspicion_low,
    suspicion_timeout,
)


@pytest.mark.parametrize(
    ("confirmed", "expected", "seconds"),
    [
        (0, 3, 3.0),  # nobody confirms: the maximum
        (1, 3, 2.0),
        (2, 3, 1.415),
        (3, 3, 1.0),  # all that were expected: the minimum
        (9, 3, 1.0),  # never below it
        (0, 1, 3.0),
        (1, 1, 1.0),
        (0, 0, 1.0),  # nobody could confirm: waiting for it would be for nothing
        (5, 0, 1.0),
    ],
)
def test_how_long_a_suspicion_lasts(confirmed: int, expected: int, seconds: float) -> None:
    """Lifeguard, section IV.B, between 1 and 3 s [P32]."""
    assert suspicion_timeout(1.0, 3.0, confirmed, expected) == pytest.approx(seconds, abs=0.001)


@given(st.integers(0, 20), st.integers(0, 16), st.floats(0.1, 10), st.floats(1, 6))
def test_more_confirmations_never_lengthen_a_suspicion(
    confirmed: int, expected: int, low: float, factor: float
) -> None:
    one = suspicion_timeout(low, low * factor, confirmed, expected)
    two = suspicion_timeout(low, low * factor, confirmed + 1, expected)
    assert low <= two <= one <= low * factor * (1 + 1e-9)


@pytest.mark.parametrize(
    ("most", "members", "expected"), [(3, 1, 0), (3, 2, 0), (3, 3, 1), (3, 5, 3), (3, 99, 3)]
)
def test_how_many_confirmations_to_expect(most: int, members: int, expected: int) -> None:
    """min(3, live - 2): not this node itself, and not the accused [P32]."""
    assert expected_confirmations(most, members) == expected


def test_a_suspicion_is_longer_in_large_clusters_and_under_own_loss() -> None:
    """[P32]."""
    assert suspicion_low(1.0, 2, 0.0) == 1.0
    assert suspicion_low(1.0, 1000, 0.0) > suspicion_low(1.0, 100, 0.0) >= 1.0
    assert suspicion_low(1.0, 10, 0.25) == 1.0 + 0.25 * suspicion.LOSS_STRETCH
    assert suspicion_low(2.0, 10, 0.0) == 2.0


@pytest.mark.parametrize(
    ("members", "chance"), [(0, 1.0), (1, 1.0), (6, 1.0), (12, 0.5), (60, 0.1)]
)
def test_about_six_of_any_number_act(members: int, chance: float) -> None:
    """[P39]."""
    assert crowd(members) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("ages", "members", "chance"),
    [
        ([], 10, 0.0),
        ([0.0], 100, 0.04),  # 4 D / N
        ([0.0] * 5, 100, 0.20),
        ([0.0] * 50, 100, 0.25),  # at most
        ([300.0], 100, 0.02),  # half as often after five minutes
        ([3600.0], 100, 0.5 / 30 / 100),  # in the end one try per 30 s of the whole cluster
    ],
)
def test_how_often_the_dead_are_tried(ages: list[float], members: int, chance: float) -> None:
    """Bounded traffic to one address, and never none [P44]."""
    assert retry_probability(ages, members, 0.5) == pytest.approx(chance)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.integers(1, 1000))
def test_the_dead_are_never_forgotten_and_never_flooded(ages: list[float], members: int) -> None:
    assert 0.0 < retry_probability(ages, members, 0.5) <= 0.25
    assert all(0.0 <= retry_weight(age) <= 1.0 for age in ages)


@pytest.mark.parametrize(
    ("returns", "seconds"), [(0, 0), (1, 0), (2, 0), (3, 8), (4, 16), (5, 32), (6, 60), (15, 60)]
)
def test_how_long_a_flapping_member_is_on_probation(returns: int, seconds: float) -> None:
    """The first two returns count at once; then min(2^r, 60) s [P45]."""
    assert probation(returns, 2, 60.0) == seconds


@pytest.mark.parametrize(
    ("rtt", "deviation", "unit"),
    [
        (0.0002, 0.0001, 0.025),  # a LAN: the smallest
        (0.050, 0.010, 0.090),
        (0.300, 0.0, 0.300),
        (5.0, 1.0, 1.0),  # never so long that a probe could not end
    ],
)
def test_the_unit_of_resends_follows_the_round_trip(
    rtt: float, deviation: float, unit: float
) -> None:
    """RFC 6298: rtt + 4 x deviation, not below resend_base [P65]."""
    assert resend_unit(0.025, rtt, deviation) == pytest.approx(unit)
