"""How much of what changed readers are shown at once: all of it, unless that takes too long."""

from __future__ import annotations

from typing import Final

from gossipmm.core.table.table import Table
from gossipmm.core.values.events import HostChanged
from gossipmm.core.values.timers import Timers, Token

__all__ = ("AT_ONCE", "BURST", "RATE", "Publishing")

#: Registrations that one datagram or one timer shows: 4 to 12 us each, so 1 ms.
AT_ONCE: Final = 96
#: Registrations a second, and how many of them may be saved up: a quarter of a core, whoever makes
#: them change.
RATE: Final = 65_536
BURST: Final = 4_096


class Publishing:
    """Shows readers what changed, a stretch at a time if it is very much [P9]."""

    def __init__(self, table: Table, timers: Timers, now: float) -> None:
        self._table = table
        self._timers = timers
        self._timer: Token | None = None
        self._left = float(BURST)
        self._at = now

    def publish(self, now: float) -> list[HostChanged]:
        """Let readers see what changed, or the next of it; return the changes."""
        self._left = min(BURST, self._left + (now - self._at) * RATE)
        self._at = now
        most = AT_ONCE if self._left >= AT_ONCE else 0
        judged, changes = self._table.publish_some(most) if most else (0, [])
        self._left -= judged
        if self._table.unpublished and self._timer is None:
            missing = max(0.0, AT_ONCE - self._left)
            self._timer = self._timers.at(now + missing / RATE, self._go_on)
        return changes

    def _go_on(self, _: None) -> None:
        """Nothing more: whatever a timer changed is published after it."""
        self._timer = None
