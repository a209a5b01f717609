"""How often each member may ask something: so often at once, and so often a second."""

from __future__ import annotations

from typing import Final

__all__ = ("Budgets",)

#: Members whose budgets are remembered: more than a second of them.
_KEPT: Final = 256


class Budgets:
    """One budget for each member, by record key."""

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = burst
        self._rate = rate
        #: Key of a member -> (what is left, when).
        self._left: dict[int, tuple[float, float]] = {}

    def charge(self, key: int, now: float) -> bool:
        """Charge a member for one more; False: it has had all that it may have [P94]."""
        left, at = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        if len(self._left) >= _KEPT:
            del self._left[next(iter(self._left))]
        self._left[key] = (left - 1.0 if left >= 1.0 else left, now)
        return left >= 1.0

    def wait(self, key: int, now: float) -> float:
        """Return the seconds until a member may have one more; 0: it may now."""
        left, at = self._left.get(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        return max(0.0, (1.0 - left) / self._rate)
