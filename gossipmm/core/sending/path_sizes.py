"""What is known of the size of paths: where nothing large gets through, and where that is open."""

from __future__ import annotations

from math import inf
from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.types import Address, NodeId
from gossipmm.core.wire.frame import LEAST_DATAGRAM

__all__ = ("PathSizes", "SmallPath")

#: Addresses remembered, of each kind.
_KEPT: Final = 1024
#: Small paths from which on, if there are so many times as many as large ones, it is most likely
#: this node's own link that is small.
_SOME, _TIMES = 3, 2


class SmallPath:
    """A path that loses what is large."""

    __slots__ = ("carries", "name", "told", "wait")

    def __init__(self, name: NodeId, wait: float, carries: int) -> None:
        #: The member at its end; empty: of a seed, whose name is not known yet.
        self.name = name
        #: True once that is sure, and was said.
        self.told = False
        #: Seconds until it is tried again.
        self.wait = wait
        #: Bytes of the parts that arrive there; 0: not even those.
        self.carries = carries


class Sent:
    """Large datagrams that were sent to an address and may not have arrived."""

    __slots__ = ("at", "doubts")

    def __init__(self, at: float) -> None:
        #: When the first one was.
        self.at = at
        #: Exchanges since in which the tables still differed.
        self.doubts = 0


class PathSizes:
    """The sizes of paths, by the address at their end [P127]."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        #: Bytes of the largest datagram there.
        self.size = min(LEAST_DATAGRAM, local.config.max_datagram)
        self.small: dict[Address, SmallPath] = {}
        self.sent: dict[Address, Sent] = {}
        self._carried: dict[Address, float] = {}

    def sent_large(self, address: Address) -> None:
        """Take note that a datagram larger than every path carries goes to an address."""
        if address not in self.sent and address not in self.small:
            _make_room(self.sent)
            self.sent[address] = Sent(self._local.now)

    def carried(self, address: Address) -> None:
        """Take note that a datagram of the largest size arrived there."""
        self.sent.pop(address, None)
        self._carried.pop(address, None)
        _make_room(self._carried)
        self._carried[address] = self._local.now

    def carried_within(self, address: Address, seconds: float) -> bool:
        """Return whether a datagram of the largest size arrived there within the last seconds."""
        return self._local.now - self._carried.get(address, -inf) < seconds

    @property
    def most_are_small(self) -> bool:
        """True when small paths were told, and outnumber those that carried something large."""
        told = sum(small.told for small in self.small.values())
        return told >= _SOME and told > _TIMES * len(self._carried)

    def lost_by(self, small: SmallPath) -> int:
        """Return the bytes of the smallest datagrams that are lost there, as far as is known."""
        return self._local.config.max_datagram if small.carries else self.size

    def is_small(self, address: Address, path: SmallPath) -> None:
        """Send nothing large to an address from now on."""
        self.sent.pop(address, None)
        self._carried.pop(address, None)
        _make_room(self.small)
        self.small[address] = path


def _make_room(kept: dict[Address, SmallPath] | dict[Address, Sent] | dict[Address, float]) -> None:
    if len(kept) >= _KEPT:
        del kept[next(iter(kept))]
