"""How the probes of the round ended lately: whether somebody died, or most did [P60]."""

from __future__ import annotations

from collections import deque
from typing import Final

from gossipmm.core.table.local_state import LocalState

__all__ = ("RoundOutcomes",)

#: Times a probe that are looked back at: two seconds. By time and not by number, because exchanges
#: are rare as long as all is well.
_LATELY: Final = 4
#: Others asked at once while a few of those asked answer, at most.
_MOST: Final = 16
#: Failures that are enough to judge by: where half of the members answer, six of seven fail by
#: chance one time in 16, and then not again and again.
_ENOUGH: Final = 6
#: Where so many failed for each that was answered, nearly all are gone: no limit then.
_NEARLY_ALL: Final = 8
#: Mask of the last eight.
_LAST_MASK: Final = (1 << 8) - 1


class RoundOutcomes:
    """The probes of the round that ended within the last two seconds."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._span = _LATELY * local.config.probe_time
        #: (when it ended, whether it failed), the oldest first.
        self._ended: deque[tuple[float, bool]] = deque()
        self._failed = 0
        #: A bit for each of the last ones that failed, the newest lowest.
        self._last = 0

    def add(self, *, failed: bool) -> None:
        """Count a probe of the round that ended now."""
        self._trim()
        self._ended.append((self._local.now, failed))
        self._failed += failed
        self._last = (self._last << 1 | failed) & _LAST_MASK

    def _trim(self) -> None:
        ended, since = self._ended, self._local.now - self._span
        while ended and ended[0][0] < since:
            self._failed -= ended.popleft()[1]

    @property
    def failed(self) -> int:
        """Number of those that failed."""
        self._trim()
        return self._failed

    @property
    def last_failed(self) -> int:
        """Number of those that failed among the last eight, whenever they ended."""
        return self._last.bit_count()

    @property
    def answered(self) -> int:
        """Number of those that were answered."""
        self._trim()
        return len(self._ended) - self._failed

    @property
    def most_fail(self) -> bool:
        """True while more of those asked fail than answer."""
        return self.failed > self.answered

    @property
    def nearly_all_fail(self) -> bool:
        """True while so few answer that more than half of the members must be gone [P92]."""
        failed, answered = self.failed, self.answered
        return failed >= _ENOUGH and failed >= 3 * answered

    @property
    def more_at_once(self) -> int:
        """Members to ask beside the usual one, while most of those asked do not answer [P60].

        A few survivors of a hundred would look for the dead one by one for most of a minute. The
        number grows threefold every half second while all fail, and not at all while half answer.
        A node that hears nobody learns nothing from asking more.
        """
        failed, answered = self.failed, self.answered
        local = self._local
        if failed <= answered or local.is_deaf(local.now - local.config.quiet_max):
            return 0
        more = 2 * failed * failed**2 // (failed + answered) ** 2 - 1
        return more if failed > _NEARLY_ALL * (answered + 1) else min(more, _MOST)
