"""What a program of an event loop has of a simulated host: an agent's verbs, as that loop has them.

Both kinds answer what the host's core answers; they differ in what is awaited.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar

from gossipmm.config import Config
from gossipmm.core.values.events import KINDS, Event, LeaveFinished
from gossipmm.core.values.types import Address, Agreement, Health, TopicView
from gossipmm.core.values.wanted import Wanted
from gossipmm.errors import WatchOverflowError
from gossipmm.matchmaker import TableMatchMaker
from gossipmm_sim.engine.cluster import Cluster, HostLike
from gossipmm_sim.engine.host import Host

__all__ = ("Agents", "AsyncioAgent", "SimulatedWatch", "TrioAgent")

_P = ParamSpec("_P")
_T = TypeVar("_T")
_A = TypeVar("_A", bound="_Agent")

#: Seconds of the cluster's time between two looks whether something has come about.
STEP = 0.01


class _Signal(Protocol):
    """``trio.Event`` or ``asyncio.Event``."""

    def set(self) -> object:
        """Wake those that wait."""

    async def wait(self) -> object:
        """Wait until it is set."""


class SimulatedWatch:
    """The events of one host from the moment it was opened; an async iterator."""

    def __init__(
        self,
        cluster: Cluster,
        host: Host,
        wanted: Wanted,
        buffer: int,
        signal: Callable[[], _Signal],
    ) -> None:
        self._cluster = cluster
        self._host = host
        self._wanted = wanted
        self._buffer = buffer
        self._new_signal = signal
        self._signal = signal()
        self._found: deque[Event] = deque()
        self._lagged = self._over = False
        for kind in wanted.kinds or KINDS.values():
            cluster.watch(kind, self._take)

    def _take(self, host: Host, event: Event) -> None:
        if host is not self._host or not self._wanted.takes(event):
            return
        if len(self._found) < self._buffer:
            self._found.append(event)
        else:
            self._lagged = True
            self.close()
        self._signal.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._found:
            if self._lagged:
                raise WatchOverflowError(f"this watcher was more than {self._buffer} events behind")
            if self._over:
                raise StopAsyncIteration
            self._signal = self._new_signal()
            await self._signal.wait()
        return self._found.popleft()

    def close(self) -> None:
        """Stop watching. Idempotent."""
        if not self._over:
            self._over = True
            for kind in self._wanted.kinds or KINDS.values():
                self._cluster.unwatch(kind, self._take)
            self._signal.set()

    async def aclose(self) -> None:
        """Stop watching. Idempotent."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()


