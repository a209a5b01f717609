"""Faults of hosts and processes: crash, restart, pause, slowness, clocks, sockets, addresses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from gossipmm_sim.engine.shell import INBOX
from gossipmm_sim.engine.signing import MODES
from gossipmm_sim.faults.base import Context, Fault, Window, fault, select

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = (
    "Block",
    "ClockDrift",
    "ClockJump",
    "Crash",
    "Inbox",
    "Leave",
    "NameService",
    "Pause",
    "Restart",
    "Slow",
    "SocketErrors",
    "Spawn",
    "Takeover",
    "Twin",
    "WallStep",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Each(Fault):
    """Something done to each of some hosts: all at once, or spread evenly over seconds."""

    on: str
    spread: float = 0.0

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until the last host had it."""
        return self.at + self.spread

    def act(self, run: Context, key: str) -> None:
        """Plan it for each host."""
        hosts = select(run, self.on)
        for place, host in enumerate(hosts):
            when = run.cluster.now + self.spread * place / len(hosts)
            run.cluster.clock.at(when, self._one, run, host)

    def _one(self, run: Context, host: Host) -> None:
        self.one(run, host)

    def one(self, run: Context, host: Host) -> None:
        """Do it to one host."""
        raise NotImplementedError


@fault("crash")
@dataclass(frozen=True, slots=True, kw_only=True)
class Crash(Each):
    """The process ends with nothing said; ``back`` seconds later, if given, a new one starts."""

    back: float = 0.0

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until the last host is back, or down."""
        return self.at + self.spread + self.back

    def one(self, run: Context, host: Host) -> None:
        """Crash."""
        if not host.up:
            return
        run.gone(host, "crash")
        run.ill(host, run.cluster.now + self.back if self.back else inf)
        host.crash()
        if self.back:
            run.cluster.clock.at(run.cluster.now + self.back, self._again, host)

    def _again(self, host: Host, _: object) -> None:
        if not host.up:
            host.start()


@fault("leave")
@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(Each):
    """The process leaves gracefully."""

    def one(self, run: Context, host: Host) -> None:
        """Leave."""
        if host.up:
            run.gone(host, "leave")
            run.ill(host, inf)
            host.leave()


@fault("restart")
@dataclass(frozen=True, slots=True, kw_only=True)
class Restart(Each):
    """Start the process again after ``down`` seconds, killing it first if it still runs."""

    down: float = 0.0
    new_address: bool = False
    #: The state file is gone: the last generation used is forgotten.
    lose_state: bool = False
    #: Seconds by which the wall clock is stepped meanwhile.
    wall: float = 0.0
    #: How far the new process goes with identities (off, announce, require); empty: as before.
    identity: str = ""

    def __post_init__(self) -> None:
        super(Restart, self).__post_init__()
        if self.identity and self.identity not in MODES:
            raise ValueError(f"identity={self.identity!r} is none of {', '.join(MODES)}")

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until the last host is up again."""
        return self.at + self.spread + self.down

    def one(self, run: Context, host: Host) -> None:
        """End the process now, start it later."""
        if host.up:
            run.gone(host, "restart")
            host.crash()
        run.ill(host, run.cluster.now + self.down)
        run.cluster.clock.at(run.cluster.now + self.down, self._again, host)

    def _again(self, host: Host, _: object) -> None:
        if not host.up:
            host.identity = self.identity or host.identity
            host.restart(new_address=self.new_address, lose_state=self.lose_state, wall=self.wall)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHosts(Window):
    """A state of some hosts that begins and ends."""

    on: str

    def act(self, run: Context, key: str) -> None:
        """Begin at each host."""
        for host in select(run, self.on):
            run.ill(host, self.over(run))
            self.begin_one(run, host)

    def end(self, run: Context, key: str) -> None:
        """End at each host."""
        for host in select(run, self.on):
            self.end_one(run, host)

    def begin_one(self, run: Context, host: Host) -> None:
        """Begin at one host."""
        raise NotImplementedError

    def end_one(self, run: Context, host: Host) -> None:
        """End at one host."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle(OnHosts):
    """A host stands still for ``length`` seconds, works for ``every`` seconds, and so on.

    ``every=0``: it stands still for the whole window. ``phase=random``: each host begins its
    cycles at a time of its own.
    """

    length: float = 0.0
    every: float = 0.0
    phase: str = "same"

    def begin_one(self, run: Context, host: Host) -> None:
        """Stop the host, now or at its phase."""
        wait = 0.0
        if self.phase == "random":
            wait = run.stream(f"phase/{host.label}").random() * (self.length + self.every)
        run.cluster.clock.at(run.cluster.now + wait, self._stop, run, host)

    def _stop(self, run: Context, host: Host) -> None:
        if run.cluster.now >= self.over(run):
            return
        if host.up:
            self.stop(host)
        if self.length:
            run.cluster.clock.at(run.cluster.now + self.length, self._go, run, host)

    def _go(self, run: Context, host: Host) -> None:
        host.resume()
        if self.every:
            run.cluster.clock.at(run.cluster.now + self.every, self._stop, run, host)

    def end_one(self, run: Context, host: Host) -> None:
        """Resume it."""
        host.resume()

    def stop(self, host: Host) -> None:
        """Stop the host."""
        raise NotImplementedError


@fault("pause")
@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Cycle):
    """The process is stopped (SIGSTOP): no timers; datagrams wait up to the inbox's limit."""

    def stop(self, host: Host) -> None:
        """Stop."""
        host.pause()


