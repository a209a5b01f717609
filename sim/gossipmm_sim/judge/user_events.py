"""User events: told once, in order, in time, and by nobody but their senders."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from gossipmm_sim.faults.user_events import event_log
from gossipmm_sim.judge.base import Check, Judged, check
from gossipmm_sim.judge.violations import Breach, Violation

__all__ = ("EventsForged", "EventsTold")


@check("events_told")
@dataclass(frozen=True, slots=True, kw_only=True)
class EventsTold(Check):
    """Each event is told once to each process that was up when it was sent, in its order.

    ``within`` so many seconds of being sent, or of ``healed``, if it was sent before that.
    ``since``, ``until``: only those sent then. All three count from the end of the warm-up.
    """

    within: float
    healed: float = 0.0
    since: float = 0.0
    until: float = 0.0

    def judge(self, run: Judged) -> Breach | None:
        """Look at the log."""
        log = event_log(run)
        cluster = run.cluster
        for violation, found in (
            (Violation.EVENT_TWICE, log.doubled),
            (Violation.EVENT_DISORDER, log.disordered),
        ):
            for observer, place in found:
                sender = cluster.hosts[log.sent[place].sender[0]].label
                return Breach(violation=violation, observer=observer, subject=sender)
        last = run.zero + self.until if self.until else inf
        for sent in log.sent:
            if not run.zero + self.since <= sent.at < last:
                continue
            begin = max(sent.at, run.zero + self.healed) if self.healed else sent.at
            for process in log.owed(sent):
                took = sent.told.get(process, inf) - begin
                if took > self.within:
                    return Breach(
                        violation=Violation.EVENT_LATE,
                        at=sent.at - run.zero,
                        observer=cluster.hosts[process[0]].label,
                        subject=cluster.hosts[sent.sender[0]].label,
                        measured=took,
                        allowed=self.within,
                    )
        return None


@check("no_forged_events")
@dataclass(frozen=True, slots=True, kw_only=True)
class EventsForged(Check):
    """Nobody is told an event that its sender did not send; ``most``: but so many are."""

    most: int = 0

    def judge(self, run: Judged) -> Breach | None:
        """Look at the log."""
        forged = event_log(run).forged
        if len(forged) <= self.most:
            return None
        observer, sender = forged[0]
        return Breach(
            violation=Violation.EVENT_FORGED,
            observer=observer,
            subject=sender,
            measured=len(forged),
            allowed=self.most,
        )
