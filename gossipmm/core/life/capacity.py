"""Room in a full table: records of the gone make way for newcomers [P105]."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.types import Status
from gossipmm.core.wire.pages import Page

__all__ = ("Capacity",)

#: Records chosen at once: looking through thousands of the gone takes a millisecond.
_CHOSEN: Final = 16
#: Room that is made at once: a sixteenth of the table, but no less than so many records.
_AT_ONCE: Final = 1 / 16
_AT_LEAST: Final = 16
#: Seconds in which that much room is made again: at ``max_members`` 10,000 one record a second,
#: which is what a cluster of one join and one leave a second needs.
_REFILLED_IN: Final = 600.0


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
        gained = (self._local.now - self._filled_at) * self._most / _REFILLED_IN
        self._left = min(self._most, self._left + gained)
        self._filled_at = self._local.now
        if self._left < 1:
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
