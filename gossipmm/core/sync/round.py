"""What happens once an interval: this node's own life, one exchange, seeds and the dead."""

from __future__ import annotations

from gossipmm.core.failure.probes import Probes
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.sending.outbox import Context
from gossipmm.core.sync.joining import Joining
from gossipmm.core.sync.pace import Pace
from gossipmm.core.sync.reaper import Reaper
from gossipmm.core.values.purpose import Purpose
from gossipmm.mechanisms import Mechanism

__all__ = ("GossipRound",)


class GossipRound:
    """The gossip interval of one node."""

    def __init__(
        self,
        context: Context,
        own_generations: OwnGenerations,
        conflict: NameConflict,
        reply_loss: ReplyLoss,
        probes: Probes,
        joining: Joining,
        reaper: Reaper,
        pace: Pace,
    ) -> None:
        self._c = context
        self._own = own_generations
        self._conflict = conflict
        self._reply_loss = reply_loss
        self._probes = probes
        self._joining = joining
        self._reaper = reaper
        self._pace = pace

    def begin(self) -> None:
        """Begin the first interval."""
        self._pace.begin(self._tick)
        self._reaper.begin()

    def _tick(self, _: object) -> None:
        c = self._c
        self._pace.next_interval()
        if c.own.leaving:
            return
        self._raise_heartbeat(2 * c.config.gossip_interval)
        self._conflict.watch()
        self._reply_loss.review()
        target = c.peers.next_target()
        if target is not None:
            self._probes.start(target, Purpose.ROUND)
        self._joining.try_seeds()
        if c.table.gone:
            self._reaper.try_gone()
        self._reaper.watch_loneliness()

    def _raise_heartbeat(self, window: float) -> None:
        """Only a node that hears is alive: a deaf one's heartbeat stands still [P21]."""
        c = self._c
        hears = c.now - c.last_heard <= window or Mechanism.HEARING_RULE in c.without
        if hears:
            self._own.raise_heartbeat()
