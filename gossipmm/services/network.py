"""Checks over the network: a connection (TCP), and one request and its status (HTTP).

On plain sockets that do not block: an agent may have a thousand of these, and each one costs half
of what it does over Trio's streams. Redirections are not followed, so that what is asked is what
the file says; of an answer at most 4 KiB are read.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import trio

from gossipmm.addresses import format_address, parse_address
from gossipmm.config_services import Check
from gossipmm.services.health import Outcome
from gossipmm.services.output import MAX_READ, tail

__all__ = ("check_http", "check_tcp")

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_PENDING: Final = (errno.EINPROGRESS, errno.EWOULDBLOCK)


async def check_tcp(check: Check) -> Outcome:
    """Pass if a connection can be made."""
    sock = await _connected(*parse_address(check.tcp))
    if isinstance(sock, Outcome):
        return sock
    sock.close()
    return Outcome(passes=True)


async def check_http(check: Check) -> Outcome:
    """Pass if the answer has one of the statuses that do."""
    host, port, request = _request(check.http, check.method, tuple(check.header.items()))
    sock = await _connected(host, port)
    if isinstance(sock, Outcome):
        return sock
    try:
        if sock.send(request) != len(request):  # at most some KiB: a fresh socket has room
            return Outcome(passes=False, reason="the request could not be sent")
        answer = await _answer(sock)
    except OSError as exc:
        return _failed(exc)
    finally:
        sock.close()
    found = _STATUS_LINE.match(answer)
    if found is None:
        return Outcome(False, "what answers there is no HTTP server", tail(answer))
    status = int(found[1])
    passes = status in check.status if check.status else 200 <= status < 300
    body = answer.partition(b"\r\n\r\n")[2]
    return Outcome(passes, "" if passes else f"HTTP {status}", tail(body))


async def _answer(sock: socket.socket) -> bytes:
    """Read an answer: to its end (the request asks for that), or as much of it as is read."""
    answer = b""
    while len(answer) < MAX_READ:
        await trio.lowlevel.wait_readable(sock)
        try:
            part = sock.recv(MAX_READ - len(answer))
        except BlockingIOError:  # woken up for nothing
            continue
        if not part:
            break
        answer += part
        if _is_whole(answer):
            break
    return answer


def _is_whole(answer: bytes) -> bool:
    """Return whether an answer says that it ends here: no need to wait for the connection's end."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False


@lru_cache(maxsize=4096)
def _request(url: str, method: str, header: tuple[tuple[str, str], ...]) -> tuple[str, int, bytes]:
    """Return where to ask, and what."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = {name.lower() for name, _ in header}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {parts.netloc}")
    if "user-agent" not in given:
        lines.append("User-Agent: gossipmm")
    lines += [f"{name}: {value}" for name, value in header]
    # Else a server keeps the connection, and what it counts as clients.
    lines += ["Connection: close", "", ""]
    return host, port, "\r\n".join(lines).encode("latin-1", "replace")


async def _connected(host: str, port: int) -> socket.socket | Outcome:
    """Return a connected socket, or why there is none."""
    last = Outcome(passes=False, reason=f"{host} has no address")
    try:
        addresses = await _addresses(host, port)
    except OSError as exc:
        return Outcome(False, f"{host} cannot be resolved: {exc.strerror or exc}")
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            code = sock.connect_ex(address)
            if code in _PENDING:
                await trio.lowlevel.wait_writable(sock)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return sock
            last = _failed(OSError(code, os.strerror(code)), (address[0], port))
        except OSError as exc:
            last = _failed(exc, (address[0], port))
        except BaseException:
            sock.close()
            raise
        sock.close()
    return last


_Addresses = list[tuple[socket.AddressFamily, Any]]


async def _addresses(host: str, port: int) -> _Addresses:
    if (literal := _literal(host, port)) is not None:
        return [literal]
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


@lru_cache(maxsize=4096)
def _literal(host: str, port: int) -> tuple[socket.AddressFamily, Any] | None:
    """Return the address that a literal is: it needs no thread that asks for it."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return family, (host, port)
    return None


def _failed(error: OSError, at: tuple[object, int] | None = None) -> Outcome:
    words = (error.strerror or str(error)).lower()
    where = f" by {format_address((str(at[0]), at[1]))}" if at is not None else ""
    return Outcome(passes=False, reason=f"{words}{where if 'refused' in words else ''}")
