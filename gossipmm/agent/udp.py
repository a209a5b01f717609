"""One UDP socket, non-blocking, with the system's peculiarities smoothed away.

Callers see ``(literal, port)`` without scope id, and IPv4 as IPv4: a dual-stack socket shows
``::ffff:192.0.2.1``, which is translated here. A literal is checked before it goes to ``sendto``,
which would otherwise resolve a name and block.
"""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import suppress
from typing import Any

import trio

from gossipmm.core.values.types import Address

__all__ = ("UdpPort", "open_port")

#: Room for bursts (a join, a mass failure); the kernel may grant less.
RECEIVE_BUFFER = 1 << 20
#: More than any datagram of ours: a longer one arrives truncated, and is still too long to accept.
_READ = 2048
#: Translated addresses kept; the table of a large cluster fits.
_TARGETS = 16_384
_MAPPED = "::ffff:"
#: IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, and the value IP_PMTUDISC_PROBE of both (linux/in.h,
#: linux/in6.h): datagrams are never fragmented, and are sent whatever the kernel was told of the
#: path. So a size that does not get through is lost, which this program sees itself (RFC 8899), and
#: nobody can shrink a path with forged ICMP. IP_PMTUDISC_DO would believe that.
_MTU_DISCOVER, _V6_MTU_DISCOVER, _PROBE = 10, 23, 3


def open_port(host: str, port: int) -> UdpPort:
    """Bind a socket to a literal (``fe80::1%eth0`` allowed), dual-stack for ``::``.

    Raises OSError. SO_REUSEADDR is never set: it would let a second agent steal the datagrams of
    the first one (Linux, UDP).
    """
    family, kind, _, _, sockaddr = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, sockaddr[0] != "::")
        _never_fragment(sock)
        sock.bind(sockaddr)
    except BaseException:
        sock.close()
        raise
    return UdpPort(sock)


def _never_fragment(sock: socket.socket) -> None:
    if sys.platform != "linux":
        return
    with suppress(OSError):  # a sandbox without these options: datagrams may be fragmented
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _V6_MTU_DISCOVER, _PROBE)
        sock.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _PROBE)  # IPv4 on a dual-stack one too


class UdpPort:
    """A bound UDP socket, as ``gossipmm.agent.network.Port`` describes it. Owns the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        name: Any = sock.getsockname()
        self._v6 = sock.family == socket.AF_INET6
        #: Link-local peers are reached through the link that the socket is bound to.
        self._scope = name[3] if self._v6 else 0
        self._dual = self._v6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        self._targets: dict[Address, Any] = {}
        self.address: Address = self._outside(name)

    async def wait_readable(self) -> None:
        """Wait until something can be received."""
        await trio.lowlevel.wait_readable(self._sock)

    def receive(self) -> tuple[bytes, Address] | None:
        """Return a waiting datagram, or None. Raises OSError for a pending socket error."""
        try:
            data, source = self._sock.recvfrom(_READ)
        except (BlockingIOError, InterruptedError):
            return None
        return data, self._outside(source)

    def send(self, data: bytes, address: Address) -> None:
        """Send now. Raises OSError (EAGAIN: the send buffer is full)."""
        target = self._targets.get(address)
        if target is None:
            target = self._inside(address)
        self._sock.sendto(data, target)

    def reaches(self, address: Address) -> bool:
        """Return whether an address of that family can be sent to."""
        try:
            self._inside(address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._sock.close()

    def _outside(self, sockaddr: Any) -> Address:
        host: str = sockaddr[0]
        if self._v6:
            host = host.partition("%")[0]
            if host.startswith(_MAPPED) and "." in host:
                host = host[len(_MAPPED) :]
        return host, sockaddr[1]

    def _inside(self, address: Address) -> Any:
        """Translate a literal for this socket. Raises OSError, EAFNOSUPPORT or EINVAL."""
        host, port = address
        if not 0 < port < 65536:
            raise OSError(errno.EINVAL, f"{port} is not a port to send to")
        sockaddr: tuple[Any, ...]
        if ":" in host:
            if not self._v6:
                raise OSError(errno.EAFNOSUPPORT, f"an IPv4 socket does not reach {host}")
            socket.inet_pton(socket.AF_INET6, host)
            link_local = host.lower().startswith("fe80:")
            sockaddr = (host, port, 0, self._scope if link_local else 0)
        else:
            if self._v6 and not self._dual:
                raise OSError(errno.EAFNOSUPPORT, f"an IPv6 socket does not reach {host}")
            socket.inet_pton(socket.AF_INET, host)
            sockaddr = (_MAPPED + host, port, 0, 0) if self._v6 else (host, port)
        if len(self._targets) >= _TARGETS:
            self._targets.clear()
        self._targets[address] = sockaddr
        return sockaddr
