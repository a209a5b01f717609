"""Reads the rows of a datagram: claims about members, and which of them may be believed.

The detector decides what a claim does to a member's verdict.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.life.capacity import Capacity
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.replies import Replies
from gossipmm.core.table.liveness import Outcome
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import UNKNOWN_NODE, Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("Claims",)

_GONE: Final = (wire.DEAD, wire.LEFT)
#: Seconds after which somebody is asked again for the page of a member that is said to have left.
_LEFT_AGAIN: Final = 5.0
#: Steps of work that an accusation is, beside its row.
_ACCUSED: Final = 4


class Claims:
    """Reads claims about members; ``detector`` acts on them."""

    def __init__(
        self,
        local: LocalState,
        detector: Detector,
        own_generations: OwnGenerations,
        replies: Replies,
        conflict: NameConflict,
        capacity: Capacity,
    ) -> None:
        self._local = local
        self._detector = detector
        self._own = own_generations
        self._replies = replies
        self._conflict = conflict
        self._capacity = capacity

    def hear_rows(self, inbound: Inbound, reporter: Member, rows: bytes) -> None:
        """Take the claims of a datagram that a member sent [P25, P29]."""
        local = self._local
        by_key = local.table.by_key
        local.stats.work += len(rows) // wire.ROW_SIZE
        accused: tuple[Member, int] | None = None
        accusers: list[int] = []
        for key, heartbeat, claim, age_code in wire.rows_in(rows):
            if claim == wire.ACCUSER:
                if accused is not None:
                    accusers.append(key)
                continue
            if accused is not None:
                self._hear_accusation(inbound, *accused, accusers, reporter)
                accused = None
            if claim > wire.ACCUSER:
                continue  # of a later version
            if heartbeat >= wire.MAX_COUNTER:
                local.stats.drop(Drop.OUT_OF_RANGE)
            elif key == local.me.key:
                believed = self._detector.hearsay.believes(reporter)
                self._own.hear_of_me(inbound, heartbeat, claim, reporter, answer=believed)
            elif (member := by_key.get(key)) is None:
                self._hear_unknown(inbound, key, claim, wire.AGES[age_code], reporter)
            elif claim == wire.ALIVE:
                if heartbeat > member.k or member.declared_dead_at is not None:
                    evidence = inbound.hearsay(member, wire.AGES[age_code])
                    self._detector.hear_alive(member, heartbeat, evidence, reporter.name)
            elif claim == wire.LEFT:
                self._hear_left(inbound, member, wire.AGES[age_code])
            elif self._may_accuse(inbound, member, reporter):
                if claim == wire.SUSPECT:
                    accused = (member, heartbeat)
                    accusers = []
                else:
                    self._hear_dead(inbound, member, heartbeat, wire.AGES[age_code], reporter)
        if accused is not None:
            self._hear_accusation(inbound, *accused, accusers, reporter)

    def _hear_unknown(
        self, inbound: Inbound, key: int, claim: int, age: float, reporter: Member
    ) -> None:
        """A claim about a member without a record here, perhaps another process of this name."""
        if self._conflict.hear_claim(key, claim, age, reporter):
            return
        if claim in _GONE and age > self._local.config.reap_after:
            self._local.stats.drop(Drop.TOO_OLD)
        elif claim not in _GONE or not self._local.table.full:
            has_room = self._capacity.has_room
            self._replies.unknown(inbound.reply, key, claim, may_ask=has_room)

    def _may_accuse(self, inbound: Inbound, member: Member, reporter: Member) -> bool:
        """Return whether an accusation counts; for a left member its own word ends the matter."""
        local = self._local
        if reporter.status is not Status.ALIVE and Mechanism.SUSPECT_REPORTER not in local.without:
            local.stats.drop(Drop.SUSPECT_REPORTER)
            return False
        if member.status is Status.LEFT:
            self._replies.answer(inbound.reply, member)
            return False
        return True

    def _hear_accusation(
        self,
        inbound: Inbound,
        member: Member,
        heartbeat: int,
        accusers: list[int],
        reporter: Member,
    ) -> None:
        self._local.stats.work += _ACCUSED
        outcome = self._detector.hear_suspect(
            member, heartbeat, accusers or [reporter.key], reporter
        )
        self._contradict(inbound, member, outcome, reporter)

    def _contradict(
        self, inbound: Inbound, member: Member, outcome: Outcome, reporter: Member
    ) -> None:
        """A stale accusation: answer its reporter with the fresher heartbeat.

        Only a claim of life refutes: two that hold it returning, each at a death below the other's
        heartbeat, would answer one another for ever.
        """
        if (
            outcome is Outcome.CONTRADICTED
            and member.declared_dead_at is None
            and Mechanism.REFUTATION_BY_ANYONE not in self._local.without
            and self._detector.hearsay.believes(reporter)
        ):
            self._replies.answer(inbound.reply, member)

    def _hear_left(self, inbound: Inbound, member: Member, age: float) -> None:
        """Take a claim "left": only page 0 makes a member left; for one that is, the age may grow.

        [P46, P84]
        """
        local = self._local
        if age > local.config.reap_after:
            local.stats.drop(Drop.TOO_OLD)
        elif member.status is Status.LEFT:
            local.table.went(member, local.now - age)
        else:
            self._replies.ask(inbound.reply, member.key)
            if local.all_sign:  # it has signed that page, or it is a lie: once is enough [P157]
                local.doubt(member.key, local.now + _LEFT_AGAIN)

    def _hear_dead(
        self, inbound: Inbound, member: Member, heartbeat: int, age: float, reporter: Member
    ) -> None:
        if age > self._local.config.reap_after:
            self._local.stats.drop(Drop.TOO_OLD)
        else:
            self._local.stats.work += _ACCUSED
            outcome = self._detector.hear_dead(member, heartbeat, age, reporter)
            self._contradict(inbound, member, outcome, reporter)

    def hear_stranger(self, inbound: Inbound) -> None:
        """Read rows of a stranger: claims of life count, accusations do not [P82]."""
        local = self._local
        for key, heartbeat, claim, age_code in wire.rows_in(inbound.frame.rows):
            member = local.table.by_key.get(key)
            if claim == wire.ALIVE and member is not None and member is not local.me:
                if heartbeat < wire.MAX_COUNTER:
                    evidence = inbound.hearsay(member, wire.AGES[age_code])
                    self._detector.hear_alive(member, heartbeat, evidence, UNKNOWN_NODE)
            else:
                local.stats.drop(Drop.UNKNOWN_REPORTER)
