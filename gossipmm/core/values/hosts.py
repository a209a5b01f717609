"""Hosts of a large topic for readers: in sections by name, so that a change replaces one of them.

Like the tuple and the dict that small topics have, these never change, and any thread may hold one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias, overload

from gossipmm.names import weight_of

if TYPE_CHECKING:
    from gossipmm.core.values.types import HostEntry

__all__ = (
    "LISTS",
    "NO_LISTS",
    "REACHABLE",
    "STALE",
    "UNHEALTHY",
    "Entries",
    "Hosts",
    "Section",
    "Weighed",
    "weighed",
)

#: Positions of the lists of a section: live, doubted, suspected and unhealthy ones are at the value
#: of their state, stale ones behind them.
UNHEALTHY: Final = 3
STALE: Final = 4
#: Live, doubted and suspected ones together: the fanout.
REACHABLE: Final = 5
LISTS: Final = 6
NO_LISTS: Final = ((),) * LISTS

#: Lists that are not empty, and the position of the first host of each among all.
_Walk: TypeAlias = tuple[list[tuple[str, ...]], list[int]]


#: Hosts in order, and the weight of each.
Weighed: TypeAlias = tuple[list[str], list[int]]


class Section:
    """The hosts of a topic from one name up to another, as readers see them. Never changed."""

    __slots__ = ("_weighed", "entries", "lists")

    def __init__(
        self, entries: dict[str, HostEntry], lists: tuple[tuple[str, ...], ...] = NO_LISTS
    ) -> None:
        self.entries = entries
        #: Hosts by state, each sorted, at ``HostState.LIVE`` ... ``REACHABLE``.
        self.lists = lists
        #: What was worked out for readers: (list, zone) -> its hosts there.
        self._weighed: dict[tuple[int, str | None], Weighed] = {}

    def weighed(self, which: int, zone: str | None) -> Weighed:
        """Return the hosts of a list and their weights; with a zone, those in it. Do not change.

        Remembered: a change of a large topic leaves nearly all of its sections as they are.
        """
        found = self._weighed.get((which, zone))
        if found is None:
            found = self._weighed[which, zone] = weighed(self.lists[which], self.entries, zone)
        return found


def weighed(
    hosts: Sequence[str], entries: Mapping[str, HostEntry], zone: str | None = None
) -> Weighed:
    """Return hosts of a topic, with a zone those in it, in their order, and the weight of each."""
    if isinstance(hosts, Hosts):
        return hosts.weighed(zone)
    names: list[str] = []
    weights: list[int] = []
    for host in hosts:
        entry = entries[host]
        if zone is None or entry.zone == zone:
            names.append(host)
            weights.append(weight_of(entry.metadata))
    return names, weights


class Hosts(Sequence[str]):
    """Host names in order, equal to a tuple of the same."""

    __slots__ = ("_made", "_sections", "_size", "_which")

    def __init__(self, sections: tuple[Section, ...], which: int, size: int) -> None:
        self._sections = sections
        self._which = which
        self._size = size
        # Threads that make it at the same time make the same.
        self._made: _Walk | None = None

    def __len__(self) -> int:
        return self._size

    def _walk(self) -> _Walk:
        made = self._made
        if made is None:
            found = [one for part in self._sections if (one := part.lists[self._which])]
            made = self._made = (found, [0, *accumulate(map(len, found))])
        return made

    def weighed(self, zone: str | None = None) -> Weighed:
        """Return all of them, with a zone those in it, and the weight of each."""
        names: list[str] = []
        weights: list[int] = []
        for part in self._sections:
            some, of_them = part.weighed(self._which, zone)
            names += some
            weights += of_them
        return names, weights

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(part.lists[self._which] for part in self._sections)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...

    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(self)[place]
        if place < 0:
            place += self._size
        if not 0 <= place < self._size:
            raise IndexError(f"position {place} of {self._size} hosts")
        lists, starts = self._walk()
        number = bisect_right(starts, place) - 1
        return lists[number][place - starts[number]]

    def __contains__(self, host: object) -> bool:
        if not isinstance(host, str):
            return False
        lists, _ = self._walk()
        number = bisect_right(lists, host, key=_first) - 1
        if number < 0:
            return False
        place = bisect_left(lists[number], host)
        return place < len(lists[number]) and lists[number][place] == host

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, Hosts)):
            return NotImplemented
        return self is other or (len(self) == len(other) and tuple(self) == tuple(other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


class Entries(Mapping[str, "HostEntry"]):
    """Entries by host, in order of the sections."""

    __slots__ = ("_firsts", "_sections", "_size")

    def __init__(self, sections: tuple[Section, ...], firsts: tuple[str, ...], size: int) -> None:
        self._sections = sections
        self._firsts = firsts
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(part.entries for part in self._sections)

    def __getitem__(self, host: str) -> HostEntry:
        return self._sections[bisect_right(self._firsts, host) - 1].entries[host]

    def get(self, host: str, default: Any = None) -> Any:
        """Return the entry of a host; ``default`` without one."""
        entries = self._sections[bisect_right(self._firsts, host) - 1].entries
        return entries.get(host, default)

    def __repr__(self) -> str:
        return repr(dict(self))


def _first(hosts: tuple[str, ...]) -> str:
    return hosts[0]
