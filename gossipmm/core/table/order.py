"""All pages of a table in the order in which a transfer tells them."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

from gossipmm.core.table.member import Member
from gossipmm.core.wire.pages import MAX_PAGE_NUMBER

__all__ = ("PageOrder", "number_and_key", "place_of")

#: Pages that are taken out at once: each moves half of a list of all, 10 us.
_AT_ONCE: Final = 32
_KEY: Final = (1 << 64) - 1


def place_of(number: int, key: int) -> int:
    """Return (page number, record key) as one number: a tuple takes 56 bytes, page 0's key none."""
    return number << 64 | key if number else key


def number_and_key(place: int) -> tuple[int, int]:
    """Return what a place is made of."""
    return place >> 64, place & _KEY


class PageOrder:
    """The place of each page, by (page number, record key): sorted."""

    __slots__ = ("_left", "pages")

    def __init__(self) -> None:
        self.pages: list[int] = []
        #: Record keys, and numbers of pages still to be taken out; readers pass them over.
        self._left: list[tuple[int, list[int]]] = []

    @property
    def waiting(self) -> bool:
        """True while pages are to be taken out."""
        return bool(self._left)

    def add(self, number: int, member: Member) -> None:
        """Put in a page; a certificate goes with page 0, and has no place of its own [P155]."""
        if number == MAX_PAGE_NUMBER:
            return
        insort(self.pages, place_of(number, member.key))

    def discard(self, member: Member) -> None:
        """Take out all pages of a record, as soon as ``tidy`` comes to them."""
        numbers = [number for number in member.pages if number != MAX_PAGE_NUMBER]
        self._left.append((member.key, numbers))
        self.tidy()

    def tidy(self, most: int = _AT_ONCE) -> None:
        """Take out some of the pages that are no longer there."""
        while self._left and most > 0:
            key, numbers = self._left[-1]
            some = numbers[-most:]
            for number in some:
                del self.pages[bisect_left(self.pages, place_of(number, key))]
            del numbers[-most:]
            most -= len(some)
            if not numbers:
                self._left.pop()
