"""Paces exchanges: sooner for a node that is alone or has just joined, and after a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values import events
from gossipmm.core.values.timers import Token, cancel

__all__ = ("Pace",)

#: A joiner's first exchanges come faster, to find what the transfer missed: when 100 nodes join one
#: seed at once, some learn of others only after they were served. In units of resends.
_HURRIES: Final = 4
_HURRY: Final = 4
#: Seconds between two intervals that a failure or loneliness brings: a probe takes as long.
_SOON: Final = 0.5


class Pace:
    """The timer of the gossip interval, which runs faster when there is a reason."""

    def __init__(self, local: LocalState, broadcasts: BroadcastQueue) -> None:
        self._local = local
        self._broadcasts = broadcasts
        self._hurries = 0
        self._alone = True
        self._ticked_at = local.now
        self._tick: Callable[[object], None]
        self._next: Token | None = None

    @property
    def hurried(self) -> bool:
        """True for a node that has just joined: it does not wait to ask for what it lacks."""
        return self._hurries > 0

    def begin(self, tick: Callable[[object], None]) -> None:
        """Begin the first interval; ``tick`` is called at the end of each one."""
        local = self._local
        self._tick = tick
        self._next = local.timers.at(
            local.now + local.rng.random() * local.config.gossip_interval, tick
        )

    def next_interval(self) -> None:
        """Begin the next interval [P60]."""
        local = self._local
        config = local.config
        self._ticked_at = local.now
        interval = config.gossip_interval
        if not local.table.peers:
            interval = min(interval, _SOON)  # alone: it costs nobody anything but the seeds
        elif self._hurries:
            self._hurries -= 1
            interval = self._hurry_interval
        wait = interval * (1.0 + config.jitter * (2.0 * local.rng.random() - 1.0))
        self._next = local.timers.at(local.now + wait, self._tick)

    def joined(self) -> None:
        """Note that this table agrees with a peer's, or has all of it, for the first time [P80]."""
        local = self._local
        local.table.joined = local.table.agreed = True
        local.events.append(events.Joined(local.now, local.table.live_count()))
        self._alone = True
        self.found_others()

    def found_others(self) -> None:
        """Note that others are known, joined or not: they are told this node's registrations."""
        if self._alone:
            self._alone = False
            self._broadcasts.tell_self()
            self.hurry()

    def hurry(self) -> None:
        """Exchange at once, and a few times faster than usual: this node has just joined [P81]."""
        local = self._local
        cancel(self._next)
        self._hurries = _HURRIES
        wait = self._hurry_interval * local.rng.random()
        self._next = local.timers.at(local.now + wait, self._tick)

    @property
    def _hurry_interval(self) -> float:
        config = self._local.config
        return min(config.gossip_interval, _HURRY * config.resend_base)

    def soon(self) -> None:
        """Exchange at once: a probe of the round failed or nearly so, or tables differ [P60].

        Not sooner than half a second after the last time: as long as a probe takes, and as a table
        stands still before it is compared.
        """
        local = self._local
        config = local.config
        when = max(local.now, self._ticked_at + min(_SOON, config.gossip_interval))
        when += config.resend_base * local.rng.random()  # many may have the same reason at once
        if self._next is not None and when < self._next.when:
            cancel(self._next)
            self._next = local.timers.at(when, self._tick)
