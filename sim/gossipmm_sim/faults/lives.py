"""Processes that come and go: clones, crash loops, visitors."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from gossipmm_sim.faults.base import Context, Fault, Window, fault, select

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = ("Clone", "CrashLoop", "Visitors")

_ENDS = ("crash", "leave")


def _check_end(how: str) -> None:
    if how not in _ENDS:
        raise ValueError(f"how={how!r} is none of {', '.join(_ENDS)}")


def _finish(run: Context, host: Host, how: str) -> None:
    """End a process, if it runs."""
    if not host.up:
        return
    run.gone(host, how)
    run.ill(host, inf)
    if how == "leave":
        host.leave()
    else:
        host.crash()


@fault("clone")
@dataclass(frozen=True, slots=True, kw_only=True)
class Clone(Window):
    """A copy of a host's machine starts at another address, with its name and state file.

    At ``until`` the copy ends (``how``: crash or leave); the host itself runs all the time.
    """

    on: str
    how: str = "crash"

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        _check_end(self.how)

    def act(self, run: Context, key: str) -> None:
        """Start the copies."""
        for host in select(run, self.on):
            copies = run.memory(key, dict)
            label = f"{host.label}-clone{len(run.cluster)}"
            copy = copies[host.index] = run.cluster.spawn(
                label, name=host.node_name, config=host.config, start=False
            )
            if host.socket is not None:
                old = host.socket.addresses
                v6 = sum(":" in one for one in old)
                copy.bind(host.socket.bind, v4=len(old) - v6, v6=v6)
            copy.last_generation = host.last_generation
            copy.keyring = host.keyring
            copy.wanted = dict(host.wanted)
            copy.wall_offset = host.wall_offset
            run.ill(host, self.over(run))
            run.ill(copy, inf)
            copy.start()

    def end(self, run: Context, key: str) -> None:
        """End them."""
        for copy in run.memory(key, dict).values():
            if not copy.up:
                continue
            if self.how == "leave":
                copy.leave()
            else:
                copy.crash()


@fault("crash_loop")
@dataclass(frozen=True, slots=True, kw_only=True)
class CrashLoop(Window):
    """A process of ``on`` crashes, is started after ``down`` seconds, lives ``up`` seconds, ..."""

    on: str
    up: float = 2.5
    down: float = 1.0

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        if self.up < 0.05 or self.down < 0:
            raise ValueError(f"up={self.up:g} down={self.down:g}: too short")

    @property
    def last(self) -> float:
        """The last start may come after the end."""
        return (self.until or self.at) + self.down

    def act(self, run: Context, key: str) -> None:
        """Crash each, and go on."""
        for host in select(run, self.on):
            self._crash(run, host)

    def _crash(self, run: Context, host: Host) -> None:
        now = run.cluster.now
        if now >= self.over(run):
            return
        if host.up:
            run.gone(host, "restart")
            host.crash()
        run.ill(host, now + self.down)
        run.cluster.clock.at(now + self.down, self._start, run, host)

    def _start(self, run: Context, host: Host) -> None:
        if not host.up:
            host.start()
        run.cluster.clock.at(run.cluster.now + self.up, self._crash, run, host)

    def end(self, run: Context, key: str) -> None:
        """Do nothing: whoever is down will be started."""


@fault("visitors")
@dataclass(frozen=True, slots=True, kw_only=True)
class Visitors(Fault):
    """``count`` hosts of new names come, one every ``every`` seconds; each ends after ``life``.

    ``how``: crash or leave. A visitor registers ``topic``, if given.
    """

    count: int = 10
    every: float = 1.0
    life: float = 2.0
    how: str = "leave"
    topic: str = ""

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        _check_end(self.how)

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until the last one ends."""
        return self.at + self.every * max(0, self.count - 1) + self.life

    def act(self, run: Context, key: str) -> None:
        """Plan them."""
        for place in range(self.count):
            when = run.cluster.now + self.every * place
            run.cluster.clock.at(when, self._come, run)

    def _come(self, run: Context, _: object) -> None:
        number = sum(1 for host in run.cluster if host.label.startswith("visitor"))
        host = run.cluster.spawn(f"visitor{number}", start=False)
        if self.topic:
            host.register(self.topic)
        run.ill(host, inf)
        host.start()
        run.cluster.clock.at(run.cluster.now + self.life, self._go, run, host)

    def _go(self, run: Context, host: Host) -> None:
        _finish(run, host, self.how)
