"""The readers' view: one immutable ``TopicView`` per topic, replaced when anything in it changes.

Many records may register the same (topic, host); it is listed once, in the best of their states,
for as long as at least one live record has it. Readers in any thread take no lock: they read one
attribute and then hold a tuple that nobody changes.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from gossipmm.core.table.member import Member
from gossipmm.core.values.events import HostChanged
from gossipmm.core.values.types import (
    NO_METADATA,
    EntryState,
    HostEntry,
    HostState,
    NodeState,
    Registration,
    Status,
    Topic,
    TopicView,
)


class _Topic:
    """The mutable side of a topic, for the core alone."""

    __slots__ = ("doubted", "entries", "live", "owners", "reachable", "stale", "suspect")

    def __init__(self) -> None:
        #: host -> owner's key -> (owner, what it registered, in which page)
        self.owners: dict[str, dict[int, tuple[Member, Registration, int]]] = {}
        self.entries: dict[str, HostEntry] = {}
        self.live: list[str] = []
        self.doubted: list[str] = []
        self.suspect: list[str] = []
        self.stale: list[str] = []
        #: Live, doubted and suspected ones: the fanout.
        self.reachable: list[str] = []

    def list_of(self, state: HostState) -> list[str] | None:
        if state is HostState.LIVE:
            return self.live
        if state is HostState.DOUBTED:
            return self.doubted
        if state is HostState.SUSPECT:
            return self.suspect
        if state is HostState.STALE:
            return self.stale
        return None


def _remove(hosts: list[str], host: str) -> None:
    position = bisect_left(hosts, host)
    if position < len(hosts) and hosts[position] == host:
        del hosts[position]


class Index:
    """Topics of all records, and the immutable views of them."""

    __slots__ = ("_elsewhere", "_topics", "changes", "dirty", "hosts", "views")

    def __init__(self) -> None:
        self._topics: dict[Topic, _Topic] = {}
        #: (topic, host, owner's key) -> what further pages say about it: an entry that outgrew its
        #: page is in two of them until the old one is replaced here as well.
        self._elsewhere: dict[tuple[Topic, str, int], dict[int, Registration]] = {}
        self.dirty: dict[Topic, None] = {}
        #: Views that readers see; values are replaced, never changed.
        self.views: dict[Topic, TopicView] = {}
        #: Host -> topics in which it is live, doubted, suspected or draining; never 0.
        self.hosts: dict[str, int] = {}
        #: Changes not yet announced as events.
        self.changes: list[HostChanged] = []

    def add(self, member: Member, entry: Registration, page: int, now: float) -> None:
        """Note that a record has an entry in a page (possibly again, or changed)."""
        topic = self._topics.get(entry.topic)
        if topic is None:
            topic = self._topics[entry.topic] = _Topic()
        owners = topic.owners.setdefault(entry.host, {})
        known = owners.get(member.key)
        if known is not None and known[2] != page:
            others = self._elsewhere.setdefault((entry.topic, entry.host, member.key), {})
            if _rank(member, known[2]) > _rank(member, page):
                others[page] = entry
                return
            others.pop(page, None)
            others[known[2]] = known[1]
        owners[member.key] = (member, entry, page)
        self._judge(entry.topic, topic, entry.host, now)

    def is_elsewhere(self, member: Member, entry: Registration) -> bool:
        """Return whether several pages of a record have an entry: which counts may change."""
        return bool(self._elsewhere) and (entry.topic, entry.host, member.key) in self._elsewhere

    def discard(self, member: Member, entry: Registration, page: int, now: float) -> None:
        """Note that a page no longer has an entry; what other pages say about it stays."""
        topic = self._topics.get(entry.topic)
        owners = topic.owners.get(entry.host) if topic is not None else None
        if topic is None or owners is None or member.key not in owners:
            return
        name = (entry.topic, entry.host, member.key)
        others = self._elsewhere.get(name, {})
        if owners[member.key][2] != page:
            others.pop(page, None)
        elif others:
            latest = max(others, key=lambda number: _rank(member, number))
            owners[member.key] = (member, others.pop(latest), latest)
        else:
            del owners[member.key]
        if not others:
            self._elsewhere.pop(name, None)
        if not owners:
            del topic.owners[entry.host]
        self._judge(entry.topic, topic, entry.host, now)
        if not topic.owners:
            del self._topics[entry.topic]
            self.dirty[entry.topic] = None

    def rejudge(self, member: Member, now: float) -> None:
        """Judge all entries of a record again: its owner changed status."""
        for page in member.pages.values():
            for entry in page.entries:
                topic = self._topics.get(entry.topic)
                if topic is not None:
                    self._judge(entry.topic, topic, entry.host, now)

    def owners(self, topic: Topic, host: str) -> list[Member]:
        """Return the members whose records register the host there, dead ones included."""
        known = self._topics.get(topic)
        if known is None:
            return []
        return [member for member, _, _ in known.owners.get(host, {}).values()]

    def _judge(self, name: Topic, topic: _Topic, host: str, now: float) -> None:
        best: HostState | None = None
        heard = 0.0
        metadata = NO_METADATA
        nodes: list[str] = []
        for member, entry, _ in topic.owners.get(host, {}).values():
            state = state_of(member, entry)
            if state is None:
                continue
            nodes.append(member.name)
            if best is None or state < best:
                best, metadata, heard = state, entry.metadata, member.heard
        old = topic.entries.get(host)
        if best is None:
            if old is None:
                if name not in self.views:
                    self.dirty[name] = None
                return
            del topic.entries[host]
        else:
            nodes.sort()
            same = old is not None and old.state is best
            since = old.since if same and old is not None else now
            topic.entries[host] = HostEntry(name, host, best, tuple(nodes), metadata, since, heard)
        before = old.state if old is not None else None
        if best is not before:
            self._move(topic, host, before, best)
            self._count(host, _is_up(best) - _is_up(before))
            self.changes.append(HostChanged(now, name, host, best, before))
        self.dirty[name] = None

    def _count(self, host: str, change: int) -> None:
        """Note that a host is up in one topic more, or less."""
        if not change:
            return
        topics = self.hosts.get(host, 0) + change
        if topics:
            self.hosts[host] = topics
        else:
            del self.hosts[host]

    @staticmethod
    def _move(topic: _Topic, host: str, before: HostState | None, after: HostState | None) -> None:
        if before is not None:
            hosts = topic.list_of(before)
            if hosts is not None:
                _remove(hosts, host)
            if before <= HostState.SUSPECT:
                _remove(topic.reachable, host)
        if after is not None:
            hosts = topic.list_of(after)
            if hosts is not None:
                insort(hosts, host)
            if after <= HostState.SUSPECT:
                insort(topic.reachable, host)

    def publish(self) -> None:
        """Replace the views of the topics that changed since the last call, one by one [P9]."""
        if not self.dirty:
            return
        for name in self.dirty:
            topic = self._topics.get(name)
            if topic is None:
                self.views.pop(name, None)
                continue
            picks = topic.live or topic.doubted or topic.suspect
            fanout = topic.reachable
            stale = False
            if not picks and topic.stale:
                picks = fanout = topic.stale
                stale = True
            chosen = tuple(picks)
            everyone = chosen if len(fanout) == len(picks) else tuple(fanout)
            self.views[name] = TopicView(name, chosen, everyone, topic.entries.copy(), stale)
        self.dirty.clear()


def _is_up(state: HostState | None) -> int:
    return int(state is not None and state is not HostState.STALE)


def _rank(member: Member, page: int) -> tuple[int, int]:
    """Order two pages with one entry: all holders show the same, in whichever order they came."""
    return member.pages[page].version, page


def state_of(member: Member, entry: Registration) -> HostState | None:
    """Return how usable one record's entry is; None when it is in no lookup [P8]."""
    status = member.status
    if member.hidden and (entry.topic, entry.host) in member.hidden:
        return None
    if status is Status.ALIVE or status is Status.SUSPECT:
        if entry.state is EntryState.DRAINING or member.node_state is NodeState.DRAINING:
            return HostState.DRAINING
        if entry.state is not EntryState.UP:
            return HostState.UNKNOWN
        if status is Status.SUSPECT:
            return HostState.SUSPECT
        return HostState.DOUBTED if member.doubted else HostState.LIVE
    if member.vanished_at is not None and status in (Status.DEAD, Status.RETURNING):
        if entry.state is not EntryState.UP or member.node_state is NodeState.DRAINING:
            return None
        return HostState.STALE
    return None
