"""Liveness: what must happen in time, and what must not happen on the way."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from gossipmm.core.values.types import Status
from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults import select
from gossipmm_sim.judge.base import Check, Judged, check, lasts_too_long
from gossipmm_sim.judge.violations import Breach, Violation

__all__ = ("Converged", "JoinedWithin", "Kept", "Present", "Removed", "Unmoved")

_THERE = frozenset((Status.ALIVE, Status.SUSPECT))


@check("converged")
@dataclass(frozen=True, slots=True, kw_only=True)
class Converged(Check):
    """Once the faults have stopped, all live tables equal their owners' records within X."""

    within: float

    def judge(self, run: Judged) -> Breach | None:
        """Compare, and say who differs."""
        took = run.converged_after
        if took is not None and took <= self.within:
            return run.difference
        return Breach(
            violation=Violation.NO_AGREEMENT,
            measured=inf if took is None else took,
            allowed=self.within,
            cause=run.difference,
        )


@check("joined")
@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedWithin(Check):
    """After the last boot of the warm-up all views are complete within X."""

    within: float

    def judge(self, run: Judged) -> Breach | None:
        """Ask the run."""
        took = inf if run.joined_after is None else run.joined_after
        if took <= self.within:
            return None
        return Breach(violation=Violation.LATE_JOIN, measured=took, allowed=self.within)


@check("removed")
@dataclass(frozen=True, slots=True, kw_only=True)
class Removed(Check):
    """Each process that ended is out of every live host's lookups within X."""

    within: float
    how: str = "crash"

    def judge(self, run: Judged) -> Breach | None:
        """Ask the tracker."""
        of = [one for one in run.tracker.endings if one.how == self.how]
        if not of:
            raise UsageError(f"check 'removed' looks at a {self.how}, and none happened")
        worst = max(of, key=lambda one: one.all_seen)
        if worst.all_seen <= self.within:
            return None
        still = tuple(run.cluster.hosts[index].label for index in sorted(worst.pending))
        return Breach(
            violation=Violation.LATE_REMOVAL,
            subject=worst.name,
            measured=worst.all_seen,
            allowed=self.within,
            others=still,
        )


@check("kept")
@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Check):
    """No healthy member is declared dead: by healthy ones, or (by=all) by anybody."""

    by: str = "well"

    def judge(self, run: Judged) -> Breach | None:
        """Ask the tracker."""
        rows = run.tracker.false_by_well
        if self.by == "all":
            rows = sorted(rows + run.tracker.false_by_ill)
        if not rows:
            return None
        at, observer, subject = rows[0]
        return Breach(
            violation=Violation.FALSE_DEATH,
            at=at - run.zero,
            observer=observer,
            subject=subject,
            measured=len(rows),
        )


@check("present")
@dataclass(frozen=True, slots=True, kw_only=True)
class Present(Check):
    """At no time a live host lacks a live host ``on`` in its lookups for longer than X."""

    within: float
    on: str = "all"

    def sample(self, run: Judged) -> Breach | None:
        """Look at every table, for the life that each host really leads."""
        since: dict[tuple[str, str], float] = run.memory(f"present/{self}", dict)
        now = run.cluster.now
        subjects = [host for host in select(run, self.on) if host.up]
        for observer in run.cluster.peers:
            for subject in subjects:
                pair = (observer.label, subject.label)
                member = observer.member(subject.node_name)
                there = member is not None and (
                    member.status in _THERE and member.generation == subject.core.generation
                )
                lasted = lasts_too_long(since, pair, now, self.within, wrong=not there)
                if lasted is not None:
                    return Breach(
                        violation=Violation.ABSENT,
                        observer=pair[0],
                        subject=pair[1],
                        measured=lasted,
                        allowed=self.within,
                    )
        return None


@check("unmoved")
@dataclass(frozen=True, slots=True, kw_only=True)
class Unmoved(Check):
    """From the end of the warm-up on, no host's view changes, not even for a moment."""

    def sample(self, run: Judged) -> Breach | None:
        """Compare each fingerprint with the one at the end of the warm-up."""
        for host in run.cluster.peers:
            if host.fingerprint != run.first_fingerprints.get(host.label, host.fingerprint):
                return Breach(violation=Violation.VIEW_CHANGED, observer=host.label)
        return None
