"""One heap of deadlines with tokens; a cancelled token does nothing."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import Any, TypeAlias


class Token:
    """One deadline: when, and what is called then. Cancelled, it calls nothing."""

    __slots__ = ("argument", "function", "when")

    def __init__(self, when: float, function: Callable[[Any], None], argument: Any) -> None:
        self.when = when
        self.function: Callable[[Any], None] | None = function
        self.argument: Any = argument


#: The sequence number decides between equal times, so that tokens are never compared.
_Entry: TypeAlias = tuple[float, int, Token]


class Timers:
    """Deadlines in core time (seconds), run in order of time, then of scheduling."""

    __slots__ = ("_heap", "_sequence")

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._sequence = 0

    def at(self, when: float, function: Callable[[Any], None], argument: Any = None) -> Token:
        """Run ``function(argument)`` at ``when``; the token cancels it."""
        self._sequence += 1
        token = Token(when, function, argument)
        heapq.heappush(self._heap, (when, self._sequence, token))
        return token

    def next(self) -> float:
        """Time of the earliest deadline that still stands; infinity without one."""
        heap = self._heap
        while heap:  # what was cancelled goes when it comes to the top
            when, _, token = heap[0]
            if token.function is not None:
                return when
            heapq.heappop(heap)
        return inf

    def run_due(self, now: float) -> None:
        """Run every deadline at or before ``now``, those that this adds included."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            token = heapq.heappop(heap)[2]
            if token.function is not None:
                token.function(token.argument)


def cancel(token: Token | None) -> None:
    """Make a token do nothing. None, and one that has already run, are fine."""
    if token is not None:
        token.function = None
        token.argument = None
