"""Exchanges over the gossiped table.

Each call reads one immutable TopicView: no lock, no wait, whatever changes meanwhile. While the
table is not yet joined, hosts of a ring file stand in for those that the table does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gossipmm.answers import FoundHost, Lookup, LookupStatus
from gossipmm.core.values.types import HostEntry, HostState, TopicView
from gossipmm.matchmaker.exchanges import Exchange, Match
from gossipmm.matchmaker.keys import FANOUT, fanout_topic, split_direct
from gossipmm.matchmaker.protocols import TableReader
from gossipmm.matchmaker.ring import Ring
from gossipmm.matchmaker.turns import RoundRobin, rendezvous

_NOTHING: tuple[str, ...] = ()


class NoTable:
    """The empty table of an agent that is not open yet."""

    topics: Mapping[str, TopicView] = {}
    joined = False


class TableExchange(Exchange):
    """Base: the table, and the ring that stands in for it while it is not joined."""

    #: Prefix of the queue keys in its results, before the topic.
    prefix = ""

    def __init__(self, reader: TableReader, ring: Ring | None = None) -> None:
        self.reader = reader
        self.ring = ring
        #: Topic -> hosts of table and ring, as last answered: an equal answer is the same tuple.
        self._merged: dict[str, tuple[str, ...]] = {}

    def attach(self, reader: TableReader, name: str) -> None:
        """Read another table from now on: that of the agent of node ``name``."""
        self.reader = reader

    def topic_of(self, key: str) -> str:
        """Return the topic that a key for this exchange names."""
        return key

    def candidates(self, key: str, topic: str, view: TopicView | None) -> tuple[str, ...]:
        """Return the hosts that the table alone answers the key with."""
        raise NotImplementedError(f"{type(self).__name__} does not define candidates()")

    def hosts(self, key: str, topic: str, view: TopicView | None) -> tuple[str, ...]:
        """Return the hosts that the key is answered with, or picked from."""
        hosts = self.candidates(key, topic, view)
        if self.ring is None or self.reader.joined:
            return hosts
        return self._with_ring(key, view, hosts, self.ring.get(topic, _NOTHING))

    def _with_ring(
        self, key: str, view: TopicView | None, hosts: tuple[str, ...], ring: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Return the table's hosts and those of the ring that the table does not know, sorted."""
        known: Mapping[str, HostEntry] = view.entries if view is not None else {}
        merged = tuple(sorted({*hosts, *(host for host in ring if host not in known)}))
        topic = self.topic_of(key)
        before = self._merged.get(topic)
        if before == merged:
            return before
        if merged:
            self._merged[topic] = merged
        return merged

    def explain(self, key: str, now: float, heard: Mapping[str, float]) -> Lookup:
        """Return the long answer. ``now`` and ``heard`` as in AgentControl."""
        topic = self.topic_of(key)
        view = self.reader.topics.get(topic)
        joined = self.reader.joined
        hosts = self.hosts(key, topic, view)
        entries: Mapping[str, HostEntry] = view.entries if view is not None else {}
        found = tuple(self._found(topic, host, entries, now, heard) for host in hosts)
        others = tuple(
            self._found(topic, host, entries, now, heard)
            for host in sorted(entries)
            if host not in hosts
        )
        if any(host.source == "gossip" for host in found):
            stale = all(host.state in (HostState.STALE, None) for host in found)
            status = LookupStatus.STALE if stale else LookupStatus.OK
        elif not joined:
            status = LookupStatus.NOT_JOINED
        elif view is None:
            status = LookupStatus.UNKNOWN_TOPIC
        else:
            status = LookupStatus.NOBODY_ALIVE
        return Lookup(key, topic, status, found, others)

    def _found(
        self,
        topic: str,
        host: str,
        entries: Mapping[str, HostEntry],
        now: float,
        heard: Mapping[str, float],
    ) -> FoundHost:
        queue = f"{self.prefix}{topic}.{host}"
        entry = entries.get(host)
        if entry is None:
            in_ring = self.ring is not None and host in self.ring.get(topic, ())
            return FoundHost(queue, host, source="ring" if in_ring else "key")
        freshest = max([entry.heard, *(heard[node] for node in entry.nodes if node in heard)])
        return FoundHost(
            queue,
            host,
            entry.state,
            max(0.0, now - freshest),
            max(0.0, now - entry.since),
            "gossip",
            entry.nodes,
            entry.metadata,
        )


