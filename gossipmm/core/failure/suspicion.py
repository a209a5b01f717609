"""Pure functions under the detector: how long, how often, with what probability."""

from __future__ import annotations

from math import log, log2
from typing import Final

#: How much of the measured loss lengthens a suspicion: at 25 % loss each way about every second
#: answered exchange needs a second try.
LOSS_STRETCH: Final = 1.0


def suspicion_timeout(low: float, high: float, confirmed: int, expected: int) -> float:
    """Seconds from suspicion to death with ``confirmed`` independent confirmations [P32].

    From ``high`` with none down to ``low`` with ``expected``, by the logarithm (Lifeguard,
    arXiv:1707.00788, section IV.B). Nobody to expect any from means ``low``.
    """
    if expected <= 0:
        return low
    share = log(confirmed + 1) / log(expected + 1)
    return max(low, high - (high - low) * share)


def suspicion_low(minimum: float, members: int, loss: float) -> float:
    """Shortest suspicion: grows with log N above 128 members and with this node's own loss.

    [P32, P88]
    """
    return minimum * max(1.0, log2(max(members, 2)) / 7.0) * (1.0 + LOSS_STRETCH * loss)


def expected_confirmations(most: int, members: int) -> int:
    """How many members other than this node and the accused may confirm."""
    return max(0, min(most, members - 2))


def crowd(members: int, wanted: float = 6.0) -> float:
    """Probability with which each of ``members`` acts so that about ``wanted`` do [P39]."""
    return min(1.0, wanted / max(members, 1))


def retry_probability(ages: list[float], members: int, interval: float) -> float:
    """Probability that this node tries one dead member in this interval [P44].

    min(0.25, 4 D / N) while they are fresh; each falls with its age, to one try per 30 s of the
    whole cluster after ten minutes.
    """
    if not ages:
        return 0.0
    floor = interval / 30.0
    weight = sum(retry_weight(age) for age in ages)
    return max(min(0.25, 4.0 * weight / members), min(0.25, len(ages) * floor / members))


def retry_weight(age: float) -> float:
    """Weight of one dead member among those to be tried: 1 when fresh, falling over 600 s."""
    return max(0.0, 1.0 - age / 600.0)


def probation(returns: int, free: int, most: float) -> float:
    """Seconds on probation after so many returns within the flap window; 0: at once [P45]."""
    return 0.0 if returns <= free else min(2.0**returns, most)


def resend_unit(base: float, rtt: float, deviation: float, interval: float) -> float:
    """The time unit of resends: the smallest allowed, or the measured round trip's scale [P65].

    As TCP's retransmission timer (RFC 6298): rtt + 4 x its deviation.
    """
    return min(max(base, rtt + 4.0 * deviation), 2.0 * interval)
