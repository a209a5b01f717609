"""Nobody is heard: all others are gone, or this node is cut off [P92]."""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.probe import Failure
from gossipmm.core.failure.probes import Probes
from gossipmm.core.table.local_state import LocalState
from gossipmm.mechanisms import Mechanism

__all__ = ("Silence",)

#: x the maximum suspicion without a datagram from anybody: then this node says that it is isolated,
#: and that it believes what it sees. Where half of everything is lost, five nodes hear nothing for
#: as long as the first once in 10^5 times.
_SILENT: Final = 1.5
_BELIEVED: Final = 2.0
#: And at least so many intervals, for clusters that seldom exchange anything. After the first
#: probe that fails, exchanges come every half second.
_ROUNDS: Final = 2


class Silence:
    """Watches how long nobody has been heard."""

    def __init__(self, local: LocalState, detector: Detector, probes: Probes) -> None:
        self._local = local
        self._detector = detector
        self._probes = probes

    def watch(self) -> None:
        """Say that this node may be isolated; later suspect everybody at once.

        Either nobody is heard, or nearly all of those asked lately do not answer: the survivors of
        a mass death hear each other. One by one, at a probe an interval, the last of a hundred
        would leave lookups after 77 s.
        """
        local = self._local
        config = local.config
        if local.now < local.slow_until and Mechanism.LATE_HOLD not in local.without:
            return
        longest = max(config.suspicion_max, _ROUNDS * config.gossip_interval)
        if not local.is_deaf(local.now - _SILENT * longest):
            if self._probes.lately.nearly_all_fail:
                self._detector.isolation.silent()
            elif not self._probes.lately.most_fail:
                self._detector.isolation.heard()
            return
        self._detector.isolation.silent()
        if not local.is_deaf(local.now - _BELIEVED * longest):
            return
        heard = local.last_heard
        for member in list(local.table.peers.values()):
            if not member.suspected:
                member.held_since = heard
                self._probes.drop(member)
                self._detector.accuse(member, Failure(heard, 0, local.now - heard, None))
