"""One heap of deadlines with tokens; a cancelled token does nothing."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import Any, TypeAlias

#: [when, sequence, function or None, argument]; a list, so that it can be cancelled in place.
Token: TypeAlias = list[Any]


class Timers:
    """Deadlines in core time (seconds), run in order of time, then of scheduling."""

    __slots__ = ("_heap", "_sequence")

    def __init__(self) -> None:
        self._heap: list[Token] = []
        self._sequence = 0

    def at(self, when: float, function: Callable[[Any], None], argument: Any = None) -> Token:
        """Run ``function(argument)`` at ``when``; the token cancels it."""
        self._sequence += 1
        token: Token = [when, self._sequence, function, argument]
        heapq.heappush(self._heap, token)
        return token

    def next(self) -> float:
        """Time of the earliest deadline that still stands; infinity without one."""
        heap = self._heap
        while heap:  # what was cancelled goes when it comes to the top
            head = heap[0]
            if head[2] is not None:
                return head[0]  # type: ignore[no-any-return]
            heapq.heappop(heap)
        return inf

    def pop_due(self, now: float) -> Token | None:
        """Remove and return the earliest deadline at or before ``now``, or None."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            token = heapq.heappop(heap)
            if token[2] is not None:
                return token
        return None


def cancel(token: Token | None) -> None:
    """Make a token do nothing. None, and one that has already run, are fine."""
    if token is not None:
        token[2] = None
        token[3] = None