def _passed(
    method: Callable[Concatenate[Host, _P], _T],
) -> Callable[Concatenate[_Agent, _P], _T]:
    """Pass a verb on to the host."""

    @wraps(method)
    def call(self: _Agent, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return method(self.host, *args, **kwargs)

    return call


def _awaited(
    method: Callable[Concatenate[Host, _P], _T],
) -> Callable[Concatenate[_Agent, _P], Coroutine[Any, Any, _T]]:
    """Pass a verb on to the host, for who awaits it."""

    @wraps(method)
    async def call(self: _Agent, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return method(self.host, *args, **kwargs)

    return call


def _heard(host: Host, names: Iterable[str]) -> dict[str, float]:
    """Return when each named member that is known was last heard of (core time)."""
    found = ((name, host.member(name)) for name in names)
    return {name: member.heard for name, member in found if member is not None}


def _agreement(host: Host) -> Agreement:
    """Return the table's fingerprint, how many peers agree with it, and who does not."""
    found: Agreement = host.core.agreement()  # type: ignore[attr-defined]
    return found


def _health(host: Host) -> Health:
    """Return the health of this node: slow, deaf, its loss, what waits to be broadcast."""
    found: Health = host.call("health")
    return found


class _Agent:
    """What does not wait, whichever the loop, and what waits in either of them."""

    def __init__(
        self,
        cluster: Cluster,
        host: Host,
        sleep: Callable[[float], Awaitable[object]],
        signal: Callable[[], _Signal],
    ) -> None:
        self._cluster = cluster
        #: The simulated host, for its crashes, pauses and clocks.
        self.host = host
        self._sleep = sleep
        self._signal = signal

    @property
    def name(self) -> str:
        """This node's name."""
        return self.host.node_name

    @property
    def config(self) -> Config:
        """The configuration in use."""
        return self.host.config

    @property
    def table(self) -> Any:
        """The readers' table: ``topics`` and ``joined``."""
        return self.host.table

    @property
    def matchmaker(self) -> TableMatchMaker:
        """The matchmaker over this host's table."""
        return self.host.matchmaker

    @property
    def conflict(self) -> tuple[Address, ...]:
        """Addresses of another live process with this node's name; empty without one."""
        found: tuple[Address, ...] = self.host.core.conflict  # type: ignore[attr-defined]
        return found

    @property
    def stats(self) -> Any:
        """The core's counters."""
        return self.host.core.stats

    def now(self) -> float:
        """Core time: the clock of every ``at``, ``since`` and ``heard``."""
        return self.host.core_time()

    queues = _passed(Host.queues)
    is_alive = _passed(Host.is_alive)

    def topics(self) -> Mapping[str, TopicView]:
        """Return all known topics; each view is immutable, and replaced when it changes."""
        found: Mapping[str, TopicView] = self.host.table.topics
        return found

    def topic(self, topic: str) -> TopicView | None:
        """Return one topic, or None."""
        return self.topics().get(topic)

    def ring(self) -> dict[str, list[str]]:
        """Return the live hosts of each topic, as a classical ring."""
        return self.host.matchmaker.ring()

    def watch(
        self,
        *kinds: type[Event] | str,
        topics: Collection[str] = (),
        members: Collection[str] = (),
        buffer: int = 1024,
    ) -> SimulatedWatch:
        """Watch events from now on: an async iterator."""
        wanted = Wanted.of(kinds, topics, members)
        return SimulatedWatch(self._cluster, self.host, wanted, buffer, self._signal)

    async def wait_joined(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109
        """Wait until the table agreed with a peer's; False when ``timeout`` seconds passed."""
        end = None if timeout is None else self._cluster.now + timeout
        while not self.host.table.joined:
            if end is not None and self._cluster.now >= end:
                return False
            await self._sleep(STEP)
        return True

    async def leave(self) -> LeaveFinished:
        """Leave gracefully, and return how many members confirmed it; the host goes down."""
        with self.watch(LeaveFinished) as watch:
            self.host.leave()
            async for event in watch:
                if isinstance(event, LeaveFinished):
                    return event
        raise AssertionError("a watch ends when it is closed")


class TrioAgent(_Agent):
    """What ``gossipmm.open_agent`` gives a program, of a simulated host."""

    register = _passed(Host.register)
    unregister = _passed(Host.unregister)
    drain = _passed(Host.drain)
    undrain = _passed(Host.undrain)
    set_metadata = _passed(Host.set_metadata)
    send_event = _passed(Host.send_event)
    renew = _passed(Host.renew)
    registrations = _passed(Host.registrations)
    ack_alive = _passed(Host.ack_alive)
    report_failure = _passed(Host.report_failure)
    expire = _passed(Host.expire)
    lookup = _passed(Host.lookup)
    members = _passed(Host.members)
    member = _passed(Host.member)
    why = _passed(Host.why)
    forget = _passed(Host.forget)
    heard = _passed(_heard)
    agreement = _passed(_agreement)
    health = _passed(_health)


class AsyncioAgent(_Agent):
    """What ``gossipmm.embed.asyncio.open_agent`` gives a program, of a simulated host."""

    register = _awaited(Host.register)
    unregister = _awaited(Host.unregister)
    drain = _awaited(Host.drain)
    undrain = _awaited(Host.undrain)
    set_metadata = _awaited(Host.set_metadata)
    send_event = _awaited(Host.send_event)
    renew = _awaited(Host.renew)
    registrations = _awaited(Host.registrations)
    ack_alive = _awaited(Host.ack_alive)
    report_failure = _awaited(Host.report_failure)
    expire = _awaited(Host.expire)
    lookup = _awaited(Host.lookup)
    members = _awaited(Host.members)
    member = _awaited(Host.member)
    why = _awaited(Host.why)
    forget = _awaited(Host.forget)
    heard = _awaited(_heard)
    agreement = _awaited(_agreement)
    health = _awaited(_health)


class Agents(Generic[_A]):
    """The agents of a cluster, by the number or label of their host."""

    def __init__(self, cluster: Cluster, make: Callable[[Cluster, Host], _A]) -> None:
        self._cluster = cluster
        self._make = make

    def __getitem__(self, host: HostLike) -> _A:
        return self._make(self._cluster, self._cluster[host])

    def __iter__(self) -> Iterator[_A]:
        return (self._make(self._cluster, host) for host in self._cluster)

    def __len__(self) -> int:
        return len(self._cluster)
