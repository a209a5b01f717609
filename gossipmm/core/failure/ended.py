"""Probes that have ended, and what an answer tells that comes afterwards."""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.probe import Probe
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.wire.frame import TRY
from gossipmm.core.wire.slim import SHORT

__all__ = ("Ended",)

#: Unanswered probes remembered, and for how many intervals a late answer makes this node consider
#: what it reads as old as that.
_UNANSWERED: Final = 64
_BEHIND_FOR: Final = 4


class Ended:
    """Remembers the last probes that ended."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        #: Those without an answer, and when they began: an answer that still comes tells how far
        #: this node is behind with its reading.
        self._unanswered: dict[int, float] = {}

    def failed(self, probe: Probe) -> None:
        """Take note of one that nobody answered."""
        if len(self._unanswered) >= _UNANSWERED:
            del self._unanswered[next(iter(self._unanswered))]
        self._unanswered[probe.identity & SHORT] = probe.began

    def heard(self, identity: int) -> None:
        """Take the answer to one that has ended: this node is behind by as much [P69]."""
        local = self._local
        began = self._unanswered.get(identity & SHORT & ~TRY)
        if began is not None:
            local.is_behind(
                local.now - began, local.now + _BEHIND_FOR * local.config.gossip_interval
            )
