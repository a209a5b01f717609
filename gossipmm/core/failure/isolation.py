"""Detects that this node may be the one cut off, and answers stale hosts for a while [P92].

An isolated agent must not turn off an RPC that still works: when more than half of the live members
vanish at once, a topic that has no live host left answers its last known ones, marked stale.
"""

from __future__ import annotations

from collections import deque

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.types import Status
from gossipmm.mechanisms import Mechanism


class Isolation:
    """Counts deaths, and keeps the vanished members answerable for ``stale_for`` seconds."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        #: Deaths within two maximum suspicions: (when, member).
        self._deaths: deque[tuple[float, Member]] = deque()
        self._until: Token | None = None
        #: True once all that vanished before are marked: from then on each new one is.
        self._marked = False
        #: Said for silence; not again before somebody was heard.
        self._alone = False

    def count(self, member: Member) -> None:
        """Take one more death: more than half of the live members may have gone at once [P92]."""
        local = self._local
        if local.config.stale_for <= 0 or Mechanism.STALE_LOOKUPS in local.without:
            return
        self._deaths.append((local.now, member))
        window = local.now - 2 * local.config.suspicion_max
        while self._deaths and self._deaths[0][0] < window:
            self._deaths.popleft()
        if self._until is None and len(self._deaths) <= local.table.live_count():
            return  # nearly always: whether some of them have returned makes no difference
        if self._marked:
            gone = [member]
        else:
            self._deaths = deque(one for one in self._deaths if one[1].status is Status.DEAD)
            gone = [dead for _, dead in self._deaths]
        if self._until is None:
            if len(gone) <= local.table.live_count():
                return
            self._until = local.timers.at(local.now + local.config.stale_for, self._over)
            local.events.append(events.Isolated(local.now, True, len(gone)))
        self._marked = True
        for dead in gone:
            if dead.vanished_at is None:
                dead.vanished_at = local.now
                local.table.rejudge(dead, local.now)

    def silent(self) -> None:
        """Nobody is heard any longer: say so, before anybody is declared dead [P92]."""
        local = self._local
        if local.config.stale_for <= 0 or Mechanism.STALE_LOOKUPS in local.without:
            return
        if self._until is None and not self._alone and local.table.peers:
            self._alone = True
            self._until = local.timers.at(local.now + local.config.stale_for, self._over)
            local.events.append(events.Isolated(local.now, True, len(local.table.peers)))

    def heard(self) -> None:
        """Somebody is heard: an isolation in which nobody was declared dead is over."""
        if not self._alone:
            return
        self._alone = False
        gone = self._local.table.gone.values()
        if self._until is not None and all(dead.vanished_at is None for dead in gone):
            cancel(self._until)
            self._over(None)

    def _over(self, _: None) -> None:
        local = self._local
        self._until = None
        self._marked = False
        vanished = [dead for dead in local.table.gone.values() if dead.vanished_at is not None]
        for dead in vanished:
            dead.vanished_at = None
            local.table.rejudge(dead, local.now)
        local.events.append(events.Isolated(local.now, False, len(vanished)))
