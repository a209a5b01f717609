"""Reports that others use this port: another cluster, another key, or nodes without one."""

from __future__ import annotations

from math import inf
from typing import Final

from gossipmm.core.sealing.cose import kid_untrusted
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values import events
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address

__all__ = ("FOREIGN", "ForeignTraffic")

#: Reasons that mean that a datagram is not of this cluster, rather than damaged.
FOREIGN: Final = frozenset(
    (
        Drop.CLUSTER,
        Drop.VERSION,
        Drop.ENCRYPTED,
        Drop.NOT_ENCRYPTED,
        Drop.UNKNOWN_KEY,
        Drop.RETIRED_KEY,
        Drop.NOT_AUTHENTIC,
    )
)
#: Seconds until the same is reported again, and how many reports are remembered.
_AGAIN_AFTER: Final = 600.0
_MOST: Final = 64


class ForeignTraffic:
    """Reports each reason once, for however many datagrams: a flood must not flood the events.

    Nodes that missed a rotation (genuine, but with a retired key) are reported one by one.
    """

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._told: dict[tuple[Drop, Address | None], float] = {}

    def heard(self, reason: Drop, source: Address, data: bytes) -> None:
        """Take note of a datagram that was refused for one of the reasons above [P113]."""
        now = self._local.now
        what = (reason, source if reason is Drop.RETIRED_KEY else None)
        if now - self._told.get(what, -inf) < _AGAIN_AFTER:
            return
        kid = kid_untrusted(data) or b""
        if reason is Drop.RETIRED_KEY and self._is_underway(kid, source):
            return
        if len(self._told) >= _MOST:
            del self._told[next(iter(self._told))]
        self._told[what] = now
        self._local.events.append(events.ForeignTraffic(now, source, reason, kid.hex()))

    def _is_underway(self, kid: bytes, source: Address) -> bool:
        """Return whether a live member uses another key by now: this one was sent just before."""
        for member in self._local.table.peers.values():
            if source in member.addresses:
                told = member.pages[0].keys
                return told is not None and told.holds[0] != kid
        return False
