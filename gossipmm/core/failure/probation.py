"""Probation: a member that came back too often is in no lookup until it has been steady [P45]."""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.suspicion import probation
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member, PastLife
from gossipmm.core.values import events
from gossipmm.core.values.timers import cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Status
from gossipmm.mechanisms import Mechanism

__all__ = ("Probation",)

#: Returns kept beside the latest one: more of them make no probation longer.
_RETURNS: Final = 15


class Probation:
    """Puts members on probation, and ends it."""

    def __init__(self, local: LocalState) -> None:
        self._local = local

    def returned(self, member: Member) -> float:
        """Count a return from the dead; return the seconds on probation that it brings."""
        local = self._local
        kept = [at for at in member.returns if at > local.now - local.config.flap_window]
        member.returns = (*kept[-_RETURNS:], local.now)
        wait = self._wait(member)
        if wait:
            local.stats.probations += 1
            self._begin(member, wait)
        return wait

    def started(self, member: Member, past: PastLife) -> None:
        """Take a new life of a name: one that did not leave before it ended counts as a return.

        Counted for each life alone, 21 crashes in 75 s were not one return, and the host was in 97
        % of all lookups. A name that starts elsewhere says nothing of the machine that it left.
        """
        local = self._local
        if not {host for host, _ in past.addresses} & {host for host, _ in member.addresses}:
            return
        member.returns = past.returns
        if past.left:
            return
        member.looping = past.looping
        wait = self.returned(member)
        returns, window = len(member.returns), local.config.flap_window
        member.note(
            local.now,
            EvidenceKind.CRASHED,
            member.name,
            returns=returns,
            window=window,
            probation=wait,
        )
        if wait:
            if not member.looping:
                member.looping = True
                local.events.append(
                    events.MemberCrashLooping(
                        local.now, member.name, member.generation, returns, window, wait
                    )
                )
            local.table.refresh(member, local.now)
        elif member.looping:
            self.tell_steady(member)

    def _wait(self, member: Member) -> float:
        """Return the seconds on probation after the returns counted so far."""
        config = self._local.config
        if Mechanism.FLAP_DAMPING in self._local.without:
            return 0.0
        return probation(len(member.returns), config.flap_free_returns, config.probation_max)

    def _begin(self, member: Member, wait: float) -> None:
        cancel(member.probation)
        member.probation_until = self._local.now + wait
        member.probation = self._local.timers.at(member.probation_until, self._over, member)

    def restart(self, member: Member) -> None:
        """Start the time of probation again: a refuted suspicion was a break."""
        if member.probation_until is not None:
            self._begin(member, self._wait(member))

    def _over(self, member: Member) -> None:
        local = self._local
        if member.s >= member.k:
            # Suspected at the moment: death or refutation decides, not the clock.
            again = local.now + local.config.probe_time
            member.probation = local.timers.at(again, self._over, member)
            return
        self.end(member)
        if local.table.refresh(member, local.now)[1] is not Status.PROBATION:
            self.tell_steady(member)

    def tell_steady(self, member: Member) -> None:
        """Tell that a member is in lookups again."""
        local = self._local
        member.looping = False
        member.note(local.now, EvidenceKind.PROBATION_ENDED, local.own.name)
        local.events.append(events.ProbationEnded(local.now, member.name))

    @staticmethod
    def end(member: Member) -> None:
        """End the probation of a member that is steady, dead, or gone."""
        cancel(member.probation)
        member.probation = None
        member.probation_until = None
