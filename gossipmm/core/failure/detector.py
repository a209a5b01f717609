"""Verdicts and their effects: suspicion, refutation, burial, return (PROTOCOL.md, sections 4-5).

``liveness`` says what a claim means; here it is acted upon, in one place: timers, events, the
evidence trail, news. Probes are in ``probes.py``.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.accusations import Accusations
from gossipmm.core.failure.isolation import Isolation
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.suspicion import (
    crowd,
    expected_confirmations,
    probation,
    suspicion_low,
    suspicion_timeout,
)
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Context
from gossipmm.core.sending.replies import Replies
from gossipmm.core.table.liveness import NEVER, Outcome
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import NodeId, NodeState, Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

_LIVE: Final = (Status.ALIVE, Status.SUSPECT, Status.PROBATION)
_SELF_HOLDS: Final = 2.0  # x the maximum suspicion: then this node believes what it sees


class Detector:
    """Acts on claims about members, from anybody and from this node's own probes."""

    def __init__(
        self,
        context: Context,
        broadcasts: BroadcastQueue,
        probes: Probes,
        replies: Replies,
    ) -> None:
        self._c = context
        self._broadcasts = broadcasts
        self._probes = probes
        self._replies = replies
        self._isolation = Isolation(context)
        self._accusations = Accusations(context.config.max_accusations)
        self._jump = context.config.jump

    # -- alive -----------------------------------------------------------------------------

    def hear_alive(
        self, member: Member, heartbeat: int, evidence: float, teller: NodeId
    ) -> Outcome:
        """Take a claim "alive", from the member itself or from a teller [P33]."""
        if self._jumps(member, heartbeat):
            return Outcome.STALE
        c = self._c
        heard, buried = member.heard, member.buried_at
        any_age = Mechanism.EVIDENCE_AGE in c.without
        outcome = member.hear_alive(heartbeat, evidence, any_age=any_age)
        if c.now < c.behind_until and buried is None and outcome is not Outcome.STALE:
            # It may have waited here for as long. (Of the dead, the caller has thought of that.)
            member.heard = max(heard, evidence - c.behind_by)
        if outcome is Outcome.FRESHER or outcome is Outcome.STALE:
            return outcome
        if outcome is Outcome.REFUTED:
            c.stats.refutations += 1
            member.note(c.now, EvidenceKind.REFUTED, teller, f"heartbeat {heartbeat}")
            c.events.append(events.MemberRefuted(c.now, member.name, teller, heartbeat))
            self._end_suspicion(member)
            self._restart_probation(member)
            c.table.refresh(member, c.now)
            self._tell(member, member.status)
        elif outcome is Outcome.RENEWED:
            self._accusations.set(member, [c.me.key])
            self._schedule_burial(member)
            self._tell(member, member.status)
        elif outcome is Outcome.RETURNED:
            self._return(member, teller)
        elif outcome is Outcome.RETURNING:
            if c.table.refresh(member, c.now)[0] is Status.DEAD:
                member.note(
                    c.now, EvidenceKind.RETURNING, teller, "evidence older than the burial here"
                )
            if c.chance(crowd(c.table.live_count())):
                self._probes.start(member, Purpose.RETURNING)
        else:
            self.settle(member, teller)
        return outcome

    def _jumps(self, member: Member, heartbeat: int) -> bool:
        """Whether a heartbeat is too far above the one known to be its owner's: counted [P20]."""
        if heartbeat - member.k <= self._jump or member.k <= NEVER:
            return False
        self._c.stats.drop(Drop.COUNTER_JUMP)
        return True

    def _tell(self, member: Member, was: Status) -> None:
        """Tell the verdict: as news, or, of one on probation (in no lookup), by rows only."""
        if was is Status.PROBATION:
            self._broadcasts.ride(member)
        else:
            self._broadcasts.claim(member)

    def settle(self, member: Member, teller: NodeId, was: Status | None = None) -> None:
        """After a page or a first sign of life: tell what became of the member.

        ``was`` is its status before the page, which the table has judged already.
        """
        c = self._c
        before, after = c.table.refresh(member, c.now)
        before = before if was is None else was
        if after is before:
            return
        if after is Status.LEFT:
            self._end_suspicion(member)
            self._end_probation(member)
            member.note(c.now, EvidenceKind.LEFT, member.name)
            if before is not Status.UNKNOWN:
                c.events.append(events.MemberLeft(c.now, member.name, member.generation))
            self._probes.drop(member)
            return
        if after is Status.PROBATION and member.node_state is NodeState.IMPAIRED:
            member.note(c.now, EvidenceKind.IMPAIRED, member.name)
            c.events.append(events.MemberImpaired(c.now, member.name))
        elif before is Status.PROBATION and after in _LIVE:
            self._tell_steady(member)
        if before is Status.UNKNOWN and after in _LIVE:
            c.peers.admit(member)
            if len(c.table.peers) == 1:
                self._broadcasts.retry()
            member.note(c.now, EvidenceKind.JOINED, teller)
            previous = c.table.superseded.pop(member.name, None)
            if previous is None:
                joined = events.MemberJoined(
                    c.now, member.name, member.generation, member.addresses
                )
                c.events.append(joined)
            else:
                restarted = events.MemberRestarted(
                    c.now, member.name, member.generation, previous, member.addresses
                )
                c.events.append(restarted)
            if after is Status.SUSPECT:
                self._begin_suspicion(member)

    def _return(self, member: Member, teller: NodeId) -> None:
        """Back from the dead, on evidence younger than the burial [P41]."""
        c = self._c
        config = c.config
        self._end_suspicion(member)
        member.vanished_at = None
        kept = [at for at in member.returns if at > c.now - config.flap_window]
        member.returns = (*kept[-15:], c.now)
        wait = probation(len(member.returns), config.flap_free_returns, config.probation_max)
        if Mechanism.FLAP_DAMPING in c.without:
            wait = 0.0
        c.stats.returns += 1
        detail = f"return {len(member.returns)} in {config.flap_window:g} s"
        if wait:
            c.stats.probations += 1
            detail += f": probation for {wait:g} s"
            self._begin_probation(member, wait)
        member.note(c.now, EvidenceKind.RETURNED, teller, detail)
        c.events.append(
            events.MemberReturned(c.now, member.name, member.generation, len(member.returns), wait)
        )
        _, after = c.table.refresh(member, c.now)
        if after in _LIVE:
            c.peers.admit(member)
        self._tell(member, member.status)
        if after is Status.SUSPECT:
            self._begin_suspicion(member)

    # -- probation -------------------------------------------------------------------------

    def _begin_probation(self, member: Member, wait: float) -> None:
        cancel(member.probation)
        member.probation_until = self._c.now + wait
        member.probation = self._c.timers.at(member.probation_until, self._probation_over, member)

    def _restart_probation(self, member: Member) -> None:
        """Reachable without a break: a suspicion that was refuted starts the time anew [P45]."""
        if member.probation_until is not None:
            config = self._c.config
            wait = probation(len(member.returns), config.flap_free_returns, config.probation_max)
            self._begin_probation(member, wait)

    def _probation_over(self, member: Member) -> None:
        c = self._c
        if member.s >= member.k:
            # Suspected just now: burial or refutation decides, not the clock.
            member.probation = c.timers.at(
                c.now + c.config.gossip_interval, self._probation_over, member
            )
            return
        self._end_probation(member)
        if c.table.refresh(member, c.now)[1] is not Status.PROBATION:
            self._tell_steady(member)

    def _tell_steady(self, member: Member) -> None:
        c = self._c
        member.note(c.now, EvidenceKind.PROBATION_ENDED, c.own.name)
        c.events.append(events.ProbationEnded(c.now, member.name))

    @staticmethod
    def _end_probation(member: Member) -> None:
        cancel(member.probation)
        member.probation = None
        member.probation_until = None

    # -- suspect ---------------------------------------------------------------------------

    def hear_suspect(
        self, member: Member, heartbeat: int, accusers: list[int], teller: Member
    ) -> Outcome:
        """Take an accusation that a teller passes on (or makes) [P28]."""
        c = self._c
        if not member.complete:
            return Outcome.IGNORED  # nothing is known but a name: not suspected, not probed
        if self._jumps(member, heartbeat):
            return Outcome.IGNORED
        if heartbeat >= member.k:
            accusers = self._accusations.heard(member, accusers, c.me.key)
            if not accusers:
                c.stats.drop(Drop.MAX_ACCUSATIONS)
                return Outcome.IGNORED
        outcome = member.hear_suspect(heartbeat)
        if outcome is Outcome.CONTRADICTED:
            # Only a claim of life refutes: two that hold it returning, each at a burial below the
            # other's heartbeat, would answer one another for ever.
            if member.buried_at is None and Mechanism.REFUTATION_BY_ANYONE not in c.without:
                self._replies.answer(member)
        elif outcome in (Outcome.SUSPECTED, Outcome.RAISED, Outcome.CONFIRMED):
            self._suspect(member, outcome, accusers, teller.name)
        return outcome

    def accuse(self, member: Member, failed_at: float, detail: str) -> None:
        """This node's own probe failed: suspect the member at the best heartbeat known [P27]."""
        c = self._c
        member.failed_at = failed_at
        outcome = member.hear_suspect(member.k)
        member.note(c.now, EvidenceKind.PROBE_FAILED, c.own.name, detail)
        if outcome in (Outcome.SUSPECTED, Outcome.RAISED, Outcome.CONFIRMED):
            self._suspect(member, outcome, [c.me.key], c.own.name)

    def _suspect(
        self, member: Member, outcome: Outcome, accusers: list[int], teller: NodeId
    ) -> None:
        c = self._c
        fresh = outcome is Outcome.SUSPECTED
        if fresh:
            self._accusations.set(member, [])
        most = c.config.confirmations + 1
        new = [key for key in dict.fromkeys(accusers) if key not in member.accusers]
        new = new[: most - len(member.accusers)]
        self._accusations.set(member, member.accusers + new)
        if fresh:
            c.stats.suspicions += 1
            member.suspect_since = c.now
            member.note(c.now, EvidenceKind.ACCUSED, teller, f"heartbeat {member.s}")
            c.events.append(events.MemberSuspected(c.now, member.name, teller, member.s))
            c.table.refresh(member, c.now)
            self._tell(member, member.status)
            self._begin_suspicion(member)
            if c.me.key in accusers:
                c.send(wire.NEWS, member)  # the accused is told at once
            elif c.chance(crowd(c.table.live_count())):
                self._probes.start(member, Purpose.SUSPICION)
        elif new or outcome is Outcome.RAISED:
            if new:
                c.stats.suspicions_confirmed += len(new)
                member.note(
                    c.now, EvidenceKind.CONFIRMED, teller, f"{len(member.accusers)} accusers"
                )
            self._schedule_burial(member)
            self._tell(member, member.status)

    def _begin_suspicion(self, member: Member) -> None:
        member.suspect_since = self._c.now
        self._schedule_burial(member)

    def _end_suspicion(self, member: Member) -> None:
        cancel(member.suspicion_timer)
        member.suspicion_timer = None
        self._accusations.set(member, [])
        member.held_since = None

    def timeout(self, accusers: int) -> float:
        """Seconds from suspicion to death now, with so many distinct accusers [P32]."""
        c = self._c
        members = c.table.live_count()
        low = suspicion_low(c.config.suspicion_min, members, c.stats.loss)
        return suspicion_timeout(
            low,
            low * c.config.suspicion_factor,
            max(0, accusers - 1),
            expected_confirmations(c.config.confirmations, members),
        )

    def _schedule_burial(self, member: Member) -> None:
        c = self._c
        cancel(member.suspicion_timer)
        when = member.suspect_since + self.timeout(len(member.accusers))
        member.suspicion_timer = c.timers.at(max(c.now, when), self._suspicion_over, member)

    def _suspicion_over(self, member: Member) -> None:
        c = self._c
        member.suspicion_timer = None
        if member.k <= NEVER or member.s < member.k or member.d >= member.k:
            return
        if self.must_hold(member):
            wait = c.now + c.config.gossip_interval
            member.suspicion_timer = c.timers.at(wait, self._suspicion_over, member)
            return
        self._bury(member)

    # -- this node's own health ------------------------------------------------------------

    def must_hold(self, member: Member) -> bool:
        """True while this node's own state explains what it sees, for a bounded time [P87]."""
        c = self._c
        slow = c.now < c.slow_until and Mechanism.LATE_HOLD not in c.without
        if not slow and not c.is_deaf(c.now - 2 * c.config.gossip_interval):
            member.held_since = None
            return False
        if member.held_since is None:
            member.held_since = c.now
            c.stats.probes_held += 1
            member.note(c.now, EvidenceKind.HELD, c.own.name, "slow" if slow else "deaf")
        return c.now - member.held_since < _SELF_HOLDS * c.config.suspicion_max

    def was_late(self, late: float, step: float) -> None:
        """This node itself stood still: its timers say nothing about the others [P43, P85].

        ``late``: by how much its timers are overdue; ``step``: what its clock went on at once.
        """
        c = self._c
        c.stats.late_steps += 1
        c.slow_until = c.now + 2 * c.config.gossip_interval
        c.events.append(events.SelfSlow(c.now, late))
        for member in c.table.gone.values():
            if member.buried_at is not None:
                # The clock may have jumped: evidence is to be younger than the burial for certain.
                member.buried_at += step
        if Mechanism.LATE_HOLD in c.without:
            return
        for member in c.table.peers.values():
            if member.suspicion_timer is not None:
                member.suspect_since += late
                self._schedule_burial(member)
        self._probes.begin_again()

    # -- dead ------------------------------------------------------------------------------

    def _bury(self, member: Member) -> None:
        c = self._c
        names = tuple(c.table.by_key[key].name for key in member.accusers if key in c.table.by_key)
        was = member.status
        member.bury(c.now)
        self._end_suspicion(member)
        self._end_probation(member)
        member.doubted = False
        c.table.refresh(member, c.now)
        c.stats.deaths += 1
        member.note(
            c.now, EvidenceKind.BURIED, c.own.name, f"accused by {', '.join(names) or 'nobody'}"
        )
        c.events.append(
            events.MemberDied(c.now, member.name, member.generation, max(member.d, 0), names)
        )
        self._probes.drop(member)
        self._tell(member, was)
        self._isolation.count(member)

    def hear_dead(self, member: Member, heartbeat: int, age: float, teller: Member) -> None:
        """Take a claim "dead". Everyone buries for himself: it counts as a suspicion [P34, P35].

        Except for one older than any suspicion lasts, of somebody who is not held alive here: that
        is taken as a death. (One who is may be the victim of a teller that was deaf: in a large
        cluster no fresher heartbeat contradicts it.)
        """
        c = self._c
        if self._jumps(member, heartbeat):
            return
        old = age > 2 * c.config.suspicion_max and member.status not in _LIVE
        if heartbeat < member.k or not (old or Mechanism.EVERYONE_BURIES in c.without):
            outcome = self.hear_suspect(member, heartbeat, [teller.key], teller)
            if member.status is Status.DEAD and outcome is not Outcome.CONTRADICTED:
                member.gone_at = min(member.gone_at, c.now - age)
            return
        if member.status is Status.DEAD:
            member.gone_at = min(member.gone_at, c.now - age)
            return
        before = member.status
        member.merge(s=heartbeat)
        member.bury(c.now - age)
        self._end_suspicion(member)
        self._end_probation(member)
        c.table.refresh(member, c.now)
        member.note(c.now, EvidenceKind.DEATH_HEARD, teller.name, f"{age:.3g} s ago")
        if before in _LIVE:
            c.events.append(
                events.MemberDied(c.now, member.name, member.generation, heartbeat, (teller.name,))
            )
            self._isolation.count(member)

    def forget(self, member: Member) -> None:
        """The record goes away: nothing of it may act any more."""
        self._end_suspicion(member)
        self._end_probation(member)
        self._probes.drop(member)
