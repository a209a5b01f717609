"""Takes pages: whose they are, whether they are new here, and what follows from them."""

from __future__ import annotations

from math import inf
from typing import Final, NamedTuple

from gossipmm.core.failure.detector import Detector
from gossipmm.core.life.closed_generations import ClosedGenerations
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.later_lives import LaterLives
from gossipmm.core.life.newcomers import Newcomers
from gossipmm.core.life.rotation import Rotation
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sync.judge import Judge
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.table.table import Put
from gossipmm.core.values import events
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import MOST_AHEAD_OF_OTHERS, NodeId, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page

__all__ = ("Lives", "Records")

#: Seconds between two events about lives that begin in the future.
_SAID_AGAIN_AFTER: Final = 600.0


class Lives(NamedTuple):
    """What becomes of lives that are over, of this node's name, of later lives and new names."""

    closed: ClosedGenerations
    conflict: NameConflict
    later: LaterLives
    newcomers: Newcomers


class Records:
    """Takes pages from anybody into the table."""

    def __init__(
        self,
        local: LocalState,
        broadcasts: BroadcastQueue,
        detector: Detector,
        lives: Lives,
        rotation: Rotation,
        judge: Judge | None,
    ) -> None:
        self._local = local
        self._broadcasts = broadcasts
        self._detector = detector
        self._closed, self._conflict, self._later_lives, self._newcomers = lives
        self._rotation = rotation
        #: Looks at signatures; None: this node has no identity.
        self._judge = judge
        self._said_ahead = -inf

    def hear_pages(self, inbound: Inbound) -> None:
        """Take pages from anybody; push on what is new, unless it came by anti-entropy.

        [P6, P57]
        """
        judge = self._judge
        for page in inbound.pages if judge is None else judge.in_order(inbound.pages):
            if self._is_ahead(inbound, page):
                continue
            if page.name == self._local.own.name:
                if judge is None or judge.of_own(page):
                    self._conflict.hear_page(inbound, page)
            elif judge is None:
                self._hear_page(inbound, page)
            elif (judged := judge.judge(inbound, page)) is not None:
                self._hear_page(inbound, judged)

    def _hear_page(self, inbound: Inbound, page: Page) -> None:
        table = self._local.table
        held = table.by_name.get(page.name)
        if held is None:
            if self._newcomers.must_prove(inbound, page):
                return
            self._closed.capacity.make_room(page)
        elif not self._takes(inbound, held, page):
            return
        reporter = inbound.sender.name if inbound.sender is not None else page.name
        before = held.pages.get(page.number) if held is not None else None
        put, member = self._put(held, page, reporter)
        if put is Put.NEW and member is not None:
            if before is not None and member is held:
                self._local.changes.taken(member, page, self._local.now)
            if not member.complete:
                inbound.reply.wants.append([member.key, wire.vector(member.versions)])
            if wire.OPT_MORE not in inbound.frame.options and not self._is_hushed(member):
                self._broadcasts.page(member, page.number)
        elif put is Put.KNOWN and member is not None:
            if member.pages[page.number].version == page.version:
                self._broadcasts.heard(member, page.number)
        elif put is Put.OLDER and member is not None and member.pages:
            inbound.reply.pages.append(member.any_page.raw)
            key = wire.record_key(self._local.config.cluster, page.name, page.generation)
            if key == inbound.frame.sender or (
                page.number == 0 and self._later_lives.show(member, page, key)
            ):
                self._closed.remember(key, page.name)
        elif put is Put.NO_ROOM or (put is Put.REFUSED and member is None):
            self._closed.capacity.refused(inbound, page)
        elif put is Put.CLOSED:
            inbound.reply.closed(page.name, table.minimum_generations[page.name])

    def _is_hushed(self, member: Member) -> bool:
        return self._judge is not None and self._judge.is_hushed(member.name)

    def _is_proved(self, page: Page) -> bool:
        return self._judge is not None and self._judge.is_proved(page)

    def _takes(self, inbound: Inbound, held: Member, page: Page) -> bool:
        """Return whether a page counts now: not of a life that has to prove itself [P129].

        Nor of one that changed too much of its record just before [P148].
        """
        local = self._local
        if page.generation > held.generation:
            return self._is_proved(page) or not self._later_lives.must_prove(inbound, held, page)
        if page.generation < held.generation or local.changes.may_be_taken(held, page, local.now):
            return True
        local.stats.drop(Drop.CHANGES)
        return False

    def accept(self, pages: list[Page], reporter: NodeId, pushed: bool = True) -> None:
        """Take the pages of a life that has proved itself, and push them on [P129, P189]."""
        for page in pages:
            if self._judge is not None and not self._judge.still_counts(page):
                continue
            put, member = self._put(self._local.table.by_name.get(page.name), page, reporter)
            if pushed and put is Put.NEW and member is not None:
                self._broadcasts.page(member, page.number)

    def _put(self, held: Member | None, page: Page, reporter: NodeId) -> tuple[Put, Member | None]:
        """Put a page into the table; ``held`` is the record of its name so far."""
        local = self._local
        if held is not None and page.generation > held.generation:
            self._closed.supersede(held)
        before = held.addresses if held is not None else ()
        was = held.status if held is not None else Status.UNKNOWN
        put, member = local.table.put(page, local.now)
        if put is Put.NEW and member is not None:
            if member is not held:
                before, was = (), Status.UNKNOWN
            if before and member.addresses != before:
                local.events.append(
                    events.AddressChanged(local.now, member.name, before, member.addresses)
                )
            if member.status is not was:
                self._detector.status_changed(member, was, reporter)
            if page.keys is not None:
                self._rotation.hear_told(page.keys)
            if self._judge is not None:
                self._judge.taken(member, page)
                member = local.table.by_name[page.name]
        return put, member

    def _is_ahead(self, inbound: Inbound, page: Page) -> bool:
        """Refuse a life that begins in the future; say so here once, and to itself [P14]."""
        local = self._local
        ahead = local.ahead(page.generation)
        if ahead <= MOST_AHEAD_OF_OTHERS:
            return False
        local.stats.drop(Drop.AHEAD)
        key = wire.record_key(local.config.cluster, page.name, page.generation)
        if key == inbound.frame.sender:
            inbound.reply.ahead = True
        if local.now - self._said_ahead >= _SAID_AGAIN_AFTER:
            self._said_ahead = local.now
            local.events.append(events.GenerationAhead(local.now, page.name, ahead, inbound.source))
        return True
