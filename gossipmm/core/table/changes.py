"""How much of what one member changes of its own record is taken, and so passed on [P148].

Only the latest state of a page counts, so nothing is lost by leaving out some on the way: what was
not taken is fetched when tables are compared, once there is room for the whole record.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.table.member import Member
from gossipmm.core.values.types import NodeState
from gossipmm.core.wire.pages import Page, is_later

__all__ = ("Changes",)

#: Bytes of changed pages of one life that are taken in ``_REFILL`` seconds: this, and its record
#: several times. Whoever registers a thousand hosts one by one writes each page several times.
_FLOOR: Final = 65_536
_RECORDS: Final = 4
_REFILL: Final = 30.0
#: Records whose changes are remembered. Of all others it is as if nothing had changed lately.
_KEPT: Final = 1024


class Changes:
    """The bytes of changed pages that were taken of each life lately."""

    def __init__(self) -> None:
        #: Record key -> (bytes that count still, core time at which that was so), latest last.
        self._taken: dict[int, tuple[float, float]] = {}

    def may_be_taken(self, member: Member, page: Page, now: float) -> bool:
        """Return False for a page that changes a record which changed too much lately.

        The word that it left always counts: it is the last one of a life.
        """
        held = member.pages.get(page.number)
        if (held is not None and not is_later(page, held)) or page.state is NodeState.LEFT:
            return True
        return self._left_of(member, now) < _most(member)

    def taken(self, member: Member, page: Page, now: float) -> None:
        """Charge a page that replaced another one to the life that it is of."""
        left = self._left_of(member, now)
        self._taken.pop(member.key, None)
        self._taken[member.key] = left + len(page.raw), now
        oldest = next(iter(self._taken))
        if len(self._taken) > _KEPT or now - self._taken[oldest][1] > 2 * _REFILL:
            del self._taken[
                oldest
            ]  # one for each that is added: the lives of a day go as they came

    def has_room(self, member: Member, now: float) -> bool:
        """Return whether all of a record could be taken: before, it is not asked for."""
        return self._left_of(member, now) + member.size <= _most(member)

    def _left_of(self, member: Member, now: float) -> float:
        """Return the bytes taken of a life that still count."""
        known = self._taken.get(member.key)
        if known is None:
            return 0.0
        return max(0.0, known[0] - (now - known[1]) * _most(member) / _REFILL)


def _most(member: Member) -> int:
    return _FLOOR + _RECORDS * member.size
