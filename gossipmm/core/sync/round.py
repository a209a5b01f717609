"""The gossip round, once an interval: this node's heartbeat, one exchange, seeds and the dead."""

from __future__ import annotations

from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.silence import Silence
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.sync.joining import Joining
from gossipmm.core.sync.pace import Pace
from gossipmm.core.sync.reaper import Reaper
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.purpose import Purpose
from gossipmm.mechanisms import Mechanism

__all__ = ("GossipRound",)


class GossipRound:
    """The gossip interval of one node."""

    def __init__(
        self,
        local: LocalState,
        own_generations: OwnGenerations,
        conflict: NameConflict,
        silence: Silence,
        reply_loss: ReplyLoss,
        probes: Probes,
        joining: Joining,
        reaper: Reaper,
        pace: Pace,
    ) -> None:
        self._local = local
        self._own = own_generations
        self._conflict = conflict
        self._silence = silence
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
        local = self._local
        self._pace.next_interval()
        if local.own.leaving:
            return
        self._raise_heartbeat(2 * local.config.gossip_interval)
        self._conflict.watch()
        self._reply_loss.review()
        self._silence.watch()
        for _ in range(self._probes.at_once):
            target = local.peers.next_target()
            if target is not None:
                self._probes.start(target, Purpose.ROUND)
        self._joining.try_seeds()
        if local.table.gone:
            self._reaper.try_gone()
        self._reaper.watch_loneliness()

    def _raise_heartbeat(self, window: float) -> None:
        """Raise the heartbeat if this node hears others: a deaf one's stands still [P21]."""
        local = self._local
        hears = local.now - local.last_heard <= window or Mechanism.HEARING_RULE in local.without
        if hears:
            self._own.raise_heartbeat()
