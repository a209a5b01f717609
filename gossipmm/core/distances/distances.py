"""What one node knows of distances: its own coordinate, and those of others that it was told."""

from __future__ import annotations

import random
from math import inf
from struct import Struct
from typing import Final

from gossipmm.config import Config
from gossipmm.core.distances.coordinate import Coordinate, distance, pack, unpack
from gossipmm.core.distances.vivaldi import ENOUGH, Vivaldi
from gossipmm.core.values.stats import Stats
from gossipmm.mechanisms import Mechanism

__all__ = ("Distances",)

#: Intervals after which a member is asked for its coordinate again: on the ring in each fourth
#: exchange, and in those beside the ring nearly always.
_AGAIN: Final = 4
#: A coordinate that was told, and when: 12 bytes, for thousands of members.
_TOLD: Final = Struct(">8sf")
#: Round trips that are believed, in seconds: a probe lasts no longer.
_LONGEST: Final = 4.0


class Distances:
    """The coordinates of this node and of others [P178]."""

    def __init__(self, config: Config, rng: random.Random, stats: Stats) -> None:
        #: False: this node keeps no coordinate, asks for none, and tells none.
        self.on = config.distances
        self._hurries = self.on and Mechanism.DISTANCE_YOUNG not in config.without
        self._stats = stats
        self._again = _AGAIN * config.gossip_interval
        self._most = config.max_members
        self._vivaldi = Vivaldi(rng, config.without)
        #: Record key -> the coordinate that it told, and when.
        self._told: dict[int, bytes] = {}
        #: Core time of the last news of any coordinate, this node's own included.
        self.changed_at = -inf
        self._packed: tuple[Coordinate, bytes] | None = None

    @property
    def own(self) -> Coordinate | None:
        """Where this node is; None: it keeps no coordinate, or has measured nothing yet."""
        vivaldi = self._vivaldi
        return vivaldi.own if self.on and vivaldi.met else None

    @property
    def met(self) -> int:
        """How many members this node has measured."""
        return self._vivaldi.met

    def own_bytes(self) -> bytes | None:
        """Return where this node is, as it is told; None: it keeps no coordinate.

        In the middle and without any trust in that, to begin with: somebody has to be the first.
        """
        if not self.on:
            return None
        own, packed = self._vivaldi.own, self._packed
        if packed is None or packed[0] is not own:
            self._packed = packed = (own, pack(own))
        return packed[1]

    def asks(self, key: int, others: int, now: float) -> bool:
        """Return whether an exchange with a member asks for its coordinate [P179]."""
        if not self.on:
            return False
        known = self._vivaldi.neighbours.get(key)
        return known is None or now - known.at > self._again or self.is_young(others)

    def is_young(self, others: int) -> bool:
        """Return whether this node has measured few members yet, of so many others [P180]."""
        met = self._vivaldi.met
        if not self._hurries or met >= min(2 * ENOUGH, others):
            return False
        return met < ENOUGH or self._vivaldi.is_wide()

    def measured(self, key: int, rtt: float, told: bytes | None, now: float) -> None:
        """Take a round trip, and the coordinate that the answer brought [P178]."""
        if not self.on or not told or not 0.0 < rtt < _LONGEST:
            return
        refused = self._vivaldi.sample(key, unpack(told), rtt, now)
        if refused is not None:
            self._stats.drop(refused)
        else:
            self.told(key, told, now)

    def told(self, key: int, told: bytes, now: float) -> None:
        """Remember where a member says to be."""
        if len(self._told) >= self._most and key not in self._told:
            self._forget()
        # Replaced, and never missing meanwhile: other threads read it.
        self._told[key] = _TOLD.pack(told, now)
        self.changed_at = now

    def _forget(self) -> None:
        """Forget the eighth that was told longest ago."""
        newest = sorted(self._told.items(), key=_told_at)
        self._told = dict(newest[1 + len(newest) // 8 :])

    def of(self, key: int, now: float) -> tuple[Coordinate, float] | None:
        """Return where a member said to be, and the age of that; None: not known here."""
        one = self._told.get(key)
        if one is None:
            return None
        told, at = _TOLD.unpack(one)
        return unpack(told), max(0.0, now - at)

    def rtt(self, key: int, now: float) -> float | None:
        """Return the estimated round trip to a member; None: one of the two is not known."""
        own, theirs = self.own, self.of(key, now)
        return distance(own, theirs[0]) if own is not None and theirs is not None else None

    def estimate(self, key: int, now: float) -> tuple[float | None, float | None]:
        """Return the estimated round trip to a member, and the share by which it may be off."""
        own, theirs = self.own, self.of(key, now)
        if own is None or theirs is None:
            return None, None
        return distance(own, theirs[0]), max(own.error, theirs[0].error)


def _told_at(item: tuple[int, bytes]) -> float:
    """Return when a coordinate was told."""
    at: float = _TOLD.unpack(item[1])[1]
    return at
