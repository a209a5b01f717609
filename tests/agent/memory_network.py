"""A network in memory, for agents under Trio's autojump clock: no sockets, no real time.

``MemoryNetwork`` is one host's view (what ``open_agent`` takes); all views of one ``Air`` hear each
other. Datagrams arrive after ``air.latency`` seconds, or not: ``air.lost(source, target)`` decides.
"""

from __future__ import annotations

import errno
import os
import random
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from types import TracebackType
from typing import Self

import trio

from gossipmm.core.values.types import Address


class Air:
    """What lies between the hosts of one test. Use with ``async with``; it delivers datagrams."""

    def __init__(self, *, latency: float = 0.001, seed: int = 1) -> None:
        self.latency = latency
        self.ports: dict[Address, MemoryPort] = {}
        self.lost: Callable[[Address, Address], bool] = lambda source, target: False
        #: errno that a send from an address fails with, once for each entry.
        self.send_errors: dict[Address, deque[int]] = {}
        #: What names resolve to; a name that is missing cannot be resolved.
        self.names: dict[str, list[Address]] = {}
        self.srv: dict[str, list[tuple[str, int]]] = {}
        self.resolutions = 0
        self.sent = 0
        self.rng = random.Random(seed)
        self._heap: list[tuple[float, int, bytes, Address, Address]] = []
        self._order = 0
        self._new = trio.Event()

    def host(self, *, primary: str | None = "10.0.0.1") -> MemoryNetwork:
        """Return a new host's view of this network."""
        return MemoryNetwork(self, primary)

    def carry(self, data: bytes, source: Address, target: Address) -> None:
        """Take a datagram on its way."""
        self.sent += 1
        if not self.lost(source, target):
            self._order += 1
            due = trio.current_time() + self.latency
            heappush(self._heap, (due, self._order, data, source, target))
            self._new.set()

    async def _deliver(self) -> None:
        while True:
            self._new = trio.Event()
            deadline = self._heap[0][0] if self._heap else float("inf")
            with trio.move_on_at(deadline):
                await self._new.wait()
            while self._heap and self._heap[0][0] <= trio.current_time():
                _, _, data, source, target = heappop(self._heap)
                if (port := self.ports.get(target)) is not None:
                    port.put(data, source)

    async def __aenter__(self) -> Self:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        self._nursery.start_soon(self._deliver)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self._nursery.cancel_scope.cancel()
        return await self._manager.__aexit__(kind, exc, trace)


class MemoryPort:
    """A bound port."""

    def __init__(self, air: Air, address: Address) -> None:
        self.address = address
        #: Where its datagrams come from: another one than ``address`` if that is a wildcard.
        self.source = address
        self.closed = False
        #: errno that the next receives fail with.
        self.receive_errors: deque[int] = deque()
        self._air = air
        self._inbox: deque[tuple[bytes, Address]] = deque()
        self._readable = trio.Event()

    def put(self, data: bytes, source: Address) -> None:
        """Let a datagram arrive."""
        self._inbox.append((data, source))
        self._readable.set()

    async def wait_readable(self) -> None:
        """Wait until a datagram is there."""
        if self._inbox or self.receive_errors:
            await trio.lowlevel.checkpoint()
            return
        self._readable = trio.Event()
        await self._readable.wait()

    def receive(self) -> tuple[bytes, Address] | None:
        """Return a datagram, or None."""
        if self.receive_errors:
            _raise(self.receive_errors.popleft())
        return self._inbox.popleft() if self._inbox else None

    def send(self, data: bytes, address: Address) -> None:
        """Send, or fail as the test wishes."""
        errors = self._air.send_errors.get(self.source)
        if self.closed:
            _raise(errno.EBADF)
        if errors:
            _raise(errors.popleft())
        if not self.source[0]:
            _raise(errno.ENETUNREACH)
        self._air.carry(data, self.source, address)

    def reaches(self, address: Address) -> bool:
        """IPv4 reaches IPv4."""
        return (":" in address[0]) == (":" in self.address[0])

    def close(self) -> None:
        """Close."""
        self.closed = True
        self._air.ports.pop(self.address, None)
        self._air.ports.pop(self.source, None)


class MemoryNetwork:
    """One host's network, clocks and chance."""

    def __init__(self, air: Air, primary: str | None) -> None:
        self.air = air
        self.primary = primary
        self.port: MemoryPort
        self.wall_offset = 0
        #: Addresses of this host; None: it has whichever is asked about.
        self.own: set[str] | None = None
        #: Literal -> the address of this host towards it, without a default route.
        self.links: dict[str, str] = {}
        self._moved = trio.Event()

    def bind(self, host: str, port: int) -> MemoryPort:
        """Bind; port 0 takes a free one."""
        number = port or next(n for n in range(40_000, 60_000) if (host, n) not in self.air.ports)
        if (host, number) in self.air.ports:
            _raise(errno.EADDRINUSE)
        self.port = MemoryPort(self.air, (host, number))
        if host == "0.0.0.0" and self.own is None:
            self.own = {self.primary} if self.primary else set()
            self._plug()
        else:
            self.air.ports[host, number] = self.port
        return self.port

    def move(self, *own: str, primary: str | None = None) -> None:
        """Give a host with a wildcard port other addresses; the first is the primary one."""
        self.own = set(own)
        self.primary = primary or (own[0] if own else None)
        self._plug()
        self._moved.set()

    def _plug(self) -> None:
        """Let the port be reached at the primary address, and send from there."""
        port = self.port
        if port.source != port.address:
            self.air.ports.pop(port.source, None)
        port.source = (self.primary or next(iter(self.links.values()), ""), port.address[1])
        self.air.ports[port.source] = port

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Resolve literals as they are, names from ``air.names``."""
        self.air.resolutions += 1
        await trio.lowlevel.checkpoint()
        if host.replace(".", "").isdigit() or ":" in host:
            return [(host, port)]
        if host not in self.air.names:
            raise OSError(errno.ENOENT, "Name or service not known")
        return [(literal, number or port) for literal, number in self.air.names[host]]

    async def resolve_srv(self, name: str) -> list[tuple[str, int]]:
        """Resolve from ``air.srv``."""
        await trio.lowlevel.checkpoint()
        if name not in self.air.srv:
            raise OSError(errno.ENOENT, "no SRV records")
        return self.air.srv[name]

    def primary_address(self, *, v6: bool) -> str | None:
        """Return what the test chose; never an IPv6 one."""
        return None if v6 else self.primary

    def source_towards(self, host: str) -> str | None:
        """Return what the test chose."""
        return self.links.get(host)

    def has_address(self, host: str) -> bool:
        """Return whether the test gave this host an address."""
        return self.own is None or host in self.own

    def watch_addresses(self) -> MemoryNetwork:
        """Tell of ``move``."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    async def wait(self) -> None:
        """Wait for ``move``."""
        await self._moved.wait()
        self._moved = trio.Event()

    def now(self) -> float:
        """Trio's clock."""
        return trio.current_time()

    def wall_ms(self) -> int:
        """A wall clock that begins in 2026."""
        return int((1_767_225_600 + trio.current_time()) * 1000) + self.wall_offset

    def random(self) -> random.Random:
        """Seeded."""
        return random.Random(self.air.rng.random())


def _raise(number: int) -> None:
    raise OSError(number, os.strerror(number))
