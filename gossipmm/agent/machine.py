"""The addresses of this machine: which it has, which it would use, and when they change.

Nothing here lists interfaces. Whether an address is there, and which one leads somewhere, is what
binding and connecting an unused UDP socket tells on every system; neither sends anything.
"""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Final, Self

import trio

__all__ = ("AddressWatch", "has_address", "source_towards")

#: RTMGRP_IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE of linux/rtnetlink.h. Routes too:
#: the default route comes after the address that it needs.
_GROUPS: Final = 0x10 | 0x40 | 0x100 | 0x400
#: Seconds that a change may take to be complete; also bounds what busy routing tables cost.
_SETTLE: Final = 0.5
#: Seconds between two looks where the system does not tell of changes.
_POLL: Final = 5.0


def source_towards(host: str) -> str | None:
    """Return the address that this machine sends from to another one; None: no route."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))
            found = str(probe.getsockname()[0]).partition("%")[0]
    except OSError:
        return None
    return None if found.startswith("fe80:") else found


def has_address(host: str) -> bool:
    """Return whether an address is one of this machine's.

    A link-local one (``fe80::``) cannot be asked about without its link, and counts as there.
    """
    if host.lower().startswith("fe80:"):
        return True
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


class AddressWatch:
    """Tells when addresses or routes of this machine may have changed. Use it with ``with``.

    On Linux the kernel tells (rtnetlink(7)); elsewhere, or where it may not be asked, it is time to
    look again every few seconds.
    """

    def __init__(self) -> None:
        self._sock: socket.socket | None = None

    def __enter__(self) -> Self:
        try:
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        except (AttributeError, OSError):
            return self
        try:
            sock.setblocking(False)
            sock.bind((0, _GROUPS))
        except OSError:
            sock.close()
        else:
            self._sock = sock
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sock is not None:
            self._sock.close()

    async def wait(self) -> None:
        """Wait until something may have changed."""
        if self._sock is None:
            await trio.sleep(_POLL)
            return
        await trio.lowlevel.wait_readable(self._sock)
        await trio.sleep(_SETTLE)
        while True:
            try:
                self._sock.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: more was told than fits, which is all the same here
                continue
