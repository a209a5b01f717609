"""Functions of the detector: how long, how often, with what probability."""

from __future__ import annotations

from math import log, log2
from typing import Final

from gossipmm.core.table.local_state import LocalState

#: Factor by which the measured loss lengthens a suspicion: at 25 % loss each way, about every
#: second answered exchange needs a second try.
LOSS_STRETCH: Final = 1.0
#: Largest unit of resends, as a multiple of the smallest: a second on a LAN.
UNIT_MOST: Final = 40


def suspicion_timeout(low: float, high: float, confirmed: int, expected: int) -> float:
    """Return the seconds from suspicion to death with ``confirmed`` confirmations [P32].

    From ``high`` with none down to ``low`` with ``expected``, by the logarithm (Lifeguard,
    arXiv:1707.00788, section IV.B). Where none can be expected it is ``low``.
    """
    if expected <= 0:
        return low
    share = log(confirmed + 1) / log(expected + 1)
    return max(low, high - (high - low) * share)


def suspicion_low(minimum: float, members: int, loss: float) -> float:
    """Return the shortest suspicion: it grows with log N above 128 members, and with loss.

    [P32, P88]
    """
    return minimum * max(1.0, log2(max(members, 2)) / 7.0) * (1.0 + LOSS_STRETCH * loss)


def shortest(local: LocalState) -> float:
    """Return the seconds from suspicion to death now, with all confirmations [P32]."""
    members = local.table.live_count()
    return suspicion_low(local.config.suspicion_min, members, local.stats.loss)


def timeout(local: LocalState, accusers: int) -> float:
    """Return the seconds from suspicion to death now, with so many distinct accusers [P32]."""
    config, low = local.config, shortest(local)
    expected = expected_confirmations(config.confirmations, local.table.live_count())
    return suspicion_timeout(low, low * config.suspicion_factor, max(0, accusers - 1), expected)


def expected_confirmations(most: int, members: int) -> int:
    """Return how many members other than this node and the accused may confirm."""
    return max(0, min(most, members - 2))


def crowd(members: int, wanted: float = 6.0) -> float:
    """Return the probability for each of ``members`` with which about ``wanted`` act [P39]."""
    return min(1.0, wanted / max(members, 1))


def retry_probability(ages: list[float], members: float, elapsed: float) -> float:
    """Return the probability that a dead member is tried, ``elapsed`` s after the last time [P44].

    min(0.5, 8 D / N) a second while they are fresh, so that a split heals as soon however rare the
    exchanges are; each falls with its age, to one try per 30 s of the whole cluster after ten
    minutes.
    """
    if not ages:
        return 0.0
    weight = sum(retry_weight(age) for age in ages)
    fresh, old = 8.0 * weight / members, len(ages) / 30.0 / members
    return min(1.0, elapsed * min(0.5, max(fresh, old)))


def retry_weight(age: float) -> float:
    """Return the weight of one dead member among those to be tried: 1 when fresh, 0 after 600 s."""
    return max(0.0, 1.0 - age / 600.0)


def probation(returns: int, free: int, most: float) -> float:
    """Return the seconds on probation after so many returns in the flap window; 0: none [P45]."""
    return 0.0 if returns <= free else min(2.0**returns, most)


def resend_unit(base: float, rtt: float, deviation: float) -> float:
    """Return the time unit of resends: the smallest allowed, or the scale of the round trip [P65].

    Like TCP's retransmission timer (RFC 6298): rtt + 4 x its deviation; at most 40 times the
    smallest.
    """
    return min(max(base, rtt + 4.0 * deviation), UNIT_MOST * base)
