"""What the network sees of a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address
    from gossipmm_sim.engine.sockets import Socket

__all__ = ("Peer",)


class Peer:
    """One end of links: addresses, counters, and the streams that its datagrams draw from."""

    label: str
    index: int
    #: Its address, or the first of several.
    address: Address
    #: The socket of its process; None: bound to ``address``, which nobody takes away.
    socket: Socket | None
    #: Targets of sends that failed, until the core is told.
    unsent: list[tuple[Address, int]]
    up: bool
    sent_datagrams: int
    sent_bytes: int
    received_datagrams: int
    received_bytes: int
    draw: Callable[[], float]
    loss_draw: Callable[[], float]

    def deliver(self, data: bytes, source: Address) -> None:
        """Take a datagram."""
        raise NotImplementedError

    def hears(self) -> tuple[Address, ...]:
        """Return all addresses at which datagrams come to it."""
        raise NotImplementedError

    def source(self, target: Address) -> Address | str:
        """Return the address that a datagram leaves from, or the errno with which it does not."""
        raise NotImplementedError
