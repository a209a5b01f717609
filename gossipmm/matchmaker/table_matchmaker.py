"""The matchmaker over the gossiped table: what an RPC host uses instead of a ring or a Redis.

``queues`` reads a local, immutable table: it takes no lock, asks nobody and never waits. Whatever
changes something (``register``, ``report_failure``, ...) is a call to the agent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from gossipmm.answers import FoundHost, Lookup, LookupStatus
from gossipmm.config import Config
from gossipmm.core.values.types import HostEntry, HostState, OwnRegistration, TopicView
from gossipmm.errors import AgentClosedError, ForkedError
from gossipmm.matchmaker.base import HeartbeatMatchMakerBase
from gossipmm.matchmaker.bindings import DirectBinding, FanoutBinding, TopicBinding
from gossipmm.matchmaker.exchanges import Exchange, Match
from gossipmm.matchmaker.explained import Explained
from gossipmm.matchmaker.keys import (
    EMPTY_KEYS,
    FANOUT_PREFIXES,
    check_host,
    check_key,
    registered_topic,
    topic_of,
    without_topic,
)
from gossipmm.matchmaker.near import fanout_exchange, preferring, topic_exchange
from gossipmm.matchmaker.protocols import AgentControl, TableReader
from gossipmm.matchmaker.ring import load_ring, ring_of
from gossipmm.matchmaker.table import (
    NoTable,
    TableDirectExchange,
    TableExchange,
    TableTopicExchange,
)
from gossipmm.names import changed_metadata, check_ttl, checked_metadata

#: In place of a count of forks: no agent is open yet, or none ever will be again.
UNOPENED = -1
CLOSED = -2

#: How often this process's ancestry was forked. A lookup reads it to notice a fork: asking for the
#: process id is a system call, 0.05 to 0.2 us of the 1 us that a lookup takes.
_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):  # where there is fork
    os.register_at_fork(after_in_child=_count_fork)


class _Options(NamedTuple):
    """Arguments of a registration, to make it again."""

    metadata: Mapping[str, Any] | None = None
    ttl: float | None = None
    draining: bool = False


class TableMatchMaker(HeartbeatMatchMakerBase):
    """Resolves keys by the live hosts of a table; changes go to the agent whose table it is.

    Somebody else opens and closes the agent; ``gossipmm.MatchMakerGossip`` opens its own. Of
    ``config`` only ``ring_file``, ``direct_checks_liveness``, ``prefer`` and ``zone_spill`` are
    used. Raises RingFileError. After ``close`` any call raises AgentClosedError, and in a child
    forked since ForkedError.
    """

    def __init__(
        self,
        reader: TableReader | None,
        control: AgentControl | None,
        *,
        config: Config | None = None,
        heartbeat_interval: float | None = None,
    ) -> None:
        super().__init__(heartbeat_interval)
        self._config = config = Config() if config is None else config
        self._options: dict[tuple[str, str], _Options] = {}
        self._opened = UNOPENED
        self._pid = 0
        ring = load_ring(config.ring_file) if config.ring_file else None
        no_table: TableReader = NoTable()
        self._fanout = fanout_exchange(no_table, ring, config.prefer)
        self._direct = TableDirectExchange(no_table, ring, config.direct_checks_liveness)
        self._topic = topic_exchange(no_table, ring, config.prefer, config.zone_spill)
        self.add_binding(FanoutBinding(), self._fanout)
        self.add_binding(DirectBinding(), self._direct)
        self.add_binding(TopicBinding(), self._topic)
        self._own_bindings = list(self.bindings)
        if reader is not None and control is not None:
            self._attach(reader, control)

    # -- the agent -------------------------------------------------------------------------

    def open(self) -> Self:
        """Make sure that the agent can be used. Returns this matchmaker."""
        if self._opened != _forks:
            self._ready()
        return self

    def close(self) -> None:
        """Let go of the agent. Idempotent."""
        if not self._end():
            self.stop_heartbeat()

    def wait_joined(self, timeout: float | None = None) -> bool:
        """Return whether the table has agreed with a peer by now.

        An agent that somebody else opened is not waited for, whatever the ``timeout``.
        """
        self.open()
        return self._topic.reader.joined

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _ready(self) -> None:
        """Raise why the agent cannot be used, if it cannot."""
        self._check()

    def _check(self) -> None:
        """Raise AgentClosedError or ForkedError."""
        opened = self._opened  # read once: a signal handler may close it between two looks
        if opened == CLOSED:
            raise AgentClosedError("this matchmaker was closed: build a new one")
        if opened not in (_forks, UNOPENED):
            raise ForkedError(
                f"this matchmaker was opened in process {self._pid}, before the fork: "
                "build one in the child"
            )

    def _attach(self, reader: TableReader, control: AgentControl) -> None:
        self._control = control
        for exchange in (self._fanout, self._direct, self._topic):
            exchange.attach(reader, control.name)
        self._pid = os.getpid()
        self._opened = _forks

    def _end(self) -> bool:
        """Answer nothing from now on; return whether a process that this is a fork of opened it."""
        forked = self._opened not in (_forks, UNOPENED, CLOSED)
        self._opened = CLOSED
        return forked

    def _agent(self) -> AgentControl:
        """Return the agent's controls, for a call that changes something."""
        if self._opened != _forks:
            self._ready()
        return self._control

    def _named(self, key: str, host: str) -> tuple[str, str]:
        """Return the topic and host that a key of any kind and a host name.

        Backends of the original named a host ``topic.host`` throughout. Unless a host is really
        registered under such a name, it is the one behind the dot.
        """
        topic = topic_of(key)
        check_host(host)
        if (short := without_topic(topic, host)) and (topic, host) not in self.host_topic:
            view = self._topic.reader.topics.get(topic)
            if view is None or host not in view.entries:
                return topic, short
        return topic, host

    # -- lookups ---------------------------------------------------------------------------

    def queues(
        self, key: str, *, routing_key: str | bytes | None = None, prefer: str | None = None
    ) -> list[Match]:
        """Return the (queue key, host) tuples of a key.

        ``topic``: one live host, in turn; with ``routing_key`` the same host each time for as long
        as it is live. ``topic.host``: that host if it is alive. ``fanout~topic``: all live hosts.
        An empty list means nobody; ``lookup`` says which kind of nobody.

        ``prefer`` is in place of the setting of that name: ``zone`` is this node's own zone first,
        ``near`` (also of a fanout) the hosts that are estimated to be nearest, ``none`` any.
        """
        if self._opened != _forks:
            self._ready()
        plain = routing_key is None and prefer is None and type(key) is str
        if plain and self.bindings == self._own_bindings:
            return self._resolve(key)
        check_key(key)
        found: list[Match] = []
        for binding, bound, _, last in self.bindings:
            if binding.test(key):
                exchange = preferring(bound, prefer)
                if routing_key is not None and isinstance(exchange, TableTopicExchange):
                    found.extend(exchange.route(key, routing_key))
                else:
                    found.extend(exchange.run(key))
                if last:
                    break
        return found

    def _resolve(self, key: str) -> list[Match]:
        """Answer a key by the three bindings, asking none of them: each message comes through here.

        A topic that the table has is a key that could be registered, so it is not checked again.
        """
        if "." not in key and "~" not in key:
            found = self._topic.run(key)
            if not found:
                check_key(key)
            return found
        if key in EMPTY_KEYS or not key.isprintable():
            check_key(key)
        if key.startswith(FANOUT_PREFIXES):
            return self._fanout.run(key)
        return self._direct.run(key) if "." in key else self._topic.run(key)

    def lookup(self, key: str, *, prefer: str | None = None) -> Lookup:
        """Return each host with state, age and source, and what an empty answer means.

        Takes no turn of the round robin, and waits for nobody, as ``queues``; ``prefer`` as there.
        """
        found = explained(self, key, prefer=prefer)
        if isinstance(found, Explained):
            return found.lookup()
        hosts = tuple(
            FoundHost(queue, host or "", source="exchange")
            for queue, host in (found.run(key) if found is not None else ())
        )
        nobody = LookupStatus.UNKNOWN_TOPIC if found is None else LookupStatus.NOBODY_ALIVE
        return Lookup(key, topic_of(key), LookupStatus.OK if hosts else nobody, hosts)

    def host(self, key: str, host: str) -> HostEntry | None:
        """Return a host of a topic with its metadata, as the local table has it; None: unknown.

        ``key`` and ``host`` as in ``ack_alive``. Reads the table where it is called, as ``queues``:
        ``mm.host(queue, host).metadata["port"]``.
        """
        if self._opened != _forks:
            self._ready()
        topic, host = self._named(key, host)
        view = self._topic.reader.topics.get(topic)
        return view.entries.get(host) if view is not None else None

    def is_alive(self, topic: str, host: str) -> bool:
        """Return whether the host is registered for the topic and held alive here.

        Draining, doubted and suspected hosts are alive until their death is established; the
        stale ones of an agent that may be cut off are not.
        """
        entry = self.host(topic, host)
        return entry is not None and entry.state is not HostState.STALE

    def topics(self) -> Mapping[str, TopicView]:
        """Return all known topics; each view is immutable, and replaced when it changes."""
        self.open()
        return self._topic.reader.topics

    def topic(self, topic: str) -> TopicView | None:
        """Return one topic, or None."""
        return self.topics().get(topic)

    def ring(self) -> dict[str, list[str]]:
        """Return the live table as a classical ring, for hosts that still read a ring file."""
        self.open()
        return ring_of(self._topic.reader.topics)

    # -- registrations ---------------------------------------------------------------------

    def register(
        self,
        key: str,
        host: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        """Register a host for a topic; again with the same arguments: renew it.

        ``key``: the topic, or a key of the host in it (``compute.HOST``, ``fanout~compute``), which
        registers the same. ``metadata``: a small map of strings, integers and booleans, told to
        all. ``ttl``: seconds after which the registration ends unless it is acknowledged;
        ``start_heartbeat`` does that in time. Without one it lives as long as the agent.
        ``draining``: known, but in no new picks. Raises RegistrationError or LimitError; whatever
        was registered before is then unchanged.
        """
        topic = registered_topic(key, host)
        check_ttl(ttl)
        items = checked_metadata(repr(topic), metadata)
        self._agent()  # raises whatever is wrong with it before anything changes here
        with self._changing:
            pause = self._pause
            before = self._options.get((topic, host))
            options = _Options(items or None, ttl, draining)
            self._options[topic, host] = options
            try:
                # The base class registers and then acknowledges; here registering renews by itself:
                # one call to the agent, so one change of threads.
                self.backend_register(topic, f"{topic}.{host}")
            except BaseException:
                if before is None:
                    del self._options[topic, host]
                else:
                    self._options[topic, host] = before
                raise
            self.host_topic[topic, host] = host
            heart = self._heart
            if heart is not None and self._pause < pause:
                heart.nudge()

    def unregister(self, key: str, host: str) -> bool:
        """End one registration; all others stay. False: it was not registered.

        ``key`` as in ``register``.
        """
        topic = registered_topic(key, host)
        self._agent()
        with self._changing:
            known = bool(super().unregister(topic, host))
            self._options.pop((topic, host), None)
            return known

    def backend_register(self, key: str, host: str) -> None:
        """Register with the agent, as it was registered here; ``host`` is ``key.host``."""
        host = host[len(key) + 1 :]
        self._register(key, host)

    def _register(self, topic: str, host: str) -> None:
        made = self._options.get((topic, host), _Options())
        self._agent().register(topic, host, made.metadata, ttl=made.ttl, draining=made.draining)

    def backend_unregister(self, key: str, key_host: str) -> bool:
        """End the agent's registration of ``key.host``."""
        return self._agent().unregister(key, key_host[len(key) + 1 :])

    def ack_alive(self, key: str, host: str) -> bool:
        """Report that the host is alive: a message reached it, or it is this program's own.

        For another node's host this is first-hand evidence of life. A registration of this agent is
        renewed, and made again if it had expired. ``key`` may be a topic, or a queue key that
        ``queues`` returned. False: no such registration is known.
        """
        control = self._agent()
        topic, host = self._named(key, host)
        if (topic, host) not in self.host_topic:
            return control.ack_alive(topic, host)
        with self._changing:
            if (topic, host) not in self.host_topic:
                return control.ack_alive(topic, host)
            if not control.renew(topic, host):
                self._register(topic, host)
            return True

    def start_heartbeat(self) -> None:
        """Renew all registrations of this agent in the background, each well in time.

        Raises MatchMakerException when nothing was registered.
        """
        self._agent()
        super().start_heartbeat()

    def report_failure(self, key: str, host: str) -> bool:
        """Report that a message to the host failed: its owner is probed now, others are preferred.

        Never gossiped as a death. ``key`` as in ``ack_alive``. False: no such registration.
        """
        return self._agent().report_failure(*self._named(key, host))

    def expire(self, topic: str, host: str) -> bool:
        """Hide a registration here at once, as it stands. False: no such registration.

        Its owner is asked; if the registration still stands, it writes it again, which shows it
        again.
        """
        return self._agent().expire(*self._named(topic, host))

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Take registrations of this agent (without arguments: the whole node) out of new picks.

        ``topic`` alone: all hosts registered for it here. They stay in direct lookups, shown as
        draining. Returns how many changed.
        """
        changed = self._agent().drain(topic, host, draining=draining)
        with self._changing:
            for (key, name), options in self._options.items():
                node = topic is None and host is None
                if not node and topic in (None, key) and host in (None, name):
                    # If it is made again after it expired, it is as it was then.
                    self._options[key, name] = options._replace(draining=draining)
        return changed

    def undrain(self, topic: str | None = None, host: str | None = None) -> int:
        """Take them back into new picks; how many changed."""
        return self.drain(topic, host, draining=False)

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        """Change metadata of registrations of this agent (without topic and host: of its node).

        None as a value ends its key. Returns how many records changed.
        """
        changed = self._agent().set_metadata(changes, topic, host)
        with self._changing:
            for (key, name), made in self._options.items():
                if (topic or host) and topic in (None, key) and host in (None, name):
                    items = changed_metadata(repr(key), made.metadata or {}, changes)
                    self._options[key, name] = made._replace(metadata=items or None)
        return changed

    def registrations(self) -> tuple[OwnRegistration, ...]:
        """Return what was registered with the agent, by whomever, and when it ends."""
        return self._agent().registrations()

    @property
    def _pause(self) -> float:
        """Return the seconds to the next round: at most a third of the shortest time to live."""
        ttls = [options.ttl for options in list(self._options.values()) if options.ttl]
        return min([self.heartbeat_interval, *(ttl / 3 for ttl in ttls)])


def explained(
    matchmaker: TableMatchMaker, key: str, *, prefer: str | None = None
) -> Explained | Exchange | None:
    """Return the long answer to a key, whose parts can be asked for one by one.

    Of an exchange that is not ours, the exchange itself; None when no binding matches the key.
    """
    control = matchmaker._agent()
    check_key(key)
    for binding, bound, *_ in matchmaker.bindings:
        if binding.test(key):
            exchange = preferring(bound, prefer)
            if isinstance(exchange, TableExchange):
                return exchange.explain(key, control)
            return exchange
    return None
