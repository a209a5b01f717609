"""The rows of a datagram: who says what of whom, and which of it may be believed.

What a claim does to a member's verdict is the detector's part.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sending.replies import Replies
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("Claims",)

_GONE: Final = (wire.DEAD, wire.LEFT)
_LONG_AGO: Final = wire.AGES[-1]  # evidence of unknown age: before any burial that is remembered


class Claims:
    """Reads claims about members; ``detector`` acts on them."""

    def __init__(
        self,
        local: LocalState,
        detector: Detector,
        own_generations: OwnGenerations,
        replies: Replies,
    ) -> None:
        self._local = local
        self._detector = detector
        self._own = own_generations
        self._replies = replies

    def hear_rows(self, rows: bytes, teller: Member, *, delayed: bool) -> None:
        """Take the claims of a datagram [P25, P29].

        ``delayed``: a later one of the same sender overtook it, so that its evidence is of unknown
        age (a replay, perhaps).
        """
        local = self._local
        detector, by_key = self._detector, local.table.by_key
        accused: tuple[Member, int] | None = None
        accusers: list[int] = []
        for key, heartbeat, claim, age_code in wire.rows_in(rows):
            if claim == wire.ACCUSER:
                if accused is not None:
                    accusers.append(key)
                continue
            if accused is not None:
                detector.hear_suspect(accused[0], accused[1], accusers or [teller.key], teller)
                accused = None
            if claim > wire.ACCUSER:
                continue  # of a later version
            if heartbeat >= wire.MAX_COUNTER:
                local.stats.drop(Drop.OUT_OF_RANGE)
                continue
            if key == local.me.key:
                self._own.hear_of_me(heartbeat, claim, teller)
                continue
            member = by_key.get(key)
            if member is None:
                if claim in _GONE and wire.AGES[age_code] > local.config.reap_after:
                    local.stats.drop(Drop.TOO_OLD)
                else:
                    self._replies.unknown(key, claim)
                continue
            if claim == wire.ALIVE:
                if heartbeat > member.k or member.buried_at is not None:
                    # What a sender says of itself proves no more than that it was sent once.
                    age = _LONG_AGO if delayed or member is teller else wire.AGES[age_code]
                    # Of the dead, what waited here to be read counts from when it was sent.
                    told_at = local.sent_at() if member.buried_at is not None else local.now
                    detector.hear_alive(member, heartbeat, told_at - age, teller.name)
            elif claim == wire.SUSPECT or claim == wire.DEAD:
                if (
                    teller.status is not Status.ALIVE
                    and Mechanism.SUSPECT_TELLER not in local.without
                ):
                    local.stats.drop(Drop.SUSPECT_TELLER)
                elif member.status is Status.LEFT:
                    self._replies.answer(member)  # its own word ends the matter
                elif claim == wire.SUSPECT:
                    accused = (member, heartbeat)
                    accusers = []
                else:
                    self._hear_dead_row(member, heartbeat, wire.AGES[age_code], teller)
            elif claim == wire.LEFT:
                self._hear_left_row(member, wire.AGES[age_code])
        if accused is not None:
            detector.hear_suspect(accused[0], accused[1], accusers or [teller.key], teller)

    def _hear_left_row(self, member: Member, age: float) -> None:
        """Only its own page 0 makes a member left; of a left one the larger age counts.

        [P46, P84]
        """
        local = self._local
        if age > local.config.reap_after:
            local.stats.drop(Drop.TOO_OLD)
        elif member.status is Status.LEFT:
            member.gone_at = min(member.gone_at, local.now - age)
        else:
            self._replies.ask(member.key)

    def hear_stranger(self, rows: bytes) -> None:
        """Rows of a sender without a record here: good news counts, accusations do not [P82]."""
        local = self._local
        for key, heartbeat, claim, _ in wire.rows_in(rows):
            member = local.table.by_key.get(key)
            if claim == wire.ALIVE and member is not None and member is not local.me:
                if heartbeat < wire.MAX_COUNTER:
                    # Perhaps an old datagram of an earlier life: its age is not known.
                    self._detector.hear_alive(
                        member, heartbeat, local.now - _LONG_AGO, "a newcomer"
                    )
            else:
                local.stats.drop(Drop.UNKNOWN_TELLER)

    def _hear_dead_row(self, member: Member, heartbeat: int, age: float, teller: Member) -> None:
        if age > self._local.config.reap_after:
            self._local.stats.drop(Drop.TOO_OLD)
        else:
            self._detector.hear_dead(member, heartbeat, age, teller)
