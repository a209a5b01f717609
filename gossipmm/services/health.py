"""From the outcomes of checks to the state of a service: thresholds, and damped flapping.

Knows no clock and no socket: times are arguments, seconds on any clock that does not go back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple

from gossipmm.answers import CheckStatus
from gossipmm.config_services import Check, Service

__all__ = ("CheckHealth", "Outcome", "ServiceHealth")

#: Announced changes towards *up* of one service: at most one in so many seconds. A change costs a
#: page, 1,200 bytes to everybody.
_UP_EVERY: Final = 10.0
#: So many changes within so many seconds are flapping: it is held unhealthy for the first time
#: below, and twice as long each further time, up to the last one.
_FLAPS, _WITHIN = 4, 300.0
_HOLD, _HOLD_MAX = 60.0, 600.0
#: A service that did not change for so many seconds has stopped flapping.
_CALM: Final = 900.0


class Outcome(NamedTuple):
    """What one run of a check found."""

    passes: bool
    #: In a few words: ``HTTP 503``. Also for a pass, where it warns; else empty.
    reason: str = ""
    #: The end of what it printed, or was answered.
    output: str = ""


class CheckHealth:
    """One check: its last outcomes, and whether it counts as passing."""

    def __init__(self, check: Check, now: float, state: str = "starting") -> None:
        self.check = check
        #: ``starting`` (it never passed), ``passing`` or ``failing``.
        self.state = state
        self.since = now
        self.last: Outcome | None = None
        self.at: float | None = None
        self.took: float | None = None
        self.runs = self.failures = self.skipped = 0
        self._in_a_row = 0

    def take(self, outcome: Outcome, now: float, took: float) -> None:
        """Take the outcome of a run that ended at ``now``."""
        same = self.last is not None and self.last.passes is outcome.passes
        self._in_a_row = self._in_a_row + 1 if same else 1
        self.last, self.at, self.took = outcome, now, took
        self.runs += 1
        self.failures += not outcome.passes
        if outcome.passes:
            if self.state == "starting" or self._in_a_row >= self.check.rise:
                self._become("passing", now)
        elif self.state == "passing" and self._in_a_row >= self.check.fall:
            self._become("failing", now)

    def _become(self, state: str, now: float) -> None:
        if state != self.state:
            self.state, self.since = state, now

    def pause(self, *, removed: bool) -> float:
        """Return the seconds to the next run: sooner before the first pass, later once removed.

        A program that starts is listed soon; one that is gone for good costs little.
        """
        interval = self.check.interval
        if self.state == "starting":
            return min(interval, max(0.1, min(1.0, interval / 8) * 2.0 ** min(self._in_a_row, 10)))
        if removed:
            return max(interval, min(60.0, interval * 2.0 ** min(self._in_a_row, 10)))
        return interval

    @property
    def reason(self) -> str:
        """Why it is not passing, or what it warns of; empty: all is well."""
        if self.last is None:
            return "has not run yet" if self.check.kind != "ttl" else "was not told yet"
        return self.last.reason

    def status(self) -> CheckStatus:
        """Return how it is."""
        return CheckStatus(
            name=self.check.name,
            kind=self.check.kind,
            state=self.state,
            reason=self.reason,
            output=self.last.output if self.last is not None else "",
            since=self.since,
            at=self.at,
            took=self.took,
            runs=self.runs,
            failures=self.failures,
            skipped=self.skipped,
        )


class ServiceHealth:
    """One service: ``starting``, ``up``, ``unhealthy`` or ``removed``, by its checks."""

    def __init__(self, service: Service, checks: Sequence[CheckHealth], now: float) -> None:
        self.service = service
        self.checks = tuple(checks)
        self.state = "starting"
        self.since = now
        self.flaps = 0
        self.held_until = -inf
        self._last_up = -inf
        self._holds = 0
        self._changes: deque[float] = deque(maxlen=_FLAPS)

    def judge(self, now: float) -> str | None:
        """Take the state that its checks call for; return the one before, or None if it stays."""
        wanted = self._wanted(now)
        if wanted == self.state:
            return None
        before = self.state
        if {before, wanted} == {"up", "unhealthy"} or before == "removed":
            self._count(wanted, now)
        if wanted == "up":
            self._last_up = now
        self.state, self.since = wanted, now
        return before

    def _wanted(self, now: float) -> str:
        failing = [one for one in self.checks if one.state == "failing"]
        starting = [one for one in self.checks if one.state == "starting"]
        if self.state == "starting":
            return "starting" if failing or starting else "up"
        if not failing:
            if self.state == "up" or now >= self._up_at():
                return "up"
            return self.state
        if self.state == "removed" or any(now >= _removed_at(one) for one in failing):
            return "removed"
        return "unhealthy"

    def _count(self, wanted: str, now: float) -> None:
        """Count a change, and hold a service down that changes too often."""
        if self._changes and now - self._changes[-1] > _CALM:
            self._holds = 0
        self._changes.append(now)
        many = len(self._changes) == _FLAPS and now - self._changes[0] <= _WITHIN
        if many and wanted == "unhealthy":
            self.held_until = now + min(_HOLD * 2.0**self._holds, _HOLD_MAX)
            self._holds += 1
            self.flaps += 1
            self._changes.clear()

    def _up_at(self) -> float:
        return max(self._last_up + _UP_EVERY, self.held_until)

    def next_look(self) -> float:
        """Return when ``judge`` may find another state, although no check says anything new."""
        failing = [one for one in self.checks if one.state == "failing"]
        if self.state in ("unhealthy", "removed") and not failing:
            return self._up_at()
        if self.state == "unhealthy":
            return min(map(_removed_at, failing))
        return inf

    def reason(self, now: float) -> str:
        """Say why it is not up, in words; empty: it is."""
        if self.state == "up":
            return ""
        bad = [one for one in self.checks if one.state != "passing"]
        if not bad:
            left = max(0.0, self._up_at() - now)
            often = ", but it changed too often" if self.held_until > now else ""
            return f"its checks pass again{often}: listed in {left:.0f} s"
        several = len(self.checks) > 1
        return "; ".join(
            f"{one.check.name}: {one.reason}" if several else one.reason for one in bad
        )


def _removed_at(check: CheckHealth) -> float:
    return check.since + check.check.remove_after if check.check.remove_after else inf
