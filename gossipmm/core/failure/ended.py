"""Probes that have ended, and what an answer tells that comes afterwards."""

from __future__ import annotations

from math import inf
from typing import Final

from gossipmm.core.failure.probe import Probe
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.types import Generation
from gossipmm.core.wire.frame import TRY
from gossipmm.core.wire.slim import SHORT

__all__ = ("Ended",)

#: Probes remembered, of the unanswered ones and of the answered ones; and for how many intervals a
#: late answer makes this node consider what it reads as old as that.
_KEPT: Final = 64
_BEHIND_FOR: Final = 4
#: Seconds for which an answer may be continued: where this node's address was not proved, the rest
#: comes once it is [P95].
_ANSWERED_FOR: Final = 2.0


class Ended:
    """Remembers the last probes that ended."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        #: Those without an answer, and when they began: an answer that still comes tells how far
        #: this node is behind with its reading.
        self._unanswered: dict[int, float] = {}
        #: Questions that were answered: when, and in which life of this node.
        self._answered: dict[int, tuple[float, Generation]] = {}

    def failed(self, probe: Probe) -> None:
        """Take note of one that nobody answered."""
        if len(self._unanswered) >= _KEPT:
            del self._unanswered[next(iter(self._unanswered))]
        self._unanswered[probe.identity & SHORT] = probe.began

    def answered(self, identity: int) -> None:
        """Take note of an answer, by the number that it bears."""
        if len(self._answered) >= _KEPT:
            del self._answered[next(iter(self._answered))]
        local = self._local
        self._answered[identity & ~TRY] = local.now, local.own.generation

    def was_answered(self, identity: int) -> bool:
        """Return whether a question of this life was answered just now: more of it may come."""
        at, generation = self._answered.get(identity & ~TRY, (-inf, 0))
        local = self._local
        return local.now <= at + _ANSWERED_FOR and generation == local.own.generation

    def heard(self, identity: int) -> None:
        """Take the answer to one that has ended: this node is behind by as much [P69]."""
        local = self._local
        began = self._unanswered.get(identity & SHORT & ~TRY)
        if began is not None:
            local.is_behind(
                local.now - began, local.now + _BEHIND_FOR * local.config.gossip_interval
            )
