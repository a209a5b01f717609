"""Names: nobody but its owner changes what a name stands for, and nobody is listed that is none."""

from __future__ import annotations

from dataclasses import dataclass

from gossipmm.core.values.types import Status
from gossipmm_sim.faults import select
from gossipmm_sim.judge.base import Check, Judged, check, lasts_too_long
from gossipmm_sim.judge.violations import Breach, Violation

__all__ = ("Intact", "NoGhosts")

_THERE = frozenset((Status.ALIVE, Status.SUSPECT))


@check("intact")
@dataclass(frozen=True, slots=True, kw_only=True)
class Intact(Check):
    """At no time a live host holds a live host ``on`` other than it is for longer than X.

    Its life, its addresses, and what its program registers.
    """

    within: float
    on: str = "all"

    def sample(self, run: Judged) -> Breach | None:
        """Compare every table with the hosts themselves."""
        since: dict[tuple[str, str], float] = run.memory(f"intact/{self}", dict)
        now = run.cluster.now
        subjects = [host for host in select(run, self.on) if host.up]
        for observer in run.cluster.peers:
            lists = {view.topic: view.entries for view in observer.table.topics.values()}
            for subject in subjects:
                pair = (observer.label, subject.label)
                member, core = observer.member(subject.node_name), subject.core
                wrong = ""
                if member is None or member.status not in _THERE:
                    wrong = "not alive"
                elif member.generation != core.generation:
                    wrong = "in another life"
                elif tuple(member.addresses) != tuple(core.addresses):
                    wrong = "elsewhere"
                elif any(host not in lists.get(topic, ()) for topic, host in subject.wanted):
                    wrong = "without a registration"
                lasted = lasts_too_long(since, pair, now, self.within, wrong=bool(wrong))
                if lasted is not None:
                    return Breach(
                        violation=Violation.ALTERED,
                        observer=pair[0],
                        subject=pair[1],
                        held=wrong,
                        measured=lasted,
                        allowed=self.within,
                    )
        return None


@check("no_ghosts")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoGhosts(Check):
    """At no time a live host lists for longer than X a member whose process does not run."""

    within: float

    def sample(self, run: Judged) -> Breach | None:
        """Look at every member list."""
        since: dict[tuple[str, str, int], float] = run.memory("no_ghosts", dict)
        cluster, now = run.cluster, run.cluster.now
        up = {host.node_name for host in cluster.hosts if host.up}
        listed = {
            (observer.label, member.name, member.generation)
            for observer in cluster.peers
            for member in observer.members()
            if member.name not in up and member.status in _THERE
        }
        for one in sorted(listed | since.keys()):
            lasted = lasts_too_long(since, one, now, self.within, wrong=one in listed)
            if lasted is not None:
                return Breach(
                    violation=Violation.GHOST,
                    observer=one[0],
                    subject=one[1],
                    measured=lasted,
                    allowed=self.within,
                )
        return None
