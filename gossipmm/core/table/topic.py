"""One topic, for the core: its hosts in sections by name, and the view that readers get of it.

A change costs a section, not the topic: with 182,000 hosts in one, a copy of everything for each
change took 154 ms.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, TypeAlias

from gossipmm.core.table.member import Member
from gossipmm.core.values.hosts import (
    LISTS,
    NO_LISTS,
    REACHABLE,
    STALE,
    UNHEALTHY,
    Entries,
    Hosts,
    Section,
)
from gossipmm.core.values.types import HostEntry, HostState, Registration, Topic, TopicView

__all__ = ("MOST", "Owned", "TopicSide")

#: Hosts of a section, at most: copying them takes 1 us, and copying the list of 2,000 sections, for
#: 182,000 hosts, 10 us. A topic with fewer hosts is a tuple and a dict for its readers.
MOST: Final = 128

#: The member that registers a host, the registration, and the number of its page.
Owned: TypeAlias = tuple[Member, Registration, int]


class _Part:
    """The owners of hosts from one name up to another, and what readers see of those hosts."""

    __slots__ = ("first", "moves", "owners", "shown", "staged")

    def __init__(self, first: str, shown: Section) -> None:
        self.first = first
        #: Host -> its owner; several: by their keys.
        self.owners: dict[str, Owned | dict[int, Owned]] = {}
        self.shown = shown
        #: Entries as they will be shown next; None while nothing has changed.
        self.staged: dict[str, HostEntry] | None = None
        #: (host, list it leaves, list it enters); -1: none.
        self.moves: list[tuple[str, int, int]] | None = None


class TopicSide:
    """The mutable side of a topic."""

    __slots__ = ("_counts", "_firsts", "_parts", "_shown", "_touched", "_weights", "name")

    def __init__(self, name: Topic) -> None:
        self.name = name
        self._parts = [_Part("", Section({}))]
        self._firsts = [""]
        self._shown = [self._parts[0].shown]
        #: Hosts in each list of all sections, and in the end all.
        self._counts = [0] * (LISTS + 1)
        self._touched: list[_Part] = []
        #: Hosts whose metadata has a weight.
        self._weights = 0

    def _part(self, host: str) -> _Part:
        if len(self._parts) == 1:
            return self._parts[0]
        return self._parts[bisect_right(self._firsts, host) - 1]

    @property
    def empty(self) -> bool:
        """True when nobody registers anything, and nothing is shown any longer."""
        return len(self._parts) == 1 and not self._parts[0].owners and not self._counts[LISTS]

    # -- owners ----------------------------------------------------------------------------------

    def owner(self, host: str, key: int) -> Owned | None:
        """Return what the record of a key registers about a host."""
        owned = self._part(host).owners.get(host)
        if type(owned) is dict:
            return owned.get(key)
        assert owned is None or type(owned) is tuple
        return owned if owned is not None and owned[0].key == key else None

    def owners(self, host: str) -> Iterator[Owned]:
        """Yield what all records register about a host, in order of arrival."""
        owned = self._part(host).owners.get(host)
        if type(owned) is dict:
            yield from owned.values()
        elif type(owned) is tuple:
            yield owned

    def own(self, host: str, owned: Owned) -> None:
        """Put, or replace, what a record registers about a host."""
        owners = self._part(host).owners
        known = owners.get(host)
        key = owned[0].key
        if type(known) is dict:
            known[key] = owned
        elif type(known) is tuple and known[0].key != key:
            owners[host] = {known[0].key: known, key: owned}
        else:
            owners[host] = owned

    def disown(self, host: str, key: int) -> None:
        """Forget what a record registers about a host."""
        owners = self._part(host).owners
        known = owners[host]
        if type(known) is not dict:
            del owners[host]
            return
        del known[key]
        if len(known) == 1:
            owners[host] = next(iter(known.values()))

    # -- what readers see ------------------------------------------------------------------------

    def entry(self, host: str) -> HostEntry | None:
        """Return the entry of a host as it will be shown."""
        part = self._part(host)
        entries = part.shown.entries if part.staged is None else part.staged
        return entries.get(host)

    def stage(self, host: str, before: HostState | None, entry: HostEntry | None) -> None:
        """Change what will be shown of a host; None: nothing."""
        part = self._part(host)
        if part.staged is None:
            part.staged = part.shown.entries.copy()
            self._touched.append(part)
        old = part.staged.pop(host, None) if entry is None else part.staged.get(host)
        self._counts[LISTS] += (entry is not None) - (old is not None)
        self._weights += _has_weight(entry) - _has_weight(old)
        if entry is not None:
            part.staged[host] = entry
        after = entry.state if entry is not None else None
        if before is not after:
            if part.moves is None:
                part.moves = []
            part.moves.append((host, _LIST_OF.get(before, -1), _LIST_OF.get(after, -1)))

    def publish(self) -> TopicView:
        """Take over what was staged; return the view."""
        for part in self._touched:
            self._show(part)
        if self._touched:
            self._touched = []
        counts = self._counts
        counts[REACHABLE] = sum(counts[:UNHEALTHY])
        which = int(HostState.LIVE)
        # A check may be what is broken: the unhealthy are picked before nobody is.
        while which < STALE and not counts[which]:
            which += 1
        stale = which == STALE and counts[STALE] > 0
        # Of nothing stale is left: those that can be reached are none either.
        everyone = which if stale or which == UNHEALTHY else REACHABLE
        weighted = self._weights > 0
        if len(self._shown) == 1:
            lists, one = self._shown[0].lists, self._shown[0].entries
            return TopicView(self.name, lists[which], lists[everyone], one, stale, weighted)
        sections = tuple(self._shown)
        picks = Hosts(sections, which, counts[which])
        same = counts[which] == counts[everyone]
        fanout = picks if same else Hosts(sections, everyone, counts[everyone])
        entries = Entries(sections, tuple(self._firsts), counts[LISTS])
        return TopicView(self.name, picks, fanout, entries, stale, weighted)

    def _show(self, part: _Part) -> None:
        staged = part.staged
        assert staged is not None
        lists = part.shown.lists
        if part.moves:
            lists = self._moved(part)
        part.staged = None
        part.shown = Section(staged, lists)
        place = bisect_right(self._firsts, part.first) - 1
        self._shown[place] = part.shown
        if len(part.owners) > MOST:
            self._divide(place)
        elif not part.owners and not staged and len(self._parts) > 1:
            self._drop(place)

    def _moved(self, part: _Part) -> tuple[tuple[str, ...], ...]:
        """Return the lists of a section after the moves."""
        lists = list(part.shown.lists)
        counts = self._counts
        for host, before, after in part.moves or ():
            if before >= 0:
                hosts = lists[before]
                place = bisect_left(hosts, host)
                lists[before] = hosts[:place] + hosts[place + 1 :]
                counts[before] -= 1
            if after >= 0:
                hosts = lists[after]
                place = bisect_left(hosts, host)
                lists[after] = (*hosts[:place], host, *hosts[place:])
                counts[after] += 1
        part.moves = None
        return _with_reachable(lists)

    def _divide(self, place: int) -> None:
        """Make several sections of one, with as many hosts each."""
        part = self._parts[place]
        names = sorted(part.owners)
        pieces = 1 + len(names) // MOST
        firsts = [names[len(names) * number // pieces] for number in range(1, pieces)]
        parts = [part, *(_Part(first, Section({})) for first in firsts)]
        entries: list[dict[str, HostEntry]] = [{} for _ in parts]
        owners, part.owners = part.owners, {}
        for host, owned in owners.items():
            parts[bisect_right(firsts, host)].owners[host] = owned
        for host, entry in part.shown.entries.items():
            entries[bisect_right(firsts, host)][host] = entry
        left = part.shown.lists
        for number in range(len(firsts), -1, -1):
            cuts = [bisect_left(hosts, parts[number].first) for hosts in left]
            lists = [hosts[cut:] for hosts, cut in zip(left, cuts, strict=True)]
            left = tuple(hosts[:cut] for hosts, cut in zip(left, cuts, strict=True))
            parts[number].shown = Section(entries[number], _with_reachable(lists))
        self._parts[place : place + 1] = parts
        self._firsts[place + 1 : place + 1] = firsts
        self._shown[place : place + 1] = [piece.shown for piece in parts]

    def _drop(self, place: int) -> None:
        """Leave out a section in which no host is left; the one before it takes over its names."""
        for one in (self._parts, self._firsts, self._shown):
            del one[place]
        self._parts[0].first = self._firsts[0] = ""


def _has_weight(entry: HostEntry | None) -> int:
    return int(entry is not None and "weight" in entry.metadata)


def _with_reachable(lists: list[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Put the hosts that can be reached, nearly always the live ones, beside those by state."""
    live, doubted, suspect = lists[:UNHEALTHY]
    others = doubted or suspect
    lists[REACHABLE] = tuple(sorted(live + doubted + suspect)) if others else live
    return tuple(lists) if any(lists) else NO_LISTS


#: Draining ones, and those of a state that this version does not know, are in no list.
_LIST_OF: Final[dict[HostState | None, int]] = {
    HostState.LIVE: 0,
    HostState.DOUBTED: 1,
    HostState.SUSPECT: 2,
    HostState.UNHEALTHY: UNHEALTHY,
    HostState.STALE: STALE,
}
