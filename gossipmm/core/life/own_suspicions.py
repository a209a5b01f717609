"""Notices that others suspect this node again and again, which it refutes each time.

Each refutation looks like a success, here and there, but a node that goes on like that for hours
does harm: its hosts are second choice half of the time, and its peers log each turn. It can notice
that itself, and says so once: it cannot be reached at what it announces, or its path is bad.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values import events
from gossipmm.core.values.timers import Token, cancel

__all__ = ("OwnSuspicions",)

#: Refutations within so many seconds that are too many. At 25 % loss a node refutes less than twice
#: a minute; one that announces an address that it has lost, 60 to 120 times.
_WINDOW: Final = 60.0
_OFTEN: Final = 10


class OwnSuspicions:
    """Counts this node's refutations."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._times: deque[float] = deque(maxlen=_OFTEN)
        self._over: Token | None = None

    def refuted(self) -> None:
        """Count one more refutation; say so when there are ten in a minute [P38]."""
        local = self._local
        self._times.append(local.now)
        if len(self._times) < _OFTEN or self._times[0] <= local.now - _WINDOW:
            return
        if self._over is None:
            local.events.append(events.SelfSuspected(local.now, True, len(self._times)))
        else:
            cancel(self._over)
        self._over = local.timers.at(local.now + _WINDOW, self._calm)

    def _calm(self, _: None) -> None:
        """Take it back: for a minute there have not been ten within one."""
        local = self._local
        self._over = None
        lately = sum(at > local.now - _WINDOW for at in self._times)
        local.events.append(events.SelfSuspected(local.now, False, lately))
