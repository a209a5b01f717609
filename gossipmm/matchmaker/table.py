"""Exchanges over the gossiped table.

Each call reads one immutable TopicView: no lock, no wait, whatever changes meanwhile. While the
table is not yet joined, hosts of a ring file stand in for those that the table does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from gossipmm.core.values.types import HostEntry, HostState, TopicView
from gossipmm.matchmaker.exchanges import Exchange, Match
from gossipmm.matchmaker.explained import Explained, Question
from gossipmm.matchmaker.keys import FANOUT, fanout_topic, split_direct
from gossipmm.matchmaker.placed import NOWHERE, Picked, Place, picked
from gossipmm.matchmaker.protocols import AgentControl, TableReader
from gossipmm.matchmaker.ring import Ring
from gossipmm.matchmaker.turns import RoundRobin, Routes, Turn

_NOTHING: Sequence[str] = ()
_NO_ENTRIES: Mapping[str, HostEntry] = MappingProxyType({})


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
        self._merged: dict[str, Sequence[str]] = {}
        #: The same with other preferences, for calls that ask for one.
        self.twins: dict[str, TableExchange] = {}
        self._name = ""

    def attach(self, reader: TableReader, name: str) -> None:
        """Read another table from now on: that of the agent of node ``name``."""
        self.reader = reader
        self._name = name
        self.twins = {}

    def keep(self, prefer: str, twin: TableExchange) -> TableExchange:
        """Keep the exchange of another preference, over the same table."""
        twin.attach(self.reader, self._name)
        # Threads that are here at the same time may make one each: one of them stays.
        return self.twins.setdefault(prefer, twin)

    def topic_of(self, key: str) -> str:
        """Return the topic that a key for this exchange names."""
        return key

    def candidates(self, key: str, topic: str, view: TopicView | None) -> Sequence[str]:
        """Return the hosts that the table alone answers the key with."""
        raise NotImplementedError(f"{type(self).__name__} does not define candidates()")

    def hosts(self, key: str, topic: str, view: TopicView | None) -> Sequence[str]:
        """Return the hosts that the key is answered with, or picked from."""
        hosts = self.candidates(key, topic, view)
        if self.ring is None or self.reader.joined:
            return hosts
        return self._with_ring(key, view, hosts, self.ring.get(topic, _NOTHING))

    def _with_ring(
        self, key: str, view: TopicView | None, hosts: Sequence[str], ring: Sequence[str]
    ) -> Sequence[str]:
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

    def shown(self, key: str, view: TopicView) -> Mapping[str, HostEntry]:
        """Return the entries that a long answer is about: here, all of the topic."""
        return view.entries

    def explain(self, key: str, control: AgentControl) -> Explained:
        """Return the long answer; ``control`` knows the time, and who was heard when."""
        topic = self.topic_of(key)
        view = self.reader.topics.get(topic)
        joined = self.reader.joined
        hosts = self.hosts(key, topic, view)
        entries = self.shown(key, view) if view is not None else _NO_ENTRIES
        question = Question(key, topic, view, joined, hosts, entries, self.prefix)
        return Explained(self.asked(question), control, partial(self._source_of, topic))

    def asked(self, question: Question) -> Question:
        """Add to a question what only some keys have."""
        return question

    def _source_of(self, topic: str, host: str) -> str:
        in_ring = self.ring is not None and host in self.ring.get(topic, ())
        return "ring" if in_ring else self.vouches(topic, host)

    def vouches(self, topic: str, host: str) -> str:
        """Return the source of a host that neither the topic nor the ring has."""
        return "key"


class TableTopicExchange(TableExchange):
    """One live host of the topic: the next in turn, or the one that a routing key belongs to.

    Weights count, and with ``prefer="zone"`` this node's own zone comes first. The hosts of a ring
    file have neither: for as long as they stand in, all take turns.
    """

    def __init__(
        self,
        reader: TableReader,
        ring: Ring | None = None,
        *,
        prefer: str = "none",
        spill: int = 1,
    ) -> None:
        super().__init__(reader, ring)
        self.prefer = prefer
        self.zone = prefer == "zone"
        self._any = prefer == "none"
        self.spill = spill
        self._turns = RoundRobin()
        self._routes = Routes(known=lambda: self.reader.topics)
        self._picked: dict[str, Picked] = {}
        self._limit = 64
        self._place = NOWHERE
        self._zone = ""

    def attach(self, reader: TableReader, name: str) -> None:
        """Read another table, beginning each topic at a position that depends on ``name``."""
        super().attach(reader, name)
        self._turns = RoundRobin(name, known=lambda: self.reader.topics)

    def candidates(self, key: str, topic: str, view: TopicView | None) -> Sequence[str]:
        """Return live hosts; suspects only while nobody is live; else stale ones."""
        if view is not None and not view.weighted and self._any:
            return view.picks
        found = self.picked(topic, view)
        return found.hosts if found is not None else _NOTHING

    def asked(self, question: Question) -> Question:
        """Add which hosts are picked, by zone and weight."""
        found = self.picked(question.topic, question.view)
        return question._replace(picked=found, by_zone=self.zone)

    def place(self) -> Place:
        """Return what the preference for a zone goes by now."""
        if not self.zone:
            return NOWHERE
        self._zone = zone = getattr(self.reader, "zone", "")
        place = self._place
        if place.zone != zone or place.spill != self.spill:
            self._place = place = Place(zone, self.spill) if zone else NOWHERE
        return place

    def picked(self, topic: str, view: TopicView | None) -> Picked | None:
        """Return which hosts of a view are picked, by zone and weight; None without a view."""
        if view is None:
            return None
        place = self.place()
        known = self._picked.get(topic)
        if known is None or known.view is not view or known.place is not place:
            if known is None:
                self._forget()
            self._picked[topic] = known = picked(view, place, known)
        return known

    def _forget(self) -> None:
        """Forget who is picked in topics that the table no longer knows, now and then."""
        if len(self._picked) < self._limit:
            return
        known = self.reader.topics
        for topic in list(self._picked):
            if topic not in known:
                self._picked.pop(topic, None)
        self._limit = 2 * len(self._picked) + 64

    def run(self, key: str) -> list[Match]:
        """Return the next host in turn, or an empty list."""
        # Every cast and call of a program comes through here. A walk knows the view that it is for.
        view = self.reader.topics.get(key)
        turn = self._turns.turns.get(key)
        if (
            turn is None
            or turn.view is not view
            or (self.ring is not None and not self.reader.joined)
            or (self.zone and getattr(self.reader, "zone", "") is not self._zone)
        ):
            turn = self._turn(key, view, turn)
            if turn is None:
                return []
        host = turn.hosts[turn.advance() % turn.size]
        return [(f"{key}.{host}", host)]

    def _turn(self, topic: str, view: TopicView | None, turn: Turn | None) -> Turn | None:
        """Return the walk around the hosts that are picked now; None: there are none."""
        found = self.picked(topic, view)
        hosts = self.hosts(topic, topic, view)
        if not hosts:
            return None
        weights = found.weights if found is not None and found.hosts is hosts else None
        if turn is None or turn.of is not hosts:
            turn = self._turns.renew(topic, hosts, turn, weights)
        # What a ring file stands in for is looked at again each time, and once it no longer does.
        stands_in = view is None or (self.ring is not None and not self.reader.joined)
        turn.view = hosts if stands_in else view
        return turn

    def route(self, key: str, routing_key: str | bytes) -> list[Match]:
        """Return the host of a routing key, the same one for as long as it is picked."""
        view = self.reader.topics.get(key)
        weights: Sequence[int] | None = None
        if view is not None and self._any and not (view.weighted or self.ring):
            hosts = view.picks
        else:
            found = self.picked(key, view)
            hosts = self.hosts(key, key, view)
            weights = found.weights if found is not None and found.hosts is hosts else None
        if not hosts:
            return []
        host = self._routes.pick(key, hosts, routing_key, weights)
        return [(f"{key}.{host}", host)]


class TableDirectExchange(TableExchange):
    """The host that the key names, when it is alive (or always: ``check`` False).

    Replies of the classical RPC go to ``zmq_replies.HOST``, a topic that no program registers.
    There the host has to be up in any topic, or a member to have its name. Until the table is
    joined, a missing host proves nothing there.
    """

    def __init__(self, reader: TableReader, ring: Ring | None = None, check: bool = True) -> None:
        super().__init__(reader, ring)
        self.check = check
        self._is_up: Callable[[str], bool] = _nobody_is_up

    def attach(self, reader: TableReader, name: str) -> None:
        """Read another table from now on: that of the agent of node ``name``."""
        super().attach(reader, name)
        self._is_up = getattr(reader, "is_up", None) or partial(_is_up_in_any, reader)

    def topic_of(self, key: str) -> str:
        """Return everything before the first dot."""
        return split_direct(key)[0]

    def candidates(self, key: str, topic: str, view: TopicView | None) -> Sequence[str]:
        """Return the host, if the table has it in any state that may be called directly."""
        host = split_direct(key)[1]
        return (host,) if self._answers(topic, host, view) else _NOTHING

    def shown(self, key: str, view: TopicView) -> Mapping[str, HostEntry]:
        """Return the entry of the host that the key names, if there is one."""
        host = split_direct(key)[1]
        entry = view.entries.get(host)
        return _NO_ENTRIES if entry is None else {host: entry}

    def vouches(self, topic: str, host: str) -> str:
        """Return "elsewhere" for a host that is up, though not in this topic; else "key"."""
        return "elsewhere" if self.check and self._is_up(host) else "key"

    def _answers(self, topic: str, host: str, view: TopicView | None) -> bool:
        if not self.check:
            return True
        if view is None:
            in_ring = self.ring is not None and topic in self.ring
            return self._is_up(host) or not (in_ring or self.reader.joined)
        entry = view.entries.get(host)
        return entry is not None and (entry.state is not HostState.STALE or view.stale)

    def _with_ring(
        self, key: str, view: TopicView | None, hosts: Sequence[str], ring: Sequence[str]
    ) -> Sequence[str]:
        host = split_direct(key)[1]
        unknown = view is None or host not in view.entries
        return (host,) if unknown and host in ring else hosts

    def run(self, key: str) -> list[Match]:
        """Return ``[(key, host)]``, or an empty list when the host is not alive."""
        # _answers() for the ordinary case, inlined: a host that its topic has.
        topic, _, host = key.partition(".")
        view = self.reader.topics.get(topic)
        if view is not None:
            entry = view.entries.get(host)
            if entry is not None and entry.state is not HostState.STALE:
                return [(key, host)]
        topic, host = split_direct(key)
        if self._answers(topic, host, view):
            return [(key, host)]
        if self.ring is not None and not self.reader.joined:
            ring = self.ring.get(topic, _NOTHING)
            return [(key, host) for host in self._with_ring(key, view, _NOTHING, ring)]
        return []


def _nobody_is_up(_host: str) -> bool:
    return False


def _is_up_in_any(reader: TableReader, host: str) -> bool:
    """Search the topics of a reader that cannot tell."""
    for topic in list(reader.topics):
        view = reader.topics.get(topic)
        entry = view.entries.get(host) if view is not None else None
        if entry is not None and entry.state is not HostState.STALE:
            return True
    return False


class _Result(NamedTuple):
    """The last answer of a fanout, valid for as long as the hosts are the same tuple."""

    hosts: Sequence[str]
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

    def candidates(self, key: str, topic: str, view: TopicView | None) -> Sequence[str]:
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

    def _remember(self, topic: str, hosts: Sequence[str], before: _Result | None) -> _Result:
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