@fault("block")
@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Cycle):
    """Lifeguard's anomaly: blocked before each send and after each receive; timers run."""

    def stop(self, host: Host) -> None:
        """Block."""
        host.block()


@fault("slow")
@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(OnHosts):
    """Each datagram and timer takes ``service`` seconds of the process's one thread."""

    service: float = 0.02

    def begin_one(self, run: Context, host: Host) -> None:
        """Slow down."""
        host.slow(self.service)

    def end_one(self, run: Context, host: Host) -> None:
        """Speed up again."""
        host.slow(0.0)


@fault("inbox")
@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox(OnHosts):
    """The socket's buffer holds so few datagrams, and each takes ``service`` seconds to read."""

    datagrams: int = 8
    service: float = 0.02

    def begin_one(self, run: Context, host: Host) -> None:
        """Shrink it."""
        host.inbox_limit = self.datagrams
        host.slow(self.service)

    def end_one(self, run: Context, host: Host) -> None:
        """Restore it."""
        host.inbox_limit = INBOX
        host.slow(0.0)


@fault("socket_errors")
@dataclass(frozen=True, slots=True, kw_only=True)
class SocketErrors(OnHosts):
    """Each send fails locally with chance ``p`` (EPERM, ENOBUFS, EHOSTUNREACH)."""

    p: float = 0.3

    def begin_one(self, run: Context, host: Host) -> None:
        """Begin to fail."""
        host.send_errors = self.p

    def end_one(self, run: Context, host: Host) -> None:
        """End it."""
        host.send_errors = 0.0


@fault("clock_drift")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDrift(OnHosts):
    """The monotonic clock runs at ``rate`` (1.05: 5 % fast)."""

    rate: float = 1.05

    def begin_one(self, run: Context, host: Host) -> None:
        """Drift."""
        host.change_clock(rate=self.rate)

    def end_one(self, run: Context, host: Host) -> None:
        """Run true."""
        host.change_clock(rate=1.0)


@fault("clock_jump")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump(Each):
    """The monotonic clock jumps forward, as after a suspend that nobody else saw."""

    by: float = 30.0

    def one(self, run: Context, host: Host) -> None:
        """Jump."""
        run.ill(host, run.cluster.now)
        host.change_clock(jump=self.by)


