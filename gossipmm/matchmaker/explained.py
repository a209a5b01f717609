"""The long answer to a key: which hosts, in which state, how old, and what an empty one means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from gossipmm.answers import FoundHost, Lookup, LookupStatus
from gossipmm.config_values import nearest
from gossipmm.core.values.types import HostEntry, HostState, TopicView
from gossipmm.matchmaker.placed import Picked
from gossipmm.matchmaker.protocols import AgentControl
from gossipmm.names import weight_of, why_not_weight
from gossipmm.text.picks import why_far, why_not_picked, zones_in_words

__all__ = ("Explained", "Question")

#: What it means that all hosts of an answer are in this state.
_POOR = {HostState.STALE: LookupStatus.STALE, HostState.UNHEALTHY: LookupStatus.UNHEALTHY}


class Question(NamedTuple):
    """A key, and what the table has for it."""

    key: str
    topic: str
    #: What the topic's view is, None where no record has it; and whether the table is joined.
    view: TopicView | None
    joined: bool
    #: The hosts that ``queues`` answers with, or picks from.
    hosts: Sequence[str]
    #: The entries that the answer is about.
    entries: Mapping[str, HostEntry]
    #: Prefix of the queue keys, before the topic.
    prefix: str
    #: Of a topic's key: which hosts are picked, None where the table does not say.
    picked: Picked | None = None
    #: True if this node's own zone is preferred.
    by_zone: bool = False
    #: What a preference for near hosts did, in words; empty: none is preferred.
    words: str = ""
    #: Seconds to each host whose distance is known, where near ones are preferred.
    far: Mapping[str, float] | None = None


class Explained:
    """An answer whose hosts are worked out when they are asked for: there may be ten thousand."""

    def __init__(
        self, question: Question, control: AgentControl, source_of: Callable[[str], str]
    ) -> None:
        self._question = question
        self._control = control
        #: Says who vouches for a host that the topic does not have.
        self._source_of = source_of
        self._now = control.now()

    @property
    def topic(self) -> str:
        """The topic that the key names."""
        return self._question.topic

    @property
    def status(self) -> LookupStatus:
        """How the key was answered."""
        _, _, view, joined, hosts, entries, *_ = self._question
        worst: LookupStatus | None = None
        for host in hosts:
            entry = entries.get(host)
            if entry is None and self._source_of(host) != "elsewhere":
                continue
            found = LookupStatus.OK if entry is None else _POOR.get(entry.state, LookupStatus.OK)
            if found is LookupStatus.OK:
                return found
            worst = found
        if worst is not None:
            return worst
        if not joined:
            return LookupStatus.NOT_JOINED
        return LookupStatus.UNKNOWN_TOPIC if view is None else LookupStatus.NOBODY_ALIVE

    @property
    def hosts(self) -> Sequence[str]:
        """Names of the hosts that ``queues`` answers with, or picks from."""
        return self._question.hosts

    @cached_property
    def _hosts(self) -> frozenset[str]:
        return frozenset(self._question.hosts)

    @property
    def others(self) -> list[str]:
        """Names of the topic's other hosts, sorted."""
        return sorted(host for host in self._question.entries if host not in self._hosts)

    @property
    def zones(self) -> str:
        """What a preference for a zone or near hosts did, in words; empty: there is none."""
        if self._question.words:
            return self._question.words
        picked = self._question.picked
        if picked is None or not self._question.by_zone:
            return ""
        zone, spill = picked.place
        zones = sorted({entry.zone for entry in self._question.entries.values()} - {""})
        return zones_in_words(zone, max(0, picked.near), spill, zones, nearest(zone, zones))

    def found(self, names: Iterable[str]) -> list[FoundHost]:
        """Return what is known of these hosts."""
        names = list(names)
        entries = [self._question.entries.get(name) for name in names]
        nodes = {node for entry in entries if entry is not None for node in entry.nodes}
        heard = self._control.heard(nodes) if nodes else {}
        pairs = zip(names, entries, strict=True)
        return [self._found(name, entry, heard) for name, entry in pairs]

    def lookup(self) -> Lookup:
        """Return all of it."""
        question = self._question
        return Lookup(
            question.key,
            question.topic,
            self.status,
            tuple(self.found(self.hosts)),
            tuple(self.found(self.others)),
            self.zones,
        )

    def _why(self, host: str, entry: HostEntry, weight: int) -> str:
        """Say why a topic's key is not answered with a host, and what is odd about its weight."""
        picked = self._question.picked
        if picked is None:
            return ""
        value = entry.metadata.get("weight")
        why = why_not_weight(value) if value is not None else ""
        why = why and f"{why}: it counts as {weight}"
        if host in self._hosts:
            return why
        zone = "" if picked.spilled else picked.place.zone
        instead = why_not_picked(entry, weight, zone)
        if not instead and self._question.far is not None:
            instead = why_far(self._question.far.get(host))
        return "; ".join(filter(None, (instead, why)))

    def _found(self, host: str, entry: HostEntry | None, heard: Mapping[str, float]) -> FoundHost:
        queue = f"{self._question.prefix}{self._question.topic}.{host}"
        if entry is None:
            return FoundHost(queue, host, source=self._source_of(host))
        now = self._now
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
            entry.zone,
            weight := weight_of(entry.metadata),
            self._why(host, entry, weight) if self._question.picked is not None else "",
        )
