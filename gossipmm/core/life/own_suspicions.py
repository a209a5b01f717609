"""Notices that others suspect this node again and again, which it refutes each time.

Each refutation looks like success, here and there, and a node that goes on like that for hours does
harm: its hosts are second choice half of the time, and its peers log each turn. It can see so
itself, and says it once: what it announces is not where it can be reached, or its path is bad.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values import events
from gossipmm.core.values.timers import Token, cancel

__all__ = ("OwnSuspicions",)

#: Refutations within so many seconds that are too many. At 25 % loss a node refutes less than
#: twice a minute; one that announces an address that it lost, 60 to 120 times.
_WINDOW: Final = 60.0
_OFTEN: Final = 10


class OwnSuspicions:
    """Counts this node's refutations."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._times: deque[float] = deque(maxlen=_OFTEN)
        self._over: Token | None = None

    def refuted(self) -> None:
        """Take one more refutation; say so when there are ten in a minute [P38]."""
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
        """Take it back: for a minute there were not ten within one."""
        local = self._local
        self._over = None
        lately = sum(at > local.now - _WINDOW for at in self._times)
        local.events.append(events.SelfSuspected(local.now, False, lately))
