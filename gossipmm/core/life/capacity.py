"""Room in a full table: records of the gone make way for newcomers, or those are told [P105]."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from typing import Final

from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.types import Address, Refusal, Status
from gossipmm.core.wire.frame import record_key
from gossipmm.core.wire.pages import Page

__all__ = ("Capacity",)

#: Records chosen at once: looking through thousands of the gone takes a millisecond.
_CHOSEN: Final = 16
#: Room that is made at once: a sixteenth of the table, but no less than so many records.
_AT_ONCE: Final = 1 / 16
_AT_LEAST: Final = 8
#: Seconds in which that much room is made again: at ``max_members`` 10,000 one record a second,
#: which is what a cluster of one join and one leave a second needs.
_REFILLED_IN: Final = 600.0

#: Seconds between two looks whether there is room again.
_LOOK: Final = 10.0
#: Seconds without another refusal after which a refused node takes it back. It asks twice a second
#: while it is alone; of those that know it, each exchanges with it sooner than that.
_OVER: Final = 60.0


class Capacity:
    """Closes records of members that are gone, as newcomers need their room.

    No more than a budget allows: invented members die as they came, and each would make room for
    the next, at the price of a join, a suspicion and a death that all members tell each other.
    """

    def __init__(self, local: LocalState, close: Callable[[Member], None]) -> None:
        self._local = local
        self._close = close
        #: Records to close next, the last one first. Some may have come back, or be closed by now.
        self._next: list[Member] = []
        self._most = max(_AT_LEAST, local.config.max_members * _AT_ONCE)
        self._left = self._most
        self._filled_at = local.now
        self._is_full = False
        self._not_admitted: Token | None = None

    def refused(self, inbound: Inbound, page: Page) -> None:
        """Tell a newcomer that there is no room for it; say so here, once, until there is."""
        local = self._local
        if inbound.frame.sender == record_key(local.config.cluster, page.name, page.generation):
            inbound.reply.full = True
        if not self._is_full:
            self._is_full = True
            local.events.append(events.TableFull(local.now, True, local.config.max_members))
            local.timers.at(local.now + _LOOK, self._look)

    def _look(self, _: None) -> None:
        local = self._local
        if local.table.nearly_full:
            local.timers.at(local.now + _LOOK, self._look)
        else:
            self._is_full = False
            local.events.append(events.TableFull(local.now, False, local.config.max_members))

    def heard_refusal(self, inbound: Inbound, reason: Refusal) -> None:
        """Take it that a member does not admit this node; say so once, until that is over."""
        local = self._local
        if self._not_admitted is None:
            local.events.append(events.NotAdmitted(local.now, True, inbound.source, reason))
        else:
            cancel(self._not_admitted)
        over = local.now + _OVER
        self._not_admitted = local.timers.at(over, self._admitted, (inbound.source, reason))

    def _admitted(self, by: tuple[Address, Refusal]) -> None:
        self._not_admitted = None
        self._local.events.append(events.NotAdmitted(self._local.now, False, *by))

    @property
    def has_room(self) -> bool:
        """True while one more record finds room, or room can be made for it [P145]."""
        table = self._local.table
        return not table.full or (bool(table.gone) and self._refill() >= 1)

    def _refill(self) -> float:
        """Return how many records may be closed now."""
        gained = (self._local.now - self._filled_at) * self._most / _REFILLED_IN
        self._left = min(self._most, self._left + gained)
        self._filled_at = self._local.now
        return self._left

    def make_room(self, page: Page) -> None:
        """Close the record of one that is gone, if the page is of a newcomer to a full table.

        Those that left before those that died, and the longest gone first. What closes them is
        their minimum generation, so that nothing returns that would not after ``reap_after``.
        """
        table = self._local.table
        if not table.full or page.name in table.by_name or not table.gone:
            return
        if page.generation <= table.minimum_generations.get(page.name, -1):
            return
        if self._refill() < 1:
            return
        self._left -= 1
        while True:
            if not self._next:
                self._next = nsmallest(_CHOSEN, table.gone.values(), key=_worth)[::-1]
            member = self._next.pop()
            if table.gone.get(member.key) is member:
                self._close(member)
                return


def _worth(member: Member) -> tuple[bool, bool, float]:
    return member.status is not Status.LEFT, member.status is Status.RETURNING, member.gone_at
