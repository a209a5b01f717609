"""The readers' view: one immutable ``TopicView`` per topic, replaced when anything in it changes.

Many records may register the same (topic, host); it is listed once, in the best of their states,
for as long as at least one live record has it. Readers in any thread take no lock: they read one
attribute and then hold values that nobody changes.

What a record says is taken in at once; what readers see of it is worked out when it is published,
once for all that happened to a (topic, host) meanwhile.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from gossipmm.core.table.member import Member
from gossipmm.core.table.topic import TopicSide
from gossipmm.core.values.events import HostChanged
from gossipmm.core.values.stats import Stats
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
from gossipmm.core.wire.pages import Page
from gossipmm.names import zone_of

#: Registrations of a record that are judged again at once when its owner changes; of more, a
#: stretch at a time.
_AT_ONCE: Final = 64
#: Steps of work to judge one: 5 us.
_JUDGED: Final = 2


class _Judged:
    """The registrations of a record that wait to be judged again, page by page, round and round."""

    __slots__ = ("left", "pages", "place")

    def __init__(self, member: Member, place: int) -> None:
        self.pages = list(member.pages.values())
        self.left = len(self.pages)
        #: Where to go on: of a record that changes faster than it is judged, all has its turn.
        self.place = place % max(1, self.left)


class Index:
    """Topics of all records, and the immutable views of them."""

    __slots__ = (
        "_elsewhere",
        "_judged",
        "_marked",
        "_now",
        "_stats",
        "_topics",
        "changes",
        "hosts",
        "views",
        "waiting",
    )

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._topics: dict[Topic, TopicSide] = {}
        #: (topic, host, owner's key) -> what further pages say about it: an entry that outgrew its
        #: page is in two of them until the old one is replaced here as well.
        self._elsewhere: dict[tuple[Topic, str, int], dict[int, Registration]] = {}
        #: What is to be judged before it is shown, in order of what happened to it first.
        self._marked: dict[tuple[Topic, str], None] = {}
        #: Records with so many registrations that they are judged a stretch at a time.
        self._judged: dict[Member, _Judged] = {}
        self._now = 0.0
        #: True while readers do not see everything yet.
        self.waiting = False
        #: Views that readers see; values are replaced, never changed.
        self.views: dict[Topic, TopicView] = {}
        #: Host -> topics in which it is in any state but stale; never 0.
        self.hosts: dict[str, int] = {}
        #: Changes not yet announced as events.
        self.changes: list[HostChanged] = []

    def shared(self, member: Member, page: Page) -> Page:
        """Return a page with the names and numbers that are held already, not with equal ones."""
        entries = []
        for topic, host, state, metadata in page.entries:
            known = self._topics.get(topic)
            name = member.name if host == member.name else host
            entries.append(Registration(known.name if known else topic, name, state, metadata))
        return page._replace(name=member.name, generation=member.generation, entries=tuple(entries))

    def has(self, topic: Topic) -> bool:
        """Return whether a record registers anything under the topic."""
        return topic in self._topics

    @property
    def topics(self) -> int:
        """The number of topics."""
        return len(self._topics)

    def add(self, member: Member, entry: Registration, page: int, now: float) -> None:
        """Note that a record has an entry in a page (possibly again, or changed)."""
        topic = self._topics.get(entry.topic)
        if topic is None:
            topic = self._topics[entry.topic] = TopicSide(entry.topic)
        known = topic.owner(entry.host, member.key)
        if known is not None and known[0] is not member:
            # A record of the same life that was removed, and is not judged out of here yet.
            self._elsewhere.pop((entry.topic, entry.host, member.key), None)
        elif known is not None and known[2] != page:
            others = self._elsewhere.setdefault((entry.topic, entry.host, member.key), {})
            if _rank(member, known[2]) > _rank(member, page):
                others[page] = entry
                return
            others.pop(page, None)
            others[known[2]] = known[1]
        topic.own(entry.host, (member, entry, page))
        self._mark(entry, now)

    def is_elsewhere(self, member: Member, entry: Registration) -> bool:
        """Return whether several pages of a record have an entry: which counts may change."""
        return bool(self._elsewhere) and (entry.topic, entry.host, member.key) in self._elsewhere

    def discard(self, member: Member, entry: Registration, page: int, now: float) -> None:
        """Note that a page no longer has an entry; what other pages say about it stays."""
        topic = self._topics.get(entry.topic)
        owned = topic.owner(entry.host, member.key) if topic is not None else None
        if topic is None or owned is None or owned[0] is not member:
            return
        name = (entry.topic, entry.host, member.key)
        others = self._elsewhere.get(name, {})
        if owned[2] != page:
            others.pop(page, None)
        elif others:
            latest = max(others, key=lambda number: _rank(member, number))
            topic.own(entry.host, (member, others.pop(latest), latest))
        else:
            topic.disown(entry.host, member.key)
        if not others:
            self._elsewhere.pop(name, None)
        self._mark(entry, now)

    def rejudge(self, member: Member, now: float) -> None:
        """Judge all entries of a record again: its owner changed status."""
        self._now = now
        self.waiting = True
        self._stats.work += _JUDGED * member.registered
        waits = self._judged.pop(member, None)
        judged = _Judged(member, waits.place if waits is not None else 0)
        few = max(member.registered, judged.left, len(self._marked)) <= _AT_ONCE
        if few and not self._judged:
            self._judge_some(member, judged, 2 * _AT_ONCE)
        else:
            self._judged[member] = judged

    def forget(self, member: Member, now: float) -> None:
        """Take all entries of a record out, which is no longer in the table."""
        member.forgotten = True
        self.rejudge(member, now)

    def owners(self, topic: Topic, host: str) -> list[Member]:
        """Return the members whose records register the host there, dead ones included."""
        known = self._topics.get(topic)
        if known is None:
            return []
        return [member for member, _, _ in known.owners(host) if not member.forgotten]

    # -- publishing ------------------------------------------------------------------------------

    def publish(self, most: int) -> int:
        """Let readers see what changed since the last call, topic by topic [P9].

        Of more than ``most`` registrations only so many: the rest waits for the next call. Returns
        how many were judged.
        """
        while self._judged and len(self._marked) < most:
            member, judged = next(iter(self._judged.items()))
            self._judge_some(member, judged, most - len(self._marked))
            if not judged.left:
                del self._judged[member]
        marked, self._marked = self._marked, {}
        if len(marked) > most:
            names = iter(marked)
            now = dict.fromkeys(islice(names, most))
            self._marked = dict.fromkeys(names)
            marked = now
        touched: dict[TopicSide, None] = {}
        for name, host in marked:
            topic = self._topics.get(name)
            if topic is not None and self._judge(topic, host):
                touched[topic] = None
        for topic in touched:
            view = topic.publish()
            if topic.empty:
                del self._topics[topic.name]
                self.views.pop(topic.name, None)
            else:
                self.views[topic.name] = view
        self.waiting = bool(self._marked or self._judged)
        return len(marked)

    def _mark(self, entry: Registration, now: float) -> None:
        self._stats.work += _JUDGED
        self._marked[entry.topic, entry.host] = None
        self._now = now
        self.waiting = True

    def _judge_some(self, member: Member, judged: _Judged, most: int) -> None:
        """Mark the entries of the next pages of a record, as many as are enough."""
        while judged.left and most > 0:
            page = judged.pages[judged.place]
            judged.place = (judged.place + 1) % len(judged.pages)
            judged.left -= 1
            most -= 1 + len(page.entries)
            for entry in page.entries:
                if member.forgotten:
                    self.discard(member, entry, page.number, self._now)
                else:
                    self._marked[entry.topic, entry.host] = None

    def _judge(self, topic: TopicSide, host: str) -> bool:
        """Work out what readers see of a host; return whether the topic's view changes."""
        best: HostState | None = None
        heard = 0.0
        metadata, of_node = NO_METADATA, NO_METADATA
        nodes: list[Member] = []
        for member, entry, _ in topic.owners(host):
            state = state_of(member, entry)
            if state is None:
                continue
            nodes.append(member)
            if best is None or state < best:
                best, heard = state, member.heard
                metadata, of_node = entry.metadata, member.metadata
        old = topic.entry(host)
        name, now = topic.name, self._now
        before = old.state if old is not None else None
        if best is None:
            if old is None:
                return name not in self.views or topic.empty
            topic.stage(host, before, None)
        else:
            names: tuple[str, ...] = nodes[0].alone
            if len(nodes) > 1:
                names = tuple(sorted(member.name for member in nodes))
            since = old.since if old is not None and before is best else now
            zone = zone_of(metadata, of_node)
            new = HostEntry(name, host, best, names, metadata, since, heard, zone)
            topic.stage(host, before, new)
        if best is not before:
            self._count(host, _is_up(best) - _is_up(before))
            self.changes.append(HostChanged(now, name, host, best, before))
        return True

    def _count(self, host: str, change: int) -> None:
        """Note that a host is up in one topic more, or less."""
        if not change:
            return
        topics = self.hosts.get(host, 0) + change
        if topics:
            self.hosts[host] = topics
        else:
            del self.hosts[host]


def _is_up(state: HostState | None) -> int:
    return int(state is not None and state is not HostState.STALE)


def _rank(member: Member, page: int) -> tuple[int, int]:
    """Order two pages with one entry: all holders show the same, in whichever order they came."""
    return member.pages[page].version, page


def state_of(member: Member, entry: Registration) -> HostState | None:
    """Return how usable one record's entry is; None when it is in no lookup [P8]."""
    status = member.status
    if member.forgotten:
        return None
    if member.hidden and (entry.topic, entry.host) in member.hidden:
        return None
    if status is Status.ALIVE or status is Status.SUSPECT:
        state = entry.state
        if state is EntryState.UP and member.node_state is not NodeState.DRAINING:
            if status is Status.SUSPECT:
                return HostState.SUSPECT
            return HostState.DOUBTED if member.doubted else HostState.LIVE
        if state.draining or member.node_state is NodeState.DRAINING:
            return HostState.DRAINING
        return HostState.UNHEALTHY if state.unhealthy else HostState.UNKNOWN
    if member.vanished_at is not None and status in (Status.DEAD, Status.RETURNING):
        if entry.state is not EntryState.UP or member.node_state is NodeState.DRAINING:
            return None
        return HostState.STALE
    return None
