"""What one sender may send of user events: at its own door, and at everybody who hears of them."""

from __future__ import annotations

from typing import Final

__all__ = ("BURST", "BYTES_BURST", "BYTES_RATE", "RATE", "EventBudget")

#: Events and bytes a second of one sender, and as many at once as two seconds give. 128 a second
#: take a core of each member 2 %, or 3 % with signatures; handlers and people see far fewer.
RATE: Final = 128.0
BURST: Final = 256.0
BYTES_RATE: Final = 32_768.0
BYTES_BURST: Final = 65_536.0


class EventBudget:
    """Events and bytes left to one sender; two buckets that fill with time."""

    __slots__ = ("_at", "_bytes", "_events", "_often", "_times")

    def __init__(self, now: float, *, times: float = 1.0, often: float = 1.0) -> None:
        """``times``: how much more than the door allows at once, and ``often``: a second."""
        self._times = times
        self._often = often
        self._events = times * BURST
        self._bytes = times * BYTES_BURST
        self._at = now

    def left(self, now: float) -> tuple[int, int]:
        """Return how many events, and bytes of them, may come at once now."""
        self._refill(now)
        return int(self._events), int(self._bytes)

    def wait(self, size: int, now: float) -> float:
        """Charge one event of so many bytes; or return for how many seconds it has to wait."""
        self._refill(now)
        if self._events >= 1.0 and self._bytes >= size:
            self._events -= 1.0
            self._bytes -= size
            return 0.0
        return max(
            (1.0 - self._events) / (self._often * RATE),
            (size - self._bytes) / (self._often * BYTES_RATE),
        )

    def _refill(self, now: float) -> None:
        passed = self._often * (now - self._at)
        self._at = now
        self._events = min(self._times * BURST, self._events + passed * RATE)
        self._bytes = min(self._times * BYTES_BURST, self._bytes + passed * BYTES_RATE)
