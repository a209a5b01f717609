"""Verdicts and their effects: suspicion, refutation, death, return (PROTOCOL.md, sections 4-5).

``liveness`` says what a claim means; its effects are all here: timers, events, the evidence trail,
broadcasts. Probes are in ``probes.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from gossipmm.core.failure.accusations import Accusations
from gossipmm.core.failure.beside import ask_beside
from gossipmm.core.failure.hearsay import Hearsay
from gossipmm.core.failure.isolation import Isolation
from gossipmm.core.failure.probation import Probation
from gossipmm.core.failure.probe import Failure
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.second_hand import SecondHand
from gossipmm.core.failure.self_health import must_hold
from gossipmm.core.failure.suspicion import crowd, shortest, timeout
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.liveness import NEVER, Outcome
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.evidence_time import EvidenceTime
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import NodeId, NodeState, Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

_LIVE: Final = (Status.ALIVE, Status.SUSPECT, Status.PROBATION)


class Detector:
    """Acts on claims about members, from anybody and from this node's own probes."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        broadcasts: BroadcastQueue,
        probes: Probes,
        is_taken_over: Callable[[Member], bool],
    ) -> None:
        self._local = local
        self._outbox = outbox
        #: Lets a later life of a member take its place instead of its death.
        self._is_taken_over = is_taken_over
        self._broadcasts = broadcasts
        self._probes = probes
        self.isolation = Isolation(local)
        self._probation = Probation(local)
        self._accusations = Accusations(local)
        self.hearsay = Hearsay(local, outbox, self._accusations, probes.lately)
        self._second_hand = SecondHand(local, probes)
        self._jump = local.config.jump
        self._any_age = Mechanism.EVIDENCE_AGE in local.without
        self._asks_first = Mechanism.FIRST_HAND_DEATH not in local.without
        self._first_hand = Mechanism.FIRST_HAND_REFUTES not in local.without

    # -- alive -----------------------------------------------------------------------------

    def hear_alive(
        self, member: Member, heartbeat: int, evidence: EvidenceTime, reporter: NodeId
    ) -> Outcome:
        """Take a claim "alive", from the member itself or from a reporter [P33]."""
        if self._jumps(member, heartbeat):
            return Outcome.STALE
        local = self._local
        if second_hand := self._second_hand.is_told_by(member, reporter):
            weighed = self._second_hand.weigh(member, heartbeat, evidence, reporter)
            if weighed is None:
                if member.suspected:
                    self._schedule_death(member)
                return Outcome.RENEWED
            evidence = weighed
        since = member.suspect_since if self._first_hand else inf
        outcome = member.hear_alive(heartbeat, evidence, any_age=self._any_age, accused_at=since)
        if outcome is Outcome.FRESHER or outcome is Outcome.STALE:
            return outcome
        if outcome is Outcome.REFUTED:
            if second_hand:
                member.lifted_at = local.now
            self._refuted(member, heartbeat, reporter)
        elif outcome is Outcome.RENEWED:
            # Its own question came after that evidence, as did those of the other accusers.
            rest = [key for key in member.accusers if key != local.me.key]
            most = local.config.confirmations + 1 if self._asks_first else 1
            self._accusations.set(member, [local.me.key, *rest][:most], member.brought_by)
            self._schedule_death(member)
            self._tell(member, member.status)
        elif outcome is Outcome.RETURNED:
            self._return(member, reporter)
        elif outcome is Outcome.RETURNING:
            if local.table.refresh(member, local.now)[0] is Status.DEAD:
                member.note(local.now, EvidenceKind.RETURNING, reporter)
            if local.chance(crowd(local.table.live_count())):
                self._probes.start(member, Purpose.RETURNING)
        else:
            before, after = local.table.refresh(member, local.now)
            if after is not before:
                self.status_changed(member, before, reporter)
        return outcome

    def _refuted(self, member: Member, heartbeat: int, reporter: NodeId) -> None:
        """Take an accusation back: a fresher heartbeat was heard, or an answer came here [P33]."""
        local = self._local
        local.stats.refutations += 1
        member.note(local.now, EvidenceKind.REFUTED, reporter, heartbeat=heartbeat)
        local.events.append(events.MemberRefuted(local.now, member.name, reporter, heartbeat))
        quiet, first_hand = member.quiet, reporter == member.name
        self._end_suspicion(member, refuted=first_hand)
        self._probation.restart(member)
        member.doubted = False
        local.table.refresh(member, local.now)
        if not quiet:
            self._tell(member, member.status)

    def answered(self, member: Member, reporter: NodeId) -> None:
        """End a suspicion: the member answered this node's own probe, at any heartbeat [P132].

        Or it answered the ``reporter``, asked for help [P138].
        """
        counts = self._first_hand if reporter == member.name else self._second_hand.counts
        self._second_hand.answered(member)
        if member.suspected and counts:
            member.answered()
            self._refuted(member, member.k, reporter)

    def _jumps(self, member: Member, heartbeat: int) -> bool:
        """Return whether a heartbeat is too far above the one known; count it if so [P20]."""
        if heartbeat - member.k <= self._jump or member.k <= NEVER:
            return False
        self._local.stats.drop(Drop.COUNTER_JUMP)
        return True

    def _tell(self, member: Member, was: Status) -> None:
        """Tell the verdict: as a broadcast, or by rows only.

        By rows of one on probation, who is in no lookup; and by a node that has not heard anybody
        for a whole suspicion: what it sees is more likely about itself.
        """
        local = self._local
        if was is Status.PROBATION or local.is_deaf(local.now - local.config.suspicion_max):
            self._broadcasts.piggyback(member)
        else:
            self._broadcasts.claim(member)

    def status_changed(self, member: Member, before: Status, reporter: NodeId) -> None:
        """Announce what became of the member after a page or a first sign of life.

        ``before`` is its status until then; the table has judged it since.
        """
        local = self._local
        after = member.status
        if after is Status.LEFT:
            self._end_suspicion(member)
            self._probation.end(member)
            member.note(local.now, EvidenceKind.LEFT, member.name)
            if before is not Status.UNKNOWN:
                local.events.append(events.MemberLeft(local.now, member.name, member.generation))
            self._probes.drop(member)
            return
        if after is Status.PROBATION and member.node_state is NodeState.IMPAIRED:
            member.note(local.now, EvidenceKind.IMPAIRED, member.name)
            local.events.append(events.MemberImpaired(local.now, member.name))
        elif before is Status.PROBATION and after in _LIVE:
            self._probation.tell_steady(member)
        if before is Status.UNKNOWN and after in _LIVE:
            local.peers.admit(member)
            if len(local.table.peers) == 1:
                self._broadcasts.retry()
            member.note(local.now, EvidenceKind.JOINED, reporter)
            previous = local.table.superseded.pop(member.name, None)
            if previous is None or previous.left:
                joined = events.MemberJoined(
                    local.now, member.name, member.generation, member.addresses
                )
                local.events.append(joined)
            else:
                restarted = events.MemberRestarted(
                    local.now, member.name, member.generation, previous.generation, member.addresses
                )
                local.events.append(restarted)
            if previous is not None:
                self._probation.started(member, previous)
            if after is Status.SUSPECT:
                self._begin_suspicion(member)

    def _return(self, member: Member, reporter: NodeId) -> None:
        """Take a member back from the dead, on evidence younger than its death here [P41]."""
        local = self._local
        config = local.config
        self._end_suspicion(member)
        member.vanished_at = None
        wait = self._probation.returned(member)
        local.stats.returns += 1
        member.note(
            local.now,
            EvidenceKind.RETURNED,
            reporter,
            returns=len(member.returns),
            window=config.flap_window,
            probation=wait,
        )
        local.events.append(
            events.MemberReturned(
                local.now, member.name, member.generation, len(member.returns), wait
            )
        )
        _, after = local.table.refresh(member, local.now)
        if after in _LIVE:
            local.peers.admit(member)
        self._tell(member, member.status)
        if after is Status.SUSPECT:
            self._begin_suspicion(member)

    # -- suspect ---------------------------------------------------------------------------

    def hear_suspect(
        self, member: Member, heartbeat: int, accusers: list[int], reporter: Member
    ) -> Outcome:
        """Take an accusation that a reporter passes on (or makes) [P28]."""
        local = self._local
        if not member.complete:
            return Outcome.IGNORED  # nothing but a name is known: neither suspected nor probed
        if self._jumps(member, heartbeat):
            return Outcome.IGNORED
        if heartbeat >= member.k:
            if not self.hearsay.believes(reporter):
                local.stats.drop(Drop.NO_CREDIT)
                if self.hearsay.may_ask(member):
                    self._probes.start(member, Purpose.SUSPICION)
                return Outcome.IGNORED
            accusers = self._accusations.heard(member, accusers, reporter)
            if not accusers:
                local.stats.drop(Drop.MAX_ACCUSATIONS)
                return Outcome.IGNORED
        outcome = member.hear_suspect(heartbeat)
        if outcome in (Outcome.SUSPECTED, Outcome.RAISED, Outcome.CONFIRMED):
            if outcome is Outcome.SUSPECTED:
                self.hearsay.begins(member)
            self._suspect(member, outcome, accusers, reporter)
        return outcome

    def failed(self, member: Member, failure: Failure, accuses: bool) -> None:
        """Take the end of a probe without an answer; ``accuses``: this node accuses its target."""
        (self.accuse if accuses else self._unanswered)(member, failure)

    def accuse(self, member: Member, failure: Failure) -> None:
        """Suspect a member at the best heartbeat known: this node's probe failed [P27]."""
        local = self._local
        self._second_hand.failed(member, failure)
        outcome = member.hear_suspect(member.k)
        self.hearsay.saw_itself(member)
        if outcome in (Outcome.SUSPECTED, Outcome.RAISED, Outcome.CONFIRMED):
            self._suspect(member, outcome, [local.me.key], local.me)
            if self._second_hand.tells(member):
                self._tell(member, member.status)
            self._schedule_death(member)

    def _unanswered(self, member: Member, failure: Failure) -> None:
        """Take the end of the question before a death: no answer came [P131]."""
        if not member.suspected or not self._must_ask(member):
            return
        self._second_hand.failed(member, failure)
        if self.hearsay.saw_itself(member):
            self._tell(member, member.status)
        self._schedule_death(member)

    def _suspect(
        self, member: Member, outcome: Outcome, accusers: list[int], reporter: Member
    ) -> None:
        local = self._local
        fresh, own = outcome is Outcome.SUSPECTED, local.me.key in accusers
        if fresh:
            self._accusations.set(member, [])
        most = local.config.confirmations + 1
        new = [key for key in dict.fromkeys(accusers) if key not in member.accusers]
        new = new[: most - len(member.accusers)]
        by = member.brought_by if not fresh else 0 if own else reporter.key
        self._accusations.set(member, member.accusers + new, by)
        if fresh:
            local.stats.suspicions += 1
            member.suspect_since = local.now
            member.note(local.now, EvidenceKind.ACCUSED, reporter.name, heartbeat=member.s)
            told = events.MemberSuspected(local.now, member.name, reporter.name, member.s)
            local.events.append(told)
            local.table.refresh(member, local.now)
            if not member.quiet:
                self._tell(member, member.status)
            self._begin_suspicion(member)
            if own:
                self._outbox.send(wire.NEWS, member)  # the accused is told at once
                ask_beside(local, self._probes, member)
            elif not member.quiet and local.chance(crowd(local.table.live_count())):
                self._probes.start(member, Purpose.SUSPICION)
                ask_beside(local, self._probes, member)
        elif new or outcome is Outcome.RAISED:
            if new:
                local.stats.suspicions_confirmed += len(new)
                count = len(member.accusers)
                member.note(local.now, EvidenceKind.CONFIRMED, reporter.name, count=count)
            self._schedule_death(member)
            if own or not (member.quiet or member.contested or self.hearsay.alarmed):
                self._tell(member, member.status)

    def _begin_suspicion(self, member: Member) -> None:
        member.suspect_since = self._local.now
        self._schedule_death(member)

    def _end_suspicion(self, member: Member, *, refuted: bool = False) -> None:
        cancel(member.suspicion_timer)
        member.suspicion_timer = None
        self.hearsay.ends(member, refuted=refuted)
        self._accusations.set(member, [])
        member.held_since = None
        member.contested = 0

    def _must_ask(self, member: Member) -> bool:
        """Return whether this node has not asked in this suspicion, or not enough [P131, P190]."""
        asks = member.failed_at is None or self._second_hand.must_ask_again(member)
        return (asks and self._asks_first) or self._second_hand.must_ask(member)

    def _schedule_death(self, member: Member) -> None:
        """Set the timer to the end of the suspicion, or to the question that comes before it.

        It is asked early enough that no death waits for the answer; at once if nobody was told.
        """
        local = self._local
        cancel(member.suspicion_timer)
        when = member.suspect_since + timeout(local, len(member.accusers))
        if self._must_ask(member):
            lasts = self._probes.lasts(Purpose.DEATH)
            early = 0.0 if member.quiet else max(0.0, shortest(local) - lasts)
            when = min(when, member.suspect_since + early)
        member.suspicion_timer = local.timers.at(max(local.now, when), self._suspicion_over, member)

    def _suspicion_over(self, member: Member) -> None:
        local = self._local
        member.suspicion_timer = None
        if member.k <= NEVER or member.s < member.k or member.d >= member.k:
            return
        if must_hold(local, member):
            wait = local.now + local.config.probe_time
            member.suspicion_timer = local.timers.at(wait, self._suspicion_over, member)
            return
        if self._must_ask(member):
            # However the question ends, this timer looks again.
            self._second_hand.ask_before_death(member)
            again = local.now + self._probes.lasts(Purpose.DEATH)
            member.suspicion_timer = local.timers.at(again, self._suspicion_over, member)
            return
        if member.suspect_since + timeout(local, len(member.accusers)) > local.now:
            self._schedule_death(member)
            return
        if not self._is_taken_over(member):
            self._declare_dead(member)

    # -- this node's own health ------------------------------------------------------------

    def was_late(self, late: float, step: float) -> None:
        """Move suspicions: this node stood still, its timers say nothing of others [P43, P85].

        ``late``: how much its timers are overdue; ``step``: by how much its clock advanced at once.
        """
        local = self._local
        local.stats.late_steps += 1
        local.slow_until = local.now + 2 * local.config.probe_time
        local.events.append(events.SelfSlow(local.now, late))
        for member in local.table.gone.values():
            # Perhaps it did: evidence must be younger than the death for certain.
            member.clock_jumped(step)
        if Mechanism.LATE_HOLD in local.without:
            return
        for member in local.table.peers.values():
            if member.suspicion_timer is not None:
                member.suspect_since += late
                self._schedule_death(member)
        self._probes.begin_again()

    # -- dead ------------------------------------------------------------------------------

    def _declare_dead(self, member: Member) -> None:
        local = self._local
        by_key = local.table.by_key
        names = tuple(by_key[key].name for key in member.accusers if key in by_key)
        was = member.status
        member.declare_dead(local.now)
        self._end_suspicion(member)
        self._probation.end(member)
        member.doubted = False
        local.table.refresh(member, local.now)
        local.stats.deaths += 1
        member.note(local.now, EvidenceKind.DECLARED_DEAD, local.own.name, accusers=names)
        local.events.append(
            events.MemberDied(local.now, member.name, member.generation, max(member.d, 0), names)
        )
        self._probes.drop(member)
        self._tell(member, was)
        self.isolation.count(member)

    def hear_dead(self, member: Member, heartbeat: int, age: float, reporter: Member) -> Outcome:
        """Take a claim "dead": a suspicion, because each node declares death itself [P34, P35].

        One older than any suspicion lasts, of somebody not held alive here, is taken as a death,
        and so is any of somebody never heard alive here.
        """
        local = self._local
        if self._jumps(member, heartbeat):
            return Outcome.IGNORED
        old = member.status not in _LIVE and (
            age > 2 * local.config.suspicion_max or member.k <= NEVER
        )
        if heartbeat < member.k or not (old or Mechanism.EVERYONE_DECLARES in local.without):
            outcome = self.hear_suspect(member, heartbeat, [reporter.key], reporter)
            if member.status is Status.DEAD and outcome is not Outcome.CONTRADICTED:
                local.table.went(member, local.now - age)
            return outcome
        if member.status is Status.DEAD:
            local.table.went(member, local.now - age)
            return Outcome.IGNORED
        before = member.status
        member.merge(s=heartbeat)
        member.declare_dead(local.now - age)
        self._end_suspicion(member)
        self._probation.end(member)
        local.table.refresh(member, local.now)
        member.note(local.now, EvidenceKind.DEATH_HEARD, reporter.name, age=round(age, 3))
        if before in _LIVE:
            local.events.append(
                events.MemberDied(
                    local.now, member.name, member.generation, heartbeat, (reporter.name,)
                )
            )
            self.isolation.count(member)
        return Outcome.IGNORED

    def forget(self, member: Member) -> None:
        """Stop everything that could still act on a record: it goes away."""
        self._end_suspicion(member)
        self._probation.end(member)
        self._probes.drop(member)
