"""What programs do: register, unregister, drain, expire, flap. Not faults, but written the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossipmm_sim.faults.base import Context, Fault, Window, fault, select
from gossipmm_sim.faults.hosts import Each, OnHosts

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = ("Churn", "Drain", "Expire", "Flap", "Forget", "Register", "ReportFailure", "Unregister")


@fault("register")
@dataclass(frozen=True, slots=True, kw_only=True)
class Register(Each):
    """Register ``topic``; with ``count``, the topics ``topic0``, ``topic1`` ..."""

    topic: str = "extra"
    #: The host registered; empty: the registering host's own name.
    host: str = ""
    count: int = 0
    #: Bytes of metadata.
    size: int = 0
    #: Seconds after which the program's silence ends it; 0: never.
    ttl: float = 0.0

    def one(self, run: Context, host: Host) -> None:
        """Register."""
        if not host.up:
            return
        metadata = {"note": "x" * self.size} if self.size else None
        for topic in _topics(self.topic, self.count):
            host.register(topic, self.host or None, metadata, ttl=self.ttl or None)


@fault("unregister")
@dataclass(frozen=True, slots=True, kw_only=True)
class Unregister(Each):
    """Take registrations back."""

    topic: str = "extra"
    host: str = ""
    count: int = 0

    def one(self, run: Context, host: Host) -> None:
        """Unregister."""
        if host.up:
            for topic in _topics(self.topic, self.count):
                host.unregister(topic, self.host or None)


def _topics(topic: str, count: int) -> list[str]:
    return [f"{topic}{number}" for number in range(count)] if count else [topic]


@fault("drain")
@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(OnHosts):
    """A registration, or with no topic the node, is draining."""

    topic: str = ""

    def begin_one(self, run: Context, host: Host) -> None:
        """Drain."""
        self._set(host, True)

    def end_one(self, run: Context, host: Host) -> None:
        """Serve again."""
        self._set(host, False)

    def _set(self, host: Host, draining: bool) -> None:
        if host.up:
            where = (self.topic, host.node_name) if self.topic else (None, None)
            host.drain(*where, draining=draining)


@fault("forget")
@dataclass(frozen=True, slots=True, kw_only=True)
class Forget(Each):
    """An operator at each of ``on`` closes the dead generation of ``name``."""

    name: str

    def one(self, run: Context, host: Host) -> None:
        """Forget."""
        if host.up:
            host.forget(self.name)


@fault("expire")
@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(Each):
    """A program at each of ``on`` hides another's registration."""

    topic: str = "compute"
    host: str = ""

    def one(self, run: Context, host: Host) -> None:
        """Expire."""
        if host.up:
            host.expire(self.topic, self.host)


@fault("report_failure")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFailure(Each):
    """A program at each of ``on`` could not reach a host."""

    topic: str = "compute"
    host: str = ""

    def one(self, run: Context, host: Host) -> None:
        """Report."""
        if host.up:
            host.report_failure(self.topic, self.host)


@fault("flap")
@dataclass(frozen=True, slots=True, kw_only=True)
class Flap(Window):
    """A topic is registered and unregistered ``rate`` times a second by each of ``on``."""

    on: str
    topic: str = "flapping"
    rate: float = 20.0

    def act(self, run: Context, key: str) -> None:
        """Flip once, and plan the next."""
        cluster = run.cluster
        if cluster.now >= self.over(run):
            return
        for host in select(run, self.on):
            if not host.up:
                continue
            if (self.topic, host.node_name) in host.wanted:
                host.unregister(self.topic)
            else:
                host.register(self.topic)
        cluster.clock.at(cluster.now + 1.0 / self.rate, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Leave it registered."""
        for host in select(run, self.on):
            if host.up:
                host.register(self.topic)


@fault("churn")
@dataclass(frozen=True, slots=True, kw_only=True)
class Churn(Window):
    """All over the cluster, ``rate`` random registrations or unregistrations a second."""

    on: str = "all"
    rate: float = 50.0
    topics: int = 20

    def act(self, run: Context, key: str) -> None:
        """Change one, and plan the next."""
        cluster = run.cluster
        if cluster.now >= self.over(run):
            return
        stream = run.stream(f"churn/{key}")
        hosts = select(run, self.on)
        host = hosts[int(stream.random() * len(hosts))]
        topic = f"churn{int(stream.random() * self.topics)}"
        if host.up:
            if (topic, host.node_name) in host.wanted:
                host.unregister(topic)
            else:
                host.register(topic)
        wait = stream.expovariate(self.rate)
        cluster.clock.at(cluster.now + wait, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Do nothing: what is registered stays."""


@fault("wait")
@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Fault):
    """Nothing; moves the time from which liveness is demanded."""

    def act(self, run: Context, key: str) -> None:
        """Do nothing."""