class TableTopicExchange(TableExchange):
    """One live host of the topic: the next in turn, or the one that a routing key belongs to."""

    def __init__(self, reader: TableReader, ring: Ring | None = None) -> None:
        super().__init__(reader, ring)
        self._turns = RoundRobin()

    def attach(self, reader: TableReader, name: str) -> None:
        """Read another table, beginning each topic at a position that depends on ``name``."""
        super().attach(reader, name)
        self._turns = RoundRobin(name, known=lambda: self.reader.topics)

    def candidates(self, key: str, topic: str, view: TopicView | None) -> tuple[str, ...]:
        """Return live hosts; suspects only while nobody is live; else stale ones."""
        return view.picks if view is not None else _NOTHING

    def run(self, key: str) -> list[Match]:
        """Return the next host in turn, or an empty list."""
        # hosts(), inlined: every cast and call of a program comes through here.
        view = self.reader.topics.get(key)
        hosts = view.picks if view is not None else _NOTHING
        if self.ring is not None and not self.reader.joined:
            hosts = self._with_ring(key, view, hosts, self.ring.get(key, _NOTHING))
        if not hosts:
            return []
        host = self._turns.pick(key, hosts)
        return [(f"{key}.{host}", host)]

    def route(self, key: str, routing_key: str | bytes) -> list[Match]:
        """Return the host of a routing key, the same one for as long as it is live."""
        hosts = self.hosts(key, key, self.reader.topics.get(key))
        if not hosts:
            return []
        host = rendezvous(routing_key, hosts)
        return [(f"{key}.{host}", host)]


class TableDirectExchange(TableExchange):
    """The host that the key names, when it is alive (or always: ``check`` False)."""

    def __init__(self, reader: TableReader, ring: Ring | None = None, check: bool = True) -> None:
        super().__init__(reader, ring)
        self.check = check

    def topic_of(self, key: str) -> str:
        """Return everything before the first dot."""
        return split_direct(key)[0]

    def candidates(self, key: str, topic: str, view: TopicView | None) -> tuple[str, ...]:
        """Return the host, if the table has it in any state that may be called directly."""
        host = split_direct(key)[1]
        return (host,) if self._answers(host, view) else _NOTHING

    def _answers(self, host: str, view: TopicView | None) -> bool:
        if not self.check:
            return True
        entry = view.entries.get(host) if view is not None else None
        if view is None or entry is None:
            return False
        return entry.state is not HostState.STALE or view.stale

    def _with_ring(
        self, key: str, view: TopicView | None, hosts: tuple[str, ...], ring: tuple[str, ...]
    ) -> tuple[str, ...]:
        host = split_direct(key)[1]
        unknown = view is None or host not in view.entries
        return (host,) if unknown and host in ring else hosts

    def run(self, key: str) -> list[Match]:
        """Return ``[(key, host)]``, or an empty list when the host is not alive."""
        topic, host = split_direct(key)
        view = self.reader.topics.get(topic)
        if self._answers(host, view):
            return [(key, host)]
        if self.ring is not None and not self.reader.joined:
            ring = self.ring.get(topic, _NOTHING)
            return [(key, host) for host in self._with_ring(key, view, _NOTHING, ring)]
        return []


class _Result(NamedTuple):
    """The last answer of a fanout, valid for as long as the hosts are the same tuple."""

    hosts: tuple[str, ...]
    matches: list[Match]
    #: The pairs of hosts answered lately.
    pairs: dict[str, Match]


class TableFanoutExchange(TableExchange):
    """All live hosts of the topic."""

    prefix = FANOUT

    def __init__(self, reader: TableReader, ring: Ring | None = None) -> None:
        super().__init__(reader, ring)
        self._results: dict[str, _Result] = {}
        self._limit = 64

    def topic_of(self, key: str) -> str:
        """Return what follows the prefix, up to the first dot."""
        return fanout_topic(key)

    def candidates(self, key: str, topic: str, view: TopicView | None) -> tuple[str, ...]:
        """Return all live and suspected hosts that are not draining; else stale ones."""
        return view.fanout if view is not None else _NOTHING

    def run(self, key: str) -> list[Match]:
        """Return every host, sorted by name; a new list each time."""
        topic = fanout_topic(key)
        hosts = self.hosts(key, topic, self.reader.topics.get(topic))
        known = self._results.get(topic)
        if known is None or known.hosts is not hosts:
            known = self._remember(topic, hosts, known)
        return known.matches.copy()

    def _remember(self, topic: str, hosts: tuple[str, ...], before: _Result | None) -> _Result:
        if not hosts:
            return _Result(hosts, [], {})
        # Pairs are kept from change to change: the first lookup after a change among 1,000 hosts
        # then takes 30 us instead of 110. Other threads may add the same pairs meanwhile.
        pairs = before.pairs if before is not None else {}
        if len(pairs) > 2 * len(hosts) + 16:
            pairs = {host: pairs[host] for host in hosts if host in pairs}
        try:
            matches = list(map(pairs.__getitem__, hosts))
        except KeyError:
            for host in hosts:
                if host not in pairs:
                    pairs[host] = (f"{FANOUT}{topic}.{host}", host)
            matches = list(map(pairs.__getitem__, hosts))
        if before is None:
            self._forget()
        self._results[topic] = known = _Result(hosts, matches, pairs)
        return known

    def _forget(self) -> None:
        """Drop the results of topics that the table no longer knows, now and then."""
        if len(self._results) < self._limit:
            return
        known = self.reader.topics
        for topic in list(self._results):
            if topic not in known:
                self._results.pop(topic, None)
        self._limit = 2 * len(self._results) + 64
