"""Takes pages: whose they are, whether they are new here, and what follows from them."""

from __future__ import annotations

from gossipmm.core.failure.detector import Detector
from gossipmm.core.life.closed_generations import ClosedGenerations
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.rotation import Rotation
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.table.table import Put
from gossipmm.core.values import events
from gossipmm.core.values.types import Address, NodeId, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page

__all__ = ("Records",)


class Records:
    """Takes pages from anybody into the table."""

    def __init__(
        self,
        local: LocalState,
        broadcasts: BroadcastQueue,
        detector: Detector,
        closed: ClosedGenerations,
        conflict: NameConflict,
        rotation: Rotation,
    ) -> None:
        self._local = local
        self._broadcasts = broadcasts
        self._detector = detector
        self._closed = closed
        self._conflict = conflict
        self._rotation = rotation

    def hear_pages(self, inbound: Inbound) -> None:
        """Take pages from anybody; push on what is new, unless it came by anti-entropy.

        [P6, P57]
        """
        local = self._local
        quiet = wire.OPT_MORE in inbound.frame.options
        for page in inbound.pages:
            if page.name == local.own.name:
                self._conflict.hear_page(inbound, page)
                continue
            held = local.table.by_name.get(page.name)
            if held is not None and page.generation > held.generation:
                self._closed.supersede(held)
            before = held.addresses if held is not None else ()
            was = held.status if held is not None else Status.UNKNOWN
            if held is None:
                self._closed.capacity.make_room(page)
            put, member = local.table.put(page, local.now)
            if put is Put.NEW and member is not None:
                if member is not held:
                    before, was = (), Status.UNKNOWN
                if member.addresses != before or not member.complete:
                    self._page_zero_changed(inbound, member, before)
                if member.status is not was:
                    self._detector.status_changed(member, was, _told_by(inbound, page))
                if page.keys is not None:
                    self._rotation.hear_told(page.keys)
                if not quiet:
                    self._broadcasts.page(member, page.number)
            elif put is Put.OLDER and member is not None and member.complete:
                inbound.reply.pages.append(member.pages[0].raw)
            elif put is Put.NO_ROOM or (put is Put.REFUSED and member is None):
                self._closed.capacity.refused(inbound, page)
            elif put is Put.CLOSED:
                inbound.reply.closed(page.name, local.table.minimum_generations[page.name])

    def _page_zero_changed(
        self, inbound: Inbound, member: Member, before: tuple[Address, ...]
    ) -> None:
        """Ask for page 0 of a new record; tell a change of address within a life."""
        local = self._local
        if not member.complete:
            inbound.reply.wants.append([member.key, wire.vector(member.versions)])
        elif before:
            local.events.append(
                events.AddressChanged(local.now, member.name, before, member.addresses)
            )


def _told_by(inbound: Inbound, page: Page) -> NodeId:
    return inbound.sender.name if inbound.sender is not None else page.name
