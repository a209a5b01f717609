"""The base of all matchmakers, and of those with a heartbeat.

Thread-safe: any method may be called from any thread. ``HeartbeatMatchMakerBase`` is for your own
backend: define ``ack_alive``, ``backend_register`` and ``backend_unregister``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSet
from math import inf
from types import MappingProxyType

from gossipmm.errors import AgentClosedError, ConfigError, ForkedError, MatchMakerException
from gossipmm.matchmaker.bindings import Binding
from gossipmm.matchmaker.exchanges import Exchange, Match
from gossipmm.matchmaker.heart import Changing, Heart, annotated
from gossipmm.matchmaker.keys import check_key, registered_topic


def is_duration(value: object) -> bool:
    """Return whether the value is a finite number of seconds above 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < inf


class MatchMakerBase:
    """Resolves keys by its bindings; registering and heartbeats do nothing here.

    Methods that return whether something is true return None here: this matchmaker does not know.
    """

    def __init__(self) -> None:
        #: (binding, exchange, False, last), in the order in which they were added. The third was
        #: to negate the binding one day; no matchmaker looks at it.
        self.bindings: list[tuple[Binding, Exchange, bool, bool]] = []

    def add_binding(self, binding: Binding, rule: Exchange, last: bool = True) -> None:
        """Ask ``rule`` about keys that match ``binding``; with ``last``, nothing after it."""
        for given in (binding, rule):
            if isinstance(given, type):
                name = given.__name__
                raise TypeError(f"add_binding takes objects, not the class {name}: write {name}()")
        self.bindings = [*self.bindings, (binding, rule, False, last)]

    def queues(self, key: str) -> list[Match]:
        """Return the (queue key, host) tuples that the key resolves to; an empty list when none do.

        Goes through the bindings in order, and stops after the first match that was added with
        ``last``. Raises InvalidKeyError for anything that is not a key.
        """
        check_key(key)
        found: list[Match] = []
        for binding, exchange, _, last in self.bindings:
            if binding.test(key):
                found.extend(exchange.run(key))
                if last:
                    break
        return found

    def register(self, key: str, host: str) -> None:
        """Register a host for a topic on the backend."""

    def unregister(self, key: str, host: str) -> bool | None:
        """End a registration; return whether there was one."""
        return None

    def ack_alive(self, key: str, host: str) -> bool | None:
        """Acknowledge that the host is alive; False: it is not registered."""
        return None

    def is_alive(self, topic: str, host: str) -> bool | None:
        """Return whether the host is alive."""
        return None

    def expire(self, topic: str, host: str) -> bool | None:
        """End a host's registration from outside; return whether there was one."""
        return None

    def send_heartbeats(self) -> None:
        """Acknowledge every registration once."""

    def start_heartbeat(self) -> None:
        """Send heartbeats in the background from now on."""

    def stop_heartbeat(self) -> None:
        """Stop sending them."""


NOTHING: Mapping[tuple[str, str], str] = MappingProxyType({})


class Hosts(MutableSet[str]):
    """The hosts of the registrations of a matchmaker, and others that a subclass adds.

    May be walked while registrations come and go. What is made of it (``hosts | others``) is a set
    of its own.
    """

    def __init__(self, more: Iterable[str], of: Mapping[tuple[str, str], str] = NOTHING) -> None:
        self._more = more if isinstance(more, set) else set(more)
        self._of = of

    def _all(self) -> set[str]:
        return {host for _, host in tuple(self._of)} | self._more

    def __contains__(self, host: object) -> bool:
        return host in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __bool__(self) -> bool:
        return bool(self._of or self._more)

    def __repr__(self) -> str:
        return repr(self._all())

    def add(self, host: str) -> None:
        """Add a host that has no registration here."""
        self._more.add(host)

    def discard(self, host: str) -> None:
        """Take back what was added; a registration ends by ``unregister``."""
        self._more.discard(host)


