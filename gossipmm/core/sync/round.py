"""The gossip round, once an interval: this node's heartbeat, exchanges, seeds and the dead."""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.predecessor import ExpectedSyn
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.silence import Silence
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.life.service_health import ServiceHealth
from gossipmm.core.sync.joining import Joining
from gossipmm.core.sync.pace import Pace
from gossipmm.core.sync.reaper import Reaper
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.purpose import Purpose
from gossipmm.mechanisms import Mechanism

__all__ = ("GossipRound",)

#: In every fourth interval another member is asked beside the successor on the ring: comparing
#: tables with the same two members only, a change that was missed would go around the ring.
_BESIDE: Final = 4


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
        expected: ExpectedSyn,
        joining: Joining,
        reaper: Reaper,
        pace: Pace,
        service_health: ServiceHealth,
    ) -> None:
        self._local = local
        self._own = own_generations
        self._conflict = conflict
        self._silence = silence
        self._reply_loss = reply_loss
        self._probes = probes
        self._expected = expected
        self._joining = joining
        self._reaper = reaper
        self._pace = pace
        self._service_health = service_health
        self._turn = int(_BESIDE * local.rng.random())
        self._ticked_at = local.now

    def begin(self) -> None:
        """Begin the first interval."""
        self._pace.begin(self._tick)
        self._reaper.begin()

    def _tick(self, _: object) -> None:
        local = self._local
        self._pace.next_interval()
        if local.own.leaving:
            return
        elapsed = local.now - self._ticked_at
        self._ticked_at = local.now
        self._raise_heartbeat(local.config.quiet_max)
        self._conflict.watch()
        self._reply_loss.review()
        self._silence.watch()
        self._exchange()
        self._expected.watch()
        self._joining.try_seeds()
        if local.table.gone:
            self._reaper.try_gone(elapsed)
        self._reaper.watch_loneliness()
        self._service_health.watch()

    def _exchange(self) -> None:
        """Ask the successor on the ring, in turn another member, and more when many fail [P60]."""
        local = self._local
        successor = local.peers.successor() if Mechanism.RING not in local.without else None
        others = 0
        self._turn += 1
        if self._turn >= _BESIDE:
            self._turn = 0
            others += 1
        elif local.distances.is_young(len(local.table.peers)):
            others += 1  # it takes several others to know where this node is [P180]
        if successor is None:
            others += 1  # nobody is there who is not suspected
        else:
            self._probes.start(successor, Purpose.ROUND)
        for _ in range(others):
            target = local.peers.next_of_round()
            if target is not None:
                self._probes.start(target, Purpose.ROUND)
        self._probes.start_more()

    def _raise_heartbeat(self, window: float) -> None:
        """Raise the heartbeat if this node hears others: a deaf one's stands still [P21]."""
        local = self._local
        hears = local.now - local.last_heard <= window or Mechanism.HEARING_RULE in local.without
        if hears:
            self._own.raise_heartbeat()
