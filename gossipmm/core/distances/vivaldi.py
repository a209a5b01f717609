"""Vivaldi: a node finds its coordinate by the round trips to others and by theirs.

Each sample is a spring between two nodes (Dabek et al. 2004). A node remembers the last samples of
its neighbours and lets all of their springs pull, the older the less (neighbour decay: Ledlie,
Gardner, Seltzer 2007): most exchanges are with one and the same neighbour on the ring, and others
are met once in minutes.
"""

from __future__ import annotations

import random
from math import exp, sqrt
from typing import Final

from gossipmm.core.distances.coordinate import LEAST_HEIGHT, MOST_ERROR, Coordinate, distance
from gossipmm.core.values.stats import Drop
from gossipmm.mechanisms import Mechanism

__all__ = ("ENOUGH", "Neighbour", "Vivaldi")

#: Neighbours remembered, and from how many on a node knows where it is.
_KEPT: Final = 32
ENOUGH: Final = 16
#: Samples of each. The lowest counts: it is what a round trip takes without queues [P180].
_SAMPLES: Final = 4
#: Seconds in which a neighbour's pull falls to a third; below a twentieth it is left out.
_DECAY: Final = 20.0
_FORGOTTEN: Final = 3 * _DECAY
#: Share of a spring that one step gives way, how much of it the height takes, steps for each
#: sample, and the share of a sample in the error (Dabek et al. and Serf: 0.25 both).
_GIVES: Final = 0.25
_HEIGHT: Final = 0.2
_SWEEPS: Final = 4
_LEARNS: Final = 0.25
#: Round trips below this count as so long when the error is judged: of 0.5 ms, scheduling is half.
_SHORT: Final = 0.005
_LEAST_ERROR: Final = 0.01
#: A neighbour is not believed whose spring is longer than so many times the median of all, and than
#: so many seconds; with fewer neighbours than that, all are [P181].
_FAR: Final = 4.0
_NOT_FAR: Final = 0.02
_JURY: Final = 6
#: Seconds by which a neighbour may move at once, and more for each second, unless it says itself
#: that it does not know where it is.
_MOVES: Final = 0.05
_SPEED: Final = 0.002
_UNSURE: Final = 0.25
#: Pull towards the middle, by which nobody drifts away for ever: (distance / 20 s) squared, 25 us
#: for each sample at 100 ms (Ledlie et al. 2007; Serf).
_GRAVITY: Final = 20.0
#: Largest distance from the middle; the wire carries 655 ms.
_MOST: Final = 0.65
#: Round trips from here on are of a network in which hosts can be taken for ones of elsewhere, if
#: so many neighbours at least have such: fewer may be those whose answers waited.
_WIDE: Final = 0.005
_SOME: Final = 3
#: Neighbours whose places are tried, which share of the strain a place must have to be better, what
#: is added to a round trip when its share of the strain is judged, and the error of who moved so:
#: others take it for one that does not know where it is, whose moves count (_UNSURE) [P178].
_TRIED: Final = 4
_BETTER: Final = 0.9
_PLAIN: Final = 0.03
_MOVED: Final = 0.3
#: Nearer than this, two points have no direction from each other.
_SAME: Final = 1e-6


class Neighbour:
    """A member that was measured: where it said to be, and how long answers of it took."""

    __slots__ = ("at", "coordinate", "far", "moved_at", "samples")

    def __init__(self, coordinate: Coordinate, rtt: float, now: float) -> None:
        self.coordinate = coordinate
        self.samples = [rtt]
        self.at = self.moved_at = now
        #: True while it is not believed.
        self.far = False

    @property
    def rtt(self) -> float:
        """The round trip without what waits on the way, in seconds."""
        return min(self.samples)


