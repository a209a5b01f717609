"""A table and an agent small enough to see through, made of the real reader values."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from gossipmm.config import Config
from gossipmm.core.values.types import (
    NO_METADATA,
    EntryState,
    HostEntry,
    HostState,
    OwnRegistration,
    TopicView,
)
from gossipmm.errors import AgentClosedError
from gossipmm.matchmaker import MatchMakerGossip, OwnedAgent

#: What a test says of a topic: host -> state.
Hosts = Mapping[str, HostState]


def live(*hosts: str) -> dict[str, HostState]:
    return dict.fromkeys(hosts, HostState.LIVE)


def view(topic: str, hosts: Hosts, *, at: float = 0.0, heard: float = 0.0) -> TopicView:
    """Build a view by the rules that TopicView states."""
    entries = {
        host: HostEntry(topic, host, state, (f"node-{host}",), NO_METADATA, at, heard)
        for host, state in hosts.items()
    }

    def those(*states: HostState) -> tuple[str, ...]:
        return tuple(sorted(host for host, state in hosts.items() if state in states))

    stale = those(HostState.STALE)
    picks = those(HostState.LIVE) or those(HostState.DOUBTED) or those(HostState.SUSPECT)
    unhealthy = those(HostState.UNHEALTHY)
    fanout = those(HostState.LIVE, HostState.DOUBTED, HostState.SUSPECT)
    picks, fanout = picks or unhealthy, fanout or unhealthy
    if not picks and stale:
        return TopicView(topic, stale, stale, entries, True)
    return TopicView(topic, picks, fanout, entries)


class FakeTable:
    """A TableReader that a test writes."""

    def __init__(self, topics: Mapping[str, Hosts] | None = None, *, joined: bool = True) -> None:
        self.topics: dict[str, TopicView] = {}
        self.joined = joined
        #: The node's own zone.
        self.zone = ""
        #: What is known of distances (``RoundTrips``); None: nothing.
        self.round_trips: Any = None
        #: Names of members that are up.
        self.members: set[str] = set()
        for topic, hosts in (topics or {}).items():
            self.set(topic, hosts)

    def is_up(self, name: str) -> bool:
        return name in self.members or any(
            name in view.entries and view.entries[name].state is not HostState.STALE
            for view in self.topics.values()
        )

    def set(self, topic: str, hosts: Hosts, *, at: float = 0.0, heard: float = 0.0) -> None:
        self.topics[topic] = view(topic, hosts, at=at, heard=heard)


class FakeAgent:
    """An OwnedAgent that keeps its registrations in a dict, and every call in ``calls``."""

    def __init__(self, table: FakeTable | None = None, *, name: str = "me") -> None:
        self.name = name
        self.reader = table if table is not None else FakeTable()
        self.bound = ("127.0.0.1", 7946)
        self.time = 100.0
        self.calls: list[tuple[Any, ...]] = []
        self.own: dict[tuple[str, str], tuple[Mapping[str, Any] | None, float | None]] = {}
        #: What was registered as draining, last.
        self.draining: set[tuple[str, str]] = set()
        self.heard_of: dict[str, float] = {}
        self.closed = threading.Event()
        self.fails_with: Exception | None = None

    def _call(self, *call: Any) -> None:
        self.calls.append(call)
        if self.closed.is_set():
            raise AgentClosedError
        if self.fails_with is not None:
            raise self.fails_with

    def now(self) -> float:
        return self.time

    def heard(self, names: Iterable[str]) -> dict[str, float]:
        return {name: self.heard_of[name] for name in names if name in self.heard_of}

    def register(
        self,
        topic: str,
        host: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        self._call("register", topic, host, metadata, ttl)
        self.own[topic, host] = (metadata, ttl)
        (self.draining.add if draining else self.draining.discard)((topic, host))
        self._show(topic)

    def unregister(self, topic: str, host: str) -> bool:
        self._call("unregister", topic, host)
        known = self.own.pop((topic, host), None) is not None
        self._show(topic)
        return known

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        self._call("drain", topic, host, draining)
        return len(self.own) if topic is None else 1

    def undrain(self, topic: str | None = None, host: str | None = None) -> int:
        return self.drain(topic, host, draining=False)

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        self._call("set_metadata", changes, topic, host)
        return len(self.own) if topic is None else 1

    def registrations(self) -> tuple[OwnRegistration, ...]:
        return tuple(
            OwnRegistration(topic, host, metadata or {}, EntryState.UP, ttl, ttl)
            for (topic, host), (metadata, ttl) in self.own.items()
        )

    def renew(self, topic: str, host: str) -> bool:
        self._call("renew", topic, host)
        return (topic, host) in self.own

    def ack_alive(self, topic: str, host: str) -> bool:
        self._call("ack_alive", topic, host)
        return self._known(topic, host)

    def report_failure(self, topic: str, host: str) -> bool:
        self._call("report_failure", topic, host)
        return self._known(topic, host)

    def expire(self, topic: str, host: str) -> bool:
        self._call("expire", topic, host)
        return self._known(topic, host)

    def start(self) -> None:
        self._call("start")

    def wait_joined(self, timeout: float | None = None) -> bool:
        self._call("wait_joined", timeout)
        return self.reader.joined

    def ask_to_close(self) -> None:
        self.closed.set()

    def close(self) -> None:
        self.closed.set()

    def forget(self, topic: str, host: str) -> None:
        """Drop a registration as if its time to live had ended."""
        del self.own[topic, host]
        self._show(topic)

    def _known(self, topic: str, host: str) -> bool:
        found = self.reader.topics.get(topic)
        return found is not None and host in found.entries

    def _show(self, topic: str) -> None:
        self.reader.set(topic, live(*(host for name, host in self.own if name == topic)))


class OwnFake(MatchMakerGossip):
    """A gossip matchmaker whose own agent is a FakeAgent."""

    opened: list[FakeAgent]

    def open_agent(self, config: Config) -> OwnedAgent:
        agent = FakeAgent(name=config.name or "me")
        self.opened = [*getattr(self, "opened", []), agent]
        agent.start()
        return agent


def gossip(
    topics: Mapping[str, Hosts] | None = None, *, joined: bool = True, **fields: Any
) -> tuple[MatchMakerGossip, FakeTable, FakeAgent]:
    """Build a matchmaker over a fake table; all three."""
    table = FakeTable(topics, joined=joined)
    agent = FakeAgent(table)
    return MatchMakerGossip.over(table, agent, config=Config(**fields)), table, agent


def hosts_of(matches: Iterable[tuple[str, str | None]]) -> list[str | None]:
    return [host for _, host in matches]
