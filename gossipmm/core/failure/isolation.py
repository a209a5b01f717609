"""Whether this node is the one cut off: stale answers for a while [P92].

An isolated agent must not turn off an RPC that still works: when more than half of the live members
vanish at once, a topic that has no live host left answers its last known ones, marked stale.
"""

from __future__ import annotations

from collections import deque

from gossipmm.core.sending.outbox import Context
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.timers import Token
from gossipmm.core.values.types import Status
from gossipmm.mechanisms import Mechanism


class Isolation:
    """Counts burials, and keeps the vanished ones answerable for ``stale_for`` seconds."""

    def __init__(self, context: Context) -> None:
        self._c = context
        #: Burials within two maximum suspicions: (when, member).
        self._burials: deque[tuple[float, Member]] = deque()
        self._until: Token | None = None

    def count(self, member: Member) -> None:
        """Take one more burial: perhaps more than half of the live members went at once [P92]."""
        c = self._c
        if c.config.stale_for <= 0 or Mechanism.STALE_LOOKUPS in c.without:
            return
        self._burials.append((c.now, member))
        window = c.now - 2 * c.config.suspicion_max
        while self._burials and self._burials[0][0] < window:
            self._burials.popleft()
        gone = [dead for _, dead in self._burials if dead.status is Status.DEAD]
        if self._until is None:
            if 2 * len(gone) <= c.table.live_count() + len(gone):
                return
            self._until = c.timers.at(c.now + c.config.stale_for, self._over)
            c.events.append(events.Isolated(c.now, True, len(gone)))
        for dead in gone:
            if dead.vanished_at is None:
                dead.vanished_at = c.now
                c.table.rejudge(dead, c.now)

    def _over(self, _: None) -> None:
        c = self._c
        self._until = None
        vanished = [dead for dead in c.table.gone.values() if dead.vanished_at is not None]
        for dead in vanished:
            dead.vanished_at = None
            c.table.rejudge(dead, c.now)
        c.events.append(events.Isolated(c.now, False, len(vanished)))
