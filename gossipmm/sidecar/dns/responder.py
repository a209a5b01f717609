"""The DNS responder: UDP and TCP on loopback, in the agent's own Trio run. Extra ``[dns]``.

    async with open_agent(config) as agent, trio.open_nursery() as nursery:
        await nursery.start(dns.serve, agent)

    dig @127.0.0.1 -p 8600 compute.gossipmm. A
    dig @127.0.0.1 -p 8600 _compute._udp.gossipmm. SRV

What is answered is in ``zone.py``. It listens on 127.0.0.1 and, where it exists, ::1: it serves the
programs of this host, as the agent does; put a resolver in front of it to serve others. dnspython
is imported when a responder starts, not before.
"""

from __future__ import annotations

import errno
import logging
import random
import socket
import struct
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from gossipmm.config import Config
from gossipmm.core.values.types import Address
from gossipmm.errors import BindError, ConfigError

if TYPE_CHECKING:
    from gossipmm.agent import Agent
    from gossipmm.sidecar.dns.zone import Zone

__all__ = ("check_zone", "serve")

#: More than any query of ours; a longer datagram arrives cut and is answered as malformed.
_READ = 4096
#: Simultaneous TCP connections; further ones are closed on arrival.
_CONNECTIONS = 64
#: Seconds that a client may take for its next query, or for reading an answer (RFC 7766, 6.2.3).
_IDLE = 10.0
#: Tries to find one port that is free for UDP and TCP on every address, where any will do.
_TRIES = 10
#: Errors that mean that this host does not have the address or its family.
_MISSING = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})

_log = logging.getLogger(__name__)


def check_zone(config: Config) -> None:
    """Refuse what cannot be served. Raises ConfigError: no dnspython, or a bad ``dns_zone``."""
    try:
        from gossipmm.sidecar.dns.zone import names_of
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] != "dns":
            raise
        raise ConfigError(
            "DNS answers need dnspython: pip install 'gossipmm[dns]'", path="dns_port"
        ) from None
    names_of(config.dns_zone)


async def serve(
    agent: Agent,
    *,
    port: int | None = None,
    zone: str | None = None,
    rng: random.Random | None = None,
    task_status: trio.TaskStatus[tuple[Address, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer DNS queries until cancelled. Reports the addresses that it listens at as started.

    ``port`` and ``zone`` default to ``dns_port`` and ``dns_zone`` of the agent's configuration;
    port 0 takes a free one. Raises ConfigError (no dnspython, no DNS name) or BindError.
    """
    config = agent.config
    check_zone(config if zone is None else replace(config, dns_zone=zone))
    from gossipmm.sidecar.dns.zone import Zone

    answers = Zone(agent, config.dns_zone if zone is None else zone, rng or random.SystemRandom())
    pairs = _bind(config.dns_port if port is None else port)
    try:
        addresses: tuple[Address, ...] = tuple(udp.getsockname()[:2] for udp, _ in pairs)
        slots = trio.CapacityLimiter(_CONNECTIONS)
        async with trio.open_nursery() as nursery:
            for udp, tcp in pairs:
                nursery.start_soon(_serve_udp, trio.socket.from_stdlib_socket(udp), answers)
                listener = trio.SocketListener(trio.socket.from_stdlib_socket(tcp))
                nursery.start_soon(_serve_tcp, listener, answers, slots)
            task_status.started(addresses)
    finally:
        for pair in pairs:
            for sock in pair:
                sock.close()


async def _serve_udp(sock: trio.socket.SocketType, zone: Zone) -> None:
    while True:
        try:
            data, source = await sock.recvfrom(_READ)
            answer = zone.answer_untrusted(data, client=source[0])
            if answer is not None:
                await sock.sendto(answer, source)
        except OSError as exc:
            # Whoever asked is gone, or has port 0; the next one is not.
            _log.debug("DNS over UDP: %s", exc)
            await trio.lowlevel.checkpoint()


async def _serve_tcp(
    listener: trio.SocketListener, zone: Zone, slots: trio.CapacityLimiter
) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        who: Any = object()
        try:
            slots.acquire_on_behalf_of_nowait(who)
        except trio.WouldBlock:
            await trio.aclose_forcefully(stream)
            return
        try:
            async with stream:
                await _converse(stream, zone, stream.socket.getpeername()[0])
        except (trio.BrokenResourceError, trio.TooSlowError) as exc:
            _log.debug("DNS over TCP: %r", exc)
        finally:
            slots.release_on_behalf_of(who)

    await trio.serve_listeners(handle, [listener])


async def _converse(stream: trio.SocketStream, zone: Zone, client: str) -> None:
    """Answer one query after the other, in order; return when the client has no more."""
    while True:
        with trio.fail_after(_IDLE):
            head = await _receive(stream, 2)
            if not head:
                return
            (size,) = struct.unpack("!H", head)
            if size > _READ:
                return
            answer = zone.answer_untrusted(await _receive(stream, size), tcp=True, client=client)
            if answer is None:
                return
            await stream.send_all(struct.pack("!H", len(answer)) + answer)


async def _receive(stream: trio.SocketStream, size: int) -> bytes:
    """Receive exactly ``size`` bytes; return nothing when the client stops before that."""
    data = b""
    while len(data) < size:
        more = await stream.receive_some(size - len(data))
        if not more:
            return b""
        data += more
    return data


# -- binding -------------------------------------------------------------------------------------


def _bind(port: int) -> list[tuple[socket.socket, socket.socket]]:
    """Bind UDP and TCP at one port of each loopback address. Raises BindError."""
    tries = 1 if port else _TRIES
    while True:
        tries -= 1
        try:
            return _bind_all(port)
        except OSError as exc:
            if tries and exc.errno == errno.EADDRINUSE:
                continue
            hint = {
                errno.EADDRINUSE: "another program (another agent?) uses it: choose another port",
                errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher one",
            }.get(exc.errno or 0, exc.strerror or str(exc))
            raise BindError(f"dns_port: cannot bind port {port} of loopback: {hint}") from None


def _bind_all(port: int) -> list[tuple[socket.socket, socket.socket]]:
    """Bind to 127.0.0.1 and, where it exists, to ::1. Raises OSError."""
    pairs = [_bind_pair(socket.AF_INET, "127.0.0.1", port)]
    try:
        number = pairs[0][0].getsockname()[1]
        pairs.append(_bind_pair(socket.AF_INET6, "::1", number))
    except OSError as exc:
        if exc.errno not in _MISSING:
            for sock in pairs[0]:
                sock.close()
            raise
    return pairs


def _bind_pair(family: int, host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bind a UDP and a TCP socket to one address and port. Raises OSError."""
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        udp = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        # For TCP alone: a restart must not wait for old connections, and on Linux it does not allow
        # anybody to share a port that is being listened on.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((host, port))
        udp.bind((host, tcp.getsockname()[1]))
        tcp.listen(_CONNECTIONS)
        for sock in (udp, tcp):
            sock.setblocking(False)
        stack.pop_all()
        return udp, tcp