@fault("wall_step")
@dataclass(frozen=True, slots=True, kw_only=True)
class WallStep(Each):
    """The wall clock is stepped by so many seconds, either way."""

    by: float = -3600.0

    def one(self, run: Context, host: Host) -> None:
        """Step."""
        host.wall_offset += self.by


@fault("name_service")
@dataclass(frozen=True, slots=True, kw_only=True)
class NameService(Window):
    """Seeds cannot be resolved."""

    def act(self, run: Context, key: str) -> None:
        """Go down."""
        run.cluster.name_service = False

    def end(self, run: Context, key: str) -> None:
        """Come up."""
        run.cluster.name_service = True


@fault("spawn")
@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn(Fault):
    """So many new hosts join, ``late0``, ``late1`` ..., each registering ``topic``."""

    count: int = 1
    spread: float = 0.0
    topic: str = "compute"
    cluster: str = ""

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until the last is up."""
        return self.at + self.spread

    def act(self, run: Context, key: str) -> None:
        """Plan them."""
        for place in range(self.count):
            when = run.cluster.now + self.spread * place / self.count
            run.cluster.clock.at(when, self._one, run)

    def _one(self, run: Context, _: object) -> None:
        cluster = run.cluster
        config = replace(cluster.config, cluster=self.cluster) if self.cluster else None
        number = sum(1 for host in cluster.hosts if host.label.startswith("late"))
        host = cluster.spawn(f"late{number}", config=config, start=False)
        if self.topic:
            host.register(self.topic)
        run.ill(host, cluster.now)
        host.start()
        if not self.cluster:
            cluster.clock.at(cluster.now, self._knows, run, host)
            cluster.clock.at(cluster.now, self._agrees, run, host)

    def _knows(self, run: Context, host: Host) -> None:
        """Measure how long the joiner takes to answer for the ordinary hosts."""
        if all(_picks(host, key) for other in run.cast if other.up for key in other.wanted):
            _worst(run, "late_knows_compute", run.cluster.now - host.booted_at)
        elif host.up and run.cluster.now - host.booted_at < 30:
            run.cluster.clock.at(run.cluster.now + 0.01, self._knows, run, host)

    def _agrees(self, run: Context, host: Host) -> None:
        """Measure how long until the joiner's view equals a seed's."""
        if host.fingerprint == run.cluster.seeds[0].fingerprint:
            _worst(run, "late_agrees", run.cluster.now - host.booted_at)
        elif host.up and run.cluster.now - host.booted_at < 30:
            run.cluster.clock.at(run.cluster.now + 0.01, self._agrees, run, host)


def _picks(host: Host, key: tuple[str, str]) -> bool:
    topic, name = key
    view = host.table.topic(topic)
    return not topic.startswith("compute") or (view is not None and name in view.picks)


def _worst(run: Context, figure: str, value: float) -> None:
    run.measured[figure] = max(run.measured.get(figure, 0.0), value)


@fault("takeover")
@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover(Fault):
    """Another process, ``taker``, starts at the address of a host that has crashed.

    Not if that host is up: then the address is in use.
    """

    on: str
    #: Name of the other process's cluster; empty: the same one.
    cluster: str = ""

    def act(self, run: Context, key: str) -> None:
        """Start it."""
        cluster = run.cluster
        for place, host in enumerate(select(run, self.on)):
            if host.up:
                continue  # it was restarted meanwhile: the address is in use
            config = replace(cluster.config, cluster=self.cluster) if self.cluster else None
            cluster.spawn(f"taker{place}", address=host.address, config=config)


@fault("twin")
@dataclass(frozen=True, slots=True, kw_only=True)
class Twin(Fault):
    """A second process starts with the name of a running one, at another address."""

    on: str

    def act(self, run: Context, key: str) -> None:
        """Start it."""
        for host in select(run, self.on):
            twin = run.cluster.spawn(f"{host.label}-twin", name=host.node_name)
            run.ill(host, inf)
            run.ill(twin, inf)
