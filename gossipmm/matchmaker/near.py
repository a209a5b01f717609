"""Near hosts first, by the estimated round trips to the nodes that register them [P183].

* Of the hosts that could be picked, those at most twice as far as the nearest one and 5 ms more
  take turns, by weight; the others once none of these is left. A fanout has the nearest first.
* A host whose distance is not known comes last. Where none is known, all are picked.

What was worked out is kept until the topic changes, or there is news of a second later: of a
coordinate that changes nothing is copied or told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Final, NamedTuple

from gossipmm.core.values.types import TopicView
from gossipmm.matchmaker.exchanges import Exchange, Match
from gossipmm.matchmaker.explained import Question
from gossipmm.matchmaker.keys import check_preference
from gossipmm.matchmaker.placed import NOWHERE, Picked, picked
from gossipmm.matchmaker.protocols import TableReader
from gossipmm.matchmaker.ring import Ring
from gossipmm.matchmaker.table import TableFanoutExchange, TableTopicExchange
from gossipmm.text.picks import NO_DISTANCES, nearest_first, only_near

__all__ = ("NearTopicExchange", "fanout_exchange", "preferring", "topic_exchange")

#: How far from this node near hosts may be: so many times the nearest one's distance, and so many
#: seconds more, by which estimates within one data center are off.
_TIMES: Final = 2.0
_MORE: Final = 0.005
#: Seconds of news after which distances are looked at again, and more for each host.
_AGAIN: Final = 1.0
_AGAIN_PER_HOST: Final = 0.001
_NOWHERE: Final[Mapping[str, float]] = {}
_NOTHING: Sequence[str] = ()


class _Far(NamedTuple):
    """How far the hosts of a topic are from this node."""

    view: TopicView
    #: News up to then makes no difference.
    until: float
    #: Host -> seconds; hosts that are not in it are not known.
    rtts: Mapping[str, float]
    #: All hosts of the fanout, the nearest first.
    order: Sequence[str]


class _Distances:
    """How far the hosts of topics are, worked out when somebody asks."""

    def __init__(self, reader: TableReader) -> None:
        self._reader = reader
        self._far: dict[str, _Far] = {}
        self._limit = 64

    def of(self, topic: str, view: TopicView) -> _Far:
        """Return how far the hosts of a topic are."""
        trips = getattr(self._reader, "round_trips", None)
        at = trips.changed_at if trips is not None else -inf
        far = self._far.get(topic)
        if far is None or far.view is not view or at > far.until:
            if far is None:
                self._forget()
            rtts = _rtts(view, trips.of) if trips is not None else _NOWHERE
            order: Sequence[str] = view.fanout
            if rtts:
                order = tuple(sorted(order, key=lambda host: rtts.get(host, inf)))
            if far is not None and far.order == order:
                order = far.order
            until = at + _AGAIN + _AGAIN_PER_HOST * len(view.entries)
            self._far[topic] = far = _Far(view, until, rtts, order)
        return far

    def _forget(self) -> None:
        """Forget topics that the table no longer knows, now and then."""
        if len(self._far) < self._limit:
            return
        known = self._reader.topics
        for topic in list(self._far):
            if topic not in known:
                self._far.pop(topic, None)
        self._limit = 2 * len(self._far) + 64


def _rtts(view: TopicView, of: Callable[[Iterable[str]], Mapping[str, float]]) -> dict[str, float]:
    """Return how far each host is whose distance is known: the nearest of its nodes."""
    entries = [(host, entry.nodes) for host, entry in view.entries.items()]
    trips = of({node for _, nodes in entries for node in nodes})
    if not trips:
        return {}
    far = ((host, min(trips.get(node, inf) for node in nodes)) for host, nodes in entries if nodes)
    return {host: rtt for host, rtt in far if rtt < inf}


def _near(view: TopicView, rtts: Mapping[str, float], before: Picked | None) -> Picked:
    """Return the hosts of a view that are picked; ``before`` is what was worked out last."""
    found = picked(view, NOWHERE)
    nearest = min((rtts[host] for host in found.hosts if host in rtts), default=inf)
    if nearest < inf:
        limit = _TIMES * nearest + _MORE
        places = [at for at, host in enumerate(found.hosts) if rtts.get(host, inf) <= limit]
        hosts = tuple(found.hosts[at] for at in places)
        weights = found.weights and tuple(found.weights[at] for at in places)
        if weights and min(weights) == max(weights):
            weights = None
        found = found._replace(hosts=hosts, weights=weights)
    if before is not None and before.weights == found.weights and before.hosts == found.hosts:
        return before._replace(view=view)
    return found


class NearTopicExchange(TableTopicExchange):
    """One near live host of the topic: the next in turn, or the one of a routing key."""

    def __init__(self, reader: TableReader, ring: Ring | None = None, *, spill: int = 1) -> None:
        super().__init__(reader, ring, prefer="near", spill=spill)
        self._distances = _Distances(reader)
        #: Topic -> what was worked out last, and by which distances.
        self._nearest: dict[str, tuple[_Far, Picked]] = {}

    def attach(self, reader: TableReader, name: str) -> None:
        """Read another table, and the distances beside it."""
        super().attach(reader, name)
        self._distances = _Distances(reader)
        self._nearest = {}

    def picked(self, topic: str, view: TopicView | None) -> Picked | None:
        """Return which hosts of a view are picked, by distance and weight; None without a view."""
        return self._of(topic, view) if view is not None else None

    def _of(self, topic: str, view: TopicView) -> Picked:
        far = self._distances.of(topic, view)
        known = self._nearest.get(topic)
        if known is not None and known[0] is far:
            return known[1]
        if known is None and len(self._nearest) >= 2 * len(self.reader.topics) + 64:
            self._nearest = {}
        found = _near(view, far.rtts, known[1] if known is not None else None)
        self._nearest[topic] = (far, found)
        return found

    def offered(self, topic: str, view: TopicView) -> tuple[Picked, float, Mapping[str, float]]:
        """Return who is picked, how far near hosts may be (infinite: any), how far hosts are."""
        found = self._of(topic, view)
        rtts = self._distances.of(topic, view).rtts
        nearest = min((rtts[host] for host in found.hosts if host in rtts), default=inf)
        return found, _TIMES * nearest + _MORE, rtts

    def asked(self, question: Question) -> Question:
        """Add which hosts are picked, and how far the others are."""
        if question.view is None:
            return question
        far = self._distances.of(question.topic, question.view)
        found = self.picked(question.topic, question.view)
        rtts = [far.rtts[host] for host in question.hosts if host in far.rtts]
        nearest = min(rtts, default=inf)
        words = only_near(nearest, _TIMES * nearest + _MORE) if rtts else NO_DISTANCES
        return question._replace(picked=found, words=words, far=far.rtts)

    def run(self, key: str) -> list[Match]:
        """Return the next near host in turn, or an empty list."""
        view = self.reader.topics.get(key)
        turn = self._turn(key, view, self._turns.turns.get(key))
        if turn is None:
            return []
        host = turn.hosts[turn.advance() % turn.size]
        return [(f"{key}.{host}", host)]


class NearFanoutExchange(TableFanoutExchange):
    """All live hosts of the topic, the nearest first."""

    def __init__(self, reader: TableReader, ring: Ring | None = None) -> None:
        super().__init__(reader, ring)
        self._distances = _Distances(reader)

    def attach(self, reader: TableReader, name: str) -> None:
        """Read another table, and the distances beside it."""
        super().attach(reader, name)
        self._distances = _Distances(reader)

    def candidates(self, key: str, topic: str, view: TopicView | None) -> Sequence[str]:
        """Return all hosts that a fanout has, those whose distance is not known last."""
        return self._distances.of(topic, view).order if view is not None else _NOTHING

    def asked(self, question: Question) -> Question:
        """Add how far the nearest is."""
        if question.view is None:
            return question
        rtts = self._distances.of(question.topic, question.view).rtts
        known = [rtts[host] for host in question.hosts if host in rtts]
        return question._replace(words=nearest_first(min(known)) if known else NO_DISTANCES)


def topic_exchange(
    reader: TableReader, ring: Ring | None, prefer: str, spill: int
) -> TableTopicExchange:
    """Return the exchange of topics for a preference."""
    if prefer == "near":
        return NearTopicExchange(reader, ring, spill=spill)
    return TableTopicExchange(reader, ring, prefer=prefer, spill=spill)


def fanout_exchange(reader: TableReader, ring: Ring | None, prefer: str) -> TableFanoutExchange:
    """Return the exchange of fanouts for a preference: they know no zones."""
    near = prefer == "near"
    return NearFanoutExchange(reader, ring) if near else TableFanoutExchange(reader, ring)


def preferring(exchange: Exchange, prefer: str | None) -> Exchange:
    """Return the exchange to ask in place of this one, with a preference; None: this one.

    Each has turns of its own. Raises InvalidKeyError.
    """
    if prefer is None:
        return exchange
    check_preference(prefer)
    if isinstance(exchange, TableTopicExchange) and exchange.prefer != prefer:
        if (twin := exchange.twins.get(prefer)) is not None:
            return twin
        made = topic_exchange(exchange.reader, exchange.ring, prefer, exchange.spill)
        return exchange.keep(prefer, made)
    if isinstance(exchange, TableFanoutExchange):
        prefer = "near" if prefer == "near" else "none"
        if isinstance(exchange, NearFanoutExchange) is (prefer == "near"):
            return exchange
        if (twin := exchange.twins.get(prefer)) is not None:
            return twin
        return exchange.keep(prefer, fanout_exchange(exchange.reader, exchange.ring, prefer))
    return exchange