class HeartbeatMatchMakerBase(MatchMakerBase):
    """Base for a matchmaker whose registrations live for as long as they are acknowledged.

    ``heartbeat_interval``: seconds between two rounds; also a class attribute for subclasses.
    """

    heartbeat_interval: float = 5.0
    #: Seconds that ``stop_heartbeat`` waits for an acknowledgement that is under way.
    stop_timeout: float = 10.0

    def __init__(self, heartbeat_interval: float | None = None) -> None:
        super().__init__()
        if heartbeat_interval is not None:
            if not is_duration(heartbeat_interval) or heartbeat_interval > threading.TIMEOUT_MAX:
                raise ConfigError(
                    f"{heartbeat_interval!r} is not a number of seconds above 0",
                    path="heartbeat_interval",
                )
            self.heartbeat_interval = heartbeat_interval
        #: (topic, host) -> host: what a round acknowledges. A subclass may write to it.
        self.host_topic: dict[tuple[str, str], str] = {}
        self._more_hosts: set[str] = set()
        # Held while one registration is made, ended or acknowledged, so that no heartbeat brings
        # back what another thread has just unregistered. Never held by a lookup.
        self._changing = Changing()
        self._heart: Heart | None = None

    @property
    def heartbeats(self) -> tuple[tuple[str, str], ...]:
        """The (key, host) pairs registered here, oldest first; a round acknowledges them."""
        return tuple(self.host_topic)

    @property
    def hosts(self) -> MutableSet[str]:
        """The hosts that have at least one registration here, and those that a subclass added."""
        return Hosts(self._more_hosts, self.host_topic)

    @hosts.setter
    def hosts(self, hosts: MutableSet[str]) -> None:
        self._more_hosts = set(hosts)

    def backend_register(self, key: str, host: str) -> None:
        """Register on the backend; ``host`` is ``key.host``. A subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define backend_register()")

    def backend_unregister(self, key: str, key_host: str) -> bool | None:
        """End the registration of ``key.host`` on the backend. A subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define backend_unregister()")

    def ack_alive(self, key: str, host: str) -> bool | None:
        """Acknowledge that the host is alive. A subclass defines it.

        Called for each registration in every heartbeat round; if the backend has forgotten the
        registration, make it again.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define ack_alive()")

    def register(self, key: str, host: str) -> None:
        """Register a host for a topic, and acknowledge it for the first time.

        ``key``: the topic, or a key of the host in it (``compute.HOST``, ``fanout~compute``), which
        registers the same. Raises RegistrationError for a bad topic or host, and for a key of
        another host. When the backend raises, that is passed on, and nothing is registered here.
        """
        topic = registered_topic(key, host)
        with self._changing:
            new = (topic, host) not in self.host_topic
            self.host_topic[topic, host] = host
            try:
                self.backend_register(topic, f"{topic}.{host}")
                self.ack_alive(topic, host)
            except BaseException:
                if new:
                    self.host_topic.pop((topic, host), None)
                raise

    def unregister(self, key: str, host: str) -> bool | None:
        """End one registration; the host's others stay. ``key`` as in ``register``."""
        topic = registered_topic(key, host)
        with self._changing:
            self.host_topic.pop((topic, host), None)
            return self.backend_unregister(topic, f"{topic}.{host}")

    def send_heartbeats(self) -> None:
        """Acknowledge every registration once.

        A failure does not keep the others from their turn; the first error is raised after the last
        of them. Registrations may come and go meanwhile.
        """
        self._send_heartbeats(lambda: False)

    def start_heartbeat(self) -> None:
        """Send heartbeats every ``heartbeat_interval`` seconds in a thread, beginning now.

        Raises MatchMakerException if nothing was registered. Does nothing if it is running already.
        A round that fails is logged, and the next one is tried.
        """
        with self._changing:
            if not self.hosts:
                raise MatchMakerException("register a host before start_heartbeat")
            heart = self._heart
            if heart is None or not heart.is_alive():
                self._heart = heart = Heart(self)
                heart.start()

    def stop_heartbeat(self) -> None:
        """Stop the heartbeats; none begins after this returns. Does nothing when none run."""
        self._stop_heart(wait=True)

    def _stop_heart(self, *, wait: bool) -> None:
        heart, self._heart = self._heart, None
        if heart is not None:
            heart.stop()
            # Where a signal handler interrupted a change, the heart waits for that; and no
            # acknowledgement is under way, as each holds what the change holds.
            if wait and not self._changing.mine():
                heart.wait(self.stop_timeout)

    @property
    def _pause(self) -> float:
        """Return the seconds to the next round."""
        return self.heartbeat_interval

    def _send_heartbeats(self, stopped: Callable[[], bool]) -> None:
        failed: list[Exception] = []
        for key, host in self.heartbeats:
            with self._changing:
                if stopped():
                    return
                if (key, host) not in self.host_topic:
                    continue
                try:
                    self.ack_alive(key, host)
                except (AgentClosedError, ForkedError, NotImplementedError):
                    raise
                except Exception as exc:
                    failed.append(annotated(exc, f"{key}.{host}"))
        if failed:
            if len(failed) > 1:
                annotated(failed[0], others=len(failed) - 1)
            raise failed[0]