class Vivaldi:
    """The coordinate of one node."""

    def __init__(self, rng: random.Random, without: frozenset[Mechanism]) -> None:
        self._rng = rng
        self._height = Mechanism.DISTANCE_HEIGHT not in without
        self._samples = _SAMPLES if Mechanism.DISTANCE_FILTER not in without else 1
        self._kept = _KEPT if Mechanism.DISTANCE_NEIGHBOURS not in without else 1
        self._judges = Mechanism.DISTANCE_JURY not in without
        self.own = Coordinate(0.0, 0.0, 0.0, 10 * LEAST_HEIGHT, MOST_ERROR)
        #: By record key, the one measured last at the end.
        self.neighbours: dict[int, Neighbour] = {}
        #: How often one was measured that was not among them.
        self.met = 0

    def sample(self, key: int, theirs: Coordinate, rtt: float, now: float) -> Drop | None:
        """Take a measured round trip to a neighbour; return why it is not believed, if it is not.

        [P178]
        """
        known = self.neighbours.pop(key, None)
        refused: Drop | None = None
        if known is None:
            known = Neighbour(theirs, rtt, now)
            self.met += 1
            if len(self.neighbours) >= self._kept:
                del self.neighbours[next(iter(self.neighbours))]
        else:
            known.samples = known.samples[-self._samples + 1 :] if self._samples > 1 else []
            known.samples.append(rtt)
            known.at = now
            if self._judges and _too_fast(known, theirs, now):
                refused = Drop.DISTANCE_FAST
            else:
                known.coordinate, known.moved_at = theirs, now
        self.neighbours[key] = known
        if self._judges and self.is_wide():
            self._move_to_the_near(now)
        believed = self._believed(now)
        if known.far:
            return refused or Drop.DISTANCE_FAR
        error = self._learn(known)
        self._relax(believed, error, now)
        return refused

    def is_wide(self) -> bool:
        """Return whether some round trips are so long that hosts are told apart by them [P180]."""
        return sum(one.rtt > _WIDE for one in self.neighbours.values()) >= _SOME

    def _move_to_the_near(self, now: float) -> None:
        """Move to where a neighbour nearby says to be, if round trips fit that better [P178].

        Springs alone do not lead out of a place between others that is wrong, but at rest.
        """
        late = [one for one in self.neighbours.values() if now - one.at < _FORGOTTEN]
        if len(late) < _JURY:
            return
        own, found = self.own, self.own
        least = _BETTER * _strain(own, late, now)
        for one in sorted(late, key=_round_trip)[:_TRIED]:
            there = one.coordinate
            place = Coordinate(there.x, there.y, there.z, own.height, max(own.error, _MOVED))
            strain = _strain(place, late, now)
            if strain < least:
                least, found = strain, place
        self.own = found

    def _believed(self, now: float) -> list[Neighbour]:
        """Return the neighbours whose springs pull: those of late that most others bear out."""
        late = [one for one in self.neighbours.values() if now - one.at < _FORGOTTEN]
        if len(late) < _JURY or not self._judges:
            for one in late:
                one.far = False
            return late
        off = [abs(one.rtt - distance(self.own, one.coordinate)) for one in late]
        limit = max(_NOT_FAR, _FAR * sorted(off)[len(off) // 2])
        for one, spring in zip(late, off, strict=True):
            one.far = spring > limit
        return [one for one in late if not one.far]

    def _learn(self, known: Neighbour) -> float:
        """Return the error of this node by how far the newest sample is off."""
        own, rtt = self.own, known.rtt
        off = abs(distance(own, known.coordinate) - rtt) / max(rtt, _SHORT)
        share = _LEARNS * own.error / (own.error + known.coordinate.error + 1e-9)
        error = share * off + (1.0 - share) * own.error
        return min(MOST_ERROR, max(_LEAST_ERROR, error))

    def _relax(self, believed: list[Neighbour], error: float, now: float) -> None:
        """Let all springs pull in turn, several times over [P178]."""
        own, rng = self.own, self._rng
        x, y, z, height = own.x, own.y, own.z, own.height
        rng.shuffle(believed)
        springs: list[tuple[Coordinate, float, float]] = []
        for one in believed:
            trust = error / (error + one.coordinate.error + 1e-9)
            fresh = exp((one.at - now) / _DECAY)
            springs.append((one.coordinate, one.rtt, _GIVES * trust * fresh))
        for _ in range(_SWEEPS):
            for theirs, rtt, share in springs:
                dx, dy, dz = x - theirs.x, y - theirs.y, z - theirs.z
                apart = sqrt(dx * dx + dy * dy + dz * dz)
                both = height + theirs.height
                force = share * (rtt - apart - both)
                if apart < _SAME:
                    dx, dy, dz = rng.random() - 0.5, rng.random() - 0.5, rng.random() - 0.5
                    pull = force / (sqrt(dx * dx + dy * dy + dz * dz) + 1e-9)
                else:
                    pull = force / apart
                x, y, z = x + pull * dx, y + pull * dy, z + pull * dz
                if self._height:
                    height += _HEIGHT * force * both / (apart + both)
                    height = min(_MOST, max(LEAST_HEIGHT, height))
        middle = sqrt(x * x + y * y + z * z)
        keeps = 1.0 - min(1.0, middle / _GRAVITY**2)
        if middle > _MOST:
            keeps = _MOST / middle
        self.own = Coordinate(keeps * x, keeps * y, keeps * z, height, error)


def _round_trip(one: Neighbour) -> float:
    return one.rtt


def _strain(place: Coordinate, late: list[Neighbour], now: float) -> float:
    """Return by how much the round trips to neighbours do not fit a place, the late ones most.

    Each has a share of one at most: a few that agree on a place far away do not decide.
    """
    total = 0.0
    for one in late:
        off = abs(distance(place, one.coordinate) - one.rtt)
        total += exp((one.at - now) / _DECAY) * min(1.0, off / (one.rtt + _PLAIN))
    return total


def _too_fast(known: Neighbour, theirs: Coordinate, now: float) -> bool:
    """Return whether a neighbour moved further than one does that knows where it is [P181]."""
    before = known.coordinate
    if theirs.error > _UNSURE or before.error > _UNSURE:
        return False
    dx, dy, dz = theirs.x - before.x, theirs.y - before.y, theirs.z - before.z
    height = abs(theirs.height - before.height)
    moved = sqrt(dx * dx + dy * dy + dz * dz) + height
    return moved > _MOVES + _SPEED * (now - known.moved_at)
