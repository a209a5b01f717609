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


class Capacity:
    """Closes records of members that are gone, as newcomers need their room."""

    def __init__(self, local: LocalState, close: Callable[[Member], None]) -> None:
        self._local = local
        self._close = close
        #: Records to close next, the last one first. Some may have come back, or be closed by now.
        self._next: list[Member] = []

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
        while True:
            if not self._next:
                self._next = nsmallest(_CHOSEN, table.gone.values(), key=_worth)[::-1]
            member = self._next.pop()
            if table.gone.get(member.key) is member:
                self._close(member)
                return


def _worth(member: Member) -> tuple[bool, bool, float]:
    return member.status is not Status.LEFT, member.status is Status.RETURNING, member.gone_at
