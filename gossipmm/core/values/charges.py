"""A count of something that is forgiven with time."""

from __future__ import annotations

__all__ = ("Charges",)


class Charges:
    """A number that falls by one in ``span`` seconds."""

    __slots__ = ("_at", "_left", "_span")

    def __init__(self, span: float) -> None:
        self._span = span
        self._left = self._at = 0.0

    def at(self, now: float) -> float:
        """Return what is left by now."""
        return max(0.0, self._left - (now - self._at) / self._span)

    def add(self, now: float, most: float) -> None:
        """Add one, up to ``most``; what is above that already stays."""
        left = self.at(now)
        self._left, self._at = max(left, min(left + 1.0, most)), now

    def room(self, now: float, most: float) -> bool:
        """Return whether one more can be added in full."""
        return self.at(now) <= most - 1.0
