"""One heap of deadlines with tokens; a cancelled token does nothing."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import Any, Final, TypeAlias

#: Cancelled tokens below which the heap is not cleaned; above, it is once they are the majority.
_FEW: Final = 64


class Token:
    """One deadline: its time, and what to call. Once cancelled, it calls nothing."""

    __slots__ = ("argument", "function", "heap", "when")

    def __init__(
        self, when: float, function: Callable[[Any], None], argument: Any, heap: Timers
    ) -> None:
        self.when = when
        self.function: Callable[[Any], None] | None = function
        self.argument: Any = argument
        self.heap = heap


#: The sequence number decides between equal times, so that tokens are never compared.
_Entry: TypeAlias = tuple[float, int, Token]


class Timers:
    """Deadlines in core time (seconds), run in order of time, then of scheduling.

    A cancelled token stays in the heap until it comes to the top, or until such tokens are the
    majority: then all of them go at once, so that the heap is at most twice the deadlines that
    still stand.
    """

    __slots__ = ("_heap", "_sequence", "cancelled")

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._sequence = 0
        #: Number of cancelled tokens in the heap.
        self.cancelled = 0

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, when: float, function: Callable[[Any], None], argument: Any = None) -> Token:
        """Run ``function(argument)`` at ``when``; the token cancels it."""
        self._sequence += 1
        token = Token(when, function, argument, self)
        heapq.heappush(self._heap, (when, self._sequence, token))
        return token

    def next(self) -> float:
        """Return the time of the earliest deadline that still stands; infinity without one."""
        heap = self._heap
        while heap:
            when, _, token = heap[0]
            if token.function is not None:
                return when
            heapq.heappop(heap)
            self.cancelled -= 1
        return inf

    def run_due(self, now: float) -> None:
        """Run every deadline at or before ``now``, those added meanwhile included."""
        while self._heap and self._heap[0][0] <= now:
            token = heapq.heappop(self._heap)[2]
            function = token.function
            if function is None:
                self.cancelled -= 1
                continue
            token.function = None  # cancelling it from here on changes nothing
            function(token.argument)

    def clean(self) -> None:
        """Drop the cancelled tokens if they are the majority of the heap."""
        if self.cancelled > _FEW and 2 * self.cancelled > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].function is not None]
            heapq.heapify(self._heap)
            self.cancelled = 0


def cancel(token: Token | None) -> None:
    """Make a token do nothing. None, and a token that has already run, are accepted."""
    if token is not None and token.function is not None:
        token.function = None
        token.argument = None
        token.heap.cancelled += 1
        token.heap.clean()
