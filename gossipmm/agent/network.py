"""What an agent needs of the world around it, and the operating system's version of it.

A test gives ``open_agent`` another one, in memory, with Trio's clock. Nothing else in the agent
looks at a clock, opens a socket, resolves a name or draws a random number.
"""

from __future__ import annotations

import importlib
import random
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import trio

from gossipmm.agent.machine import AddressWatch, has_address, source_towards
from gossipmm.agent.udp import open_port
from gossipmm.core.values.types import Address

__all__ = ("Network", "Port", "SystemNetwork", "core_time")

#: Seconds that an ICMP error may take.
_REFUSAL = 1.0
#: Names asked for at once.
_RESOLVERS = 64
_T = TypeVar("_T")


class Port(Protocol):
    """A bound, non-blocking UDP socket. Addresses are IP literals without scope id."""

    #: The bound address, port 0 replaced by the one that the system chose.
    address: Address

    async def wait_readable(self) -> None:
        """Wait until a datagram or a socket error is pending."""

    def receive(self) -> tuple[bytes, Address] | None:
        """Return a waiting datagram; None: none is left. Raises OSError for a transient error."""

    def send(self, data: bytes, address: Address) -> None:
        """Send at once. Raises OSError for whatever the network or the system had against it."""

    def reaches(self, address: Address) -> bool:
        """Return whether this socket can send to an address of that family."""

    def close(self) -> None:
        """Close the socket. Idempotent."""


class Watching(Protocol):
    """Tells of changes of this host's addresses, within a ``with`` block."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""

    async def wait(self) -> None:
        """Wait until something may have changed since the last call."""


class Network(Protocol):
    """Sockets, names, clocks and randomness."""

    def bind(self, host: str, port: int) -> Port:
        """Bind a UDP socket to an IP literal (``%scope`` allowed). Raises OSError."""

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a name or literal. Raises OSError."""

    async def resolve_srv(self, name: str) -> list[tuple[str, int]]:
        """Return (host, port) of the SRV records of a name. Raises OSError."""

    def primary_address(self, *, v6: bool) -> str | None:
        """Return the address that this host uses towards others; None: no route."""

    def source_towards(self, host: str) -> str | None:
        """Return the address that this host sends from to an IP literal; None: no route."""

    def has_address(self, host: str) -> bool:
        """Return whether an IP literal is an address of this host now."""

    def watch_addresses(self) -> Watching:
        """Return what tells when addresses or routes of this host may have changed."""

    def now(self) -> float:
        """Core time in seconds: monotonic, and runs on while the machine is suspended."""

    def wall_ms(self) -> int:
        """Milliseconds of wall clock since 1970."""

    def random(self) -> random.Random:
        """Return the source of randomness for one agent."""


def _clock() -> Callable[[], float]:
    """Return the clock of core time: CLOCK_BOOTTIME, if the system has it.

    Linux's CLOCK_MONOTONIC, which ``time.monotonic`` reads, stands still while it is suspended.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    return time.monotonic


core_time = _clock()


class SystemNetwork:
    """The network of the operating system."""

    def __init__(self) -> None:
        #: Threads that ask the resolver: apart from all others, because a name that is not answered
        #: keeps its thread for many seconds.
        self._resolvers = trio.CapacityLimiter(_RESOLVERS)

    def bind(self, host: str, port: int) -> Port:
        """Bind a UDP socket. Raises OSError."""
        return open_port(host, port)

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a name, IPv4 and IPv6. Raises OSError."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_DGRAM)
        try:
            try:
                found = ask(flags=socket.AI_NUMERICHOST)  # a literal needs no thread
            except socket.gaierror:
                found = await self._in_thread(ask)
        except UnicodeError as exc:  # an empty label, or one of more than 63 characters
            raise OSError(str(exc)) from None
        # A dict keeps the resolver's order and drops duplicates.
        return list(dict.fromkeys((str(entry[4][0]).partition("%")[0], port) for entry in found))

    async def _in_thread(self, ask: Callable[[], _T]) -> _T:
        """Ask the resolver, which blocks, in a thread that nobody waits for. Raises OSError."""
        try:
            return await trio.to_thread.run_sync(
                ask, abandon_on_cancel=True, limiter=self._resolvers
            )
        except RuntimeError as exc:  # no thread can be started: a limit, or the program's exit
            raise OSError(str(exc)) from None

    async def resolve_srv(self, name: str) -> list[tuple[str, int]]:
        """Return the targets of SRV records. Raises OSError, also when dnspython is missing."""
        try:
            resolver: Any = importlib.import_module("dns.resolver")
            failure: Any = importlib.import_module("dns.exception").DNSException
        except ImportError:
            raise OSError("SRV records need dnspython: pip install 'gossipmm[dns]'") from None

        def ask() -> Sequence[Any]:
            answer: Sequence[Any] = resolver.resolve(name, "SRV")
            return answer

        try:
            records = await self._in_thread(ask)
        except failure as exc:
            raise OSError(str(exc)) from None
        return [(record.target.to_text(omit_final_dot=True), record.port) for record in records]

    def primary_address(self, *, v6: bool) -> str | None:
        """Return the source address of the default route; sends nothing."""
        # Documentation addresses (RFC 5737, RFC 3849): only routing is asked.
        return source_towards("2001:db8::1" if v6 else "192.0.2.1")

    def source_towards(self, host: str) -> str | None:
        """Return the source address towards an IP literal; sends nothing."""
        return source_towards(host)

    def has_address(self, host: str) -> bool:
        """Return whether an IP literal is an address of this machine now."""
        return has_address(host)

    def watch_addresses(self) -> AddressWatch:
        """Return what tells when addresses or routes of this machine may have changed."""
        return AddressWatch()

    async def refuses(self, address: Address, data: bytes) -> bool:
        """Return whether the system at an address says, soon, that nobody listens there (ICMP).

        Only a connected socket is told, so it takes one of its own; ``data`` is what it sends.
        """
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with trio.socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                await probe.connect(address)
                await probe.send(data)
                with trio.move_on_after(_REFUSAL):
                    await probe.recv(1)
            except ConnectionRefusedError:
                return True
            except OSError:
                return False
        return False

    def now(self) -> float:
        """Seconds since boot."""
        return core_time()

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def random(self) -> random.Random:
        """Return the system's randomness: different in every process, even after a fork."""
        return random.SystemRandom()
