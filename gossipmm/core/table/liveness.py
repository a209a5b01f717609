"""Who is alive: three maxima, and nothing else decides (design section 4).

For one generation of one node, a holder keeps

* ``k``  the highest heartbeat heard *alive*,
* ``s``  the highest heartbeat *suspected* by anybody,
* ``d``  the highest heartbeat that this holder itself declared *dead*.

The verdict is dead if d >= k, else suspect if s >= k, else alive. Two holders merge by taking
each maximum: commutative, associative, idempotent and monotone, so that claims may come in any
order, twice or late.

What a claim does to a holder is returned as an ``Outcome``; acting on it is the detector's part.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final, NamedTuple

from gossipmm.core.values.types import Heartbeat, Status

#: Below every heartbeat.
NEVER: Final = -1


class Maxima(NamedTuple):
    """The three maxima as a value."""

    k: Heartbeat = NEVER
    s: Heartbeat = NEVER
    d: Heartbeat = NEVER

    def merge(self, other: Maxima) -> Maxima:
        """Least upper bound."""
        return Maxima(max(self.k, other.k), max(self.s, other.s), max(self.d, other.d))


def verdict(k: Heartbeat, s: Heartbeat, d: Heartbeat) -> Status:
    """ALIVE, SUSPECT or DEAD; UNKNOWN for a life that was never heard alive."""
    if d >= k and d > NEVER:
        return Status.DEAD
    if k <= NEVER:
        return Status.UNKNOWN
    return Status.SUSPECT if s >= k else Status.ALIVE


class Outcome(Enum):
    """What a claim did to a holder's view."""

    STALE = "below what is known here: nothing changed"
    FRESHER = "a higher heartbeat, the same verdict"
    BORN = "first evidence of life"
    REFUTED = "a suspicion ended"
    RENEWED = "fresher, but older than this node's own failed probe: the suspicion rose with it"
    RETURNED = "held dead, alive on evidence younger than the burial"
    RETURNING = "held dead, a higher heartbeat on older evidence: worth a probe"
    SUSPECTED = "alive before, suspect now"
    RAISED = "suspect before, at a higher heartbeat now"
    CONFIRMED = "suspect already at this heartbeat"
    CONTRADICTED = "this holder knows a higher heartbeat: the accusation is stale"
    IGNORED = "dead already"


class Liveness:
    """The maxima that one holder keeps of one life, with the times that order evidence."""

    __slots__ = ("buried_at", "d", "failed_at", "heard", "k", "s")

    def __init__(self) -> None:
        self.k: Heartbeat = NEVER
        self.s: Heartbeat = NEVER
        self.d: Heartbeat = NEVER
        #: Core time of the evidence for k: somebody reached it, or heard it at first hand, then.
        self.heard: float = -inf
        #: When this holder declared it dead; None once it came back on younger evidence.
        self.buried_at: float | None = None
        #: When this holder's own latest failed probe began; None once it was refuted.
        self.failed_at: float | None = None

    @property
    def suspected(self) -> bool:
        """True while an accusation stands, whatever else readers are told."""
        return self.s >= self.k > NEVER and self.d < self.k

    @property
    def maxima(self) -> Maxima:
        """The maxima as a value."""
        return Maxima(self.k, self.s, self.d)

    def judged(self) -> Status:
        """The verdict, with the dead who may be returning told apart."""
        result = verdict(self.k, self.s, self.d)
        if self.buried_at is not None and result is not Status.DEAD:
            return Status.RETURNING
        return result

    def hear_alive(
        self, heartbeat: Heartbeat, evidence: float, *, any_age: bool = False
    ) -> Outcome:
        """Take a claim "alive at ``heartbeat``", on evidence of core time ``evidence``.

        ``any_age`` lets evidence of any age raise the dead (what an ablation shows to be wrong).
        """
        if heartbeat <= self.k:
            if self.buried_at is None or not evidence > self.buried_at or self.d >= self.k:
                return Outcome.STALE
            # Returning already, and now somebody reached it after the burial.
            self.heard = evidence
            self.buried_at = self.failed_at = None
            return Outcome.RETURNED
        before = verdict(self.k, self.s, self.d)
        self.k = heartbeat
        self.heard = max(self.heard, evidence)
        if self.buried_at is not None:
            if heartbeat > self.d and (evidence > self.buried_at or any_age):
                self.buried_at = self.failed_at = None
                return Outcome.RETURNED
            return Outcome.RETURNING if heartbeat > self.d else Outcome.FRESHER
        if before is Status.UNKNOWN:
            return Outcome.BORN
        if before is Status.ALIVE:
            return Outcome.FRESHER
        if self.s >= heartbeat:
            return Outcome.FRESHER
        if self.failed_at is not None and evidence < self.failed_at:
            self.s = heartbeat
            return Outcome.RENEWED
        self.failed_at = None
        return Outcome.REFUTED

    def reached(self, at: float) -> None:
        """Take that this holder's own probe was answered at ``at``, whatever the heartbeat."""
        self.heard = max(self.heard, at)
        self.failed_at = None

    def hear_suspect(self, heartbeat: Heartbeat) -> Outcome:
        """Take a claim "not reached; best heartbeat known ``heartbeat``"."""
        if heartbeat < self.k:
            return Outcome.CONTRADICTED
        before = verdict(self.k, self.s, self.d)
        if before is Status.DEAD or self.buried_at is not None:
            return Outcome.IGNORED
        raised = heartbeat > self.s
        self.s = max(self.s, heartbeat)
        if before is Status.UNKNOWN:
            return Outcome.IGNORED
        if before is Status.ALIVE:
            return Outcome.SUSPECTED
        return Outcome.RAISED if raised else Outcome.CONFIRMED

    def bury(self, at: float) -> None:
        """Declare dead what is suspect: this holder's own timer ended."""
        self.d = max(self.d, self.s, self.k)
        self.buried_at = at
