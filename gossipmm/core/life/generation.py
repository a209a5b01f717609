"""This node's own generations: how one begins, its heartbeat, and why another one is taken."""

from __future__ import annotations

from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Context
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import MAX_GENERATION, Generation, make_generation
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page

__all__ = ("OwnGenerations",)

#: Shortest time between two generations taken by itself, doubling up to the longest.
_RENEW_MIN, _RENEW_MAX = 10.0, 600.0


class OwnGenerations:
    """Begins this node's lives, writes their pages and raises their heartbeats."""

    def __init__(self, context: Context, broadcasts: BroadcastQueue) -> None:
        self._c = context
        self._broadcasts = broadcasts
        self._born_ms = context.own.generation >> 16
        self._born_at = context.now
        self._renew_after = context.now
        self._renew_wait = _RENEW_MIN
        self._renewal: Token | None = None

    def begin(self, pages: list[Page]) -> None:
        """Put this node's own record into the table, alive."""
        c = self._c
        own = c.own
        key = wire.record_key(c.config.cluster, own.name, own.generation)
        me = Member(own.name, own.generation, key)
        me.k = own.heartbeat
        me.heard = c.now
        c.me = c.table.me = me
        c.table.insert(me, c.now)
        for page in pages:
            c.table.replace_page(me, page, c.now)

    def write(self, pages: list[Page]) -> None:
        """Own pages changed: into the table, and on the way to the others."""
        c = self._c
        for page in pages:
            c.table.replace_page(c.me, page, c.now)
            if not c.own.left:
                self._broadcasts.page(c.me, page.number)

    def raise_heartbeat(self) -> None:
        """Issue the next heartbeat; a life whose counter is at its end is followed by another.

        [P19]
        """
        own = self._c.own
        if own.heartbeat < wire.MAX_COUNTER - 1:
            own.heartbeat += 1
        else:
            self.renew("its heartbeat is at its end")

    def _generation_above(self, floor: Generation) -> Generation:
        """A generation for now that is above ``floor`` and above the current one."""
        c = self._c
        wall = self._born_ms + int((c.now - self._born_at) * 1000)
        return make_generation(wall, c.rng, floor=max(floor, c.own.generation))

    def renew(self, reason: str, floor: Generation = 0) -> None:
        """Take a new generation, at most once in ten seconds (backing off) [P18]."""
        c = self._c
        if c.own.leaving:
            return
        if c.now < self._renew_after:
            if self._renewal is None:
                self._renewal = c.timers.at(self._renew_after, self._renew_late, (reason, floor))
            return
        cancel(self._renewal)
        self._renewal = None
        calm = c.now - self._renew_after > _RENEW_MAX
        self._renew_wait = _RENEW_MIN if calm else min(2 * self._renew_wait, _RENEW_MAX)
        self._renew_after = c.now + self._renew_wait
        self._renew(reason, floor)

    def _renew_late(self, wanted: tuple[str, Generation]) -> None:
        self._renewal = None
        reason, floor = wanted
        self.renew(reason, floor)

    def _renew(self, reason: str, floor: Generation) -> None:
        c = self._c
        generation = self._generation_above(floor)
        if generation >= MAX_GENERATION:
            return  # somebody forged the last generation there is: nothing can supersede it
        previous = c.own.generation
        c.table.remove(c.me, c.now)
        c.table.close(c.own.name, previous)
        self.begin(c.own.begin(generation))
        for number in c.me.pages:
            self._broadcasts.page(c.me, number)
        c.stats.renewals += 1
        c.me.note(c.now, EvidenceKind.RENEWED, c.own.name, reason)
        c.events.append(events.GenerationRenewed(c.now, generation, previous, reason))

    def hear_of_me(self, heartbeat: int, claim: int, teller: Member) -> None:
        """A row about this node itself: refute, or find out that it is out of date [P17, P38]."""
        c = self._c
        own = c.own
        if own.leaving:
            return
        if heartbeat > own.heartbeat:
            c.stats.drop(Drop.OWN_HEARTBEAT)
            self.renew(f"{teller.name} told a heartbeat that this node never issued")
        elif claim == wire.LEFT:
            c.stats.drop(Drop.OWN_LEFT)
            self.renew(f"{teller.name} told that this node left")
        elif claim == wire.SUSPECT or claim == wire.DEAD:
            if heartbeat == own.heartbeat:
                self.raise_heartbeat()
                c.stats.own_refutations += 1
                c.me.note(
                    c.now, EvidenceKind.REFUTED_OWN, teller.name, f"heartbeat {own.heartbeat}"
                )
                self._broadcasts.claim(c.me)
            if c.known_to_sender < own.heartbeat:
                # Whoever knows it already lacks an answer to a probe, and would answer this one.
                c.reply.rows.append(c.own_row())
