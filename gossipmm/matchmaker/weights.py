"""Turns by weight: a cycle of hosts in which each comes as often as its weight says, evenly spread.

A cycle is a sequence as any list of hosts is: a walk takes its elements one behind the other, with
one counter and no lock. Short cycles are written out; of long ones each element is computed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from heapq import heappop, heappush
from itertools import accumulate
from math import ceil, floor, gcd
from types import MappingProxyType
from typing import Final, overload

__all__ = (
    "MAX_WRITTEN",
    "NO_CREDITS",
    "Computed",
    "credits_of",
    "cycle",
)

#: Elements of a cycle that is written out: 1 ms to make, and 8 kB.
MAX_WRITTEN: Final = 1024
#: Multiples of the golden ratio, modulo 1, are spread most evenly, however many of them are taken
#: (three-distance theorem; Knuth, The Art of Computer Programming 3, section 6.4).
_GOLDEN: Final = (5**0.5 - 1) / 2
#: Steps on each side of the golden one that are looked at.
_NEAR: Final = 16
#: Nobody is behind, and nobody ahead.
NO_CREDITS: Mapping[str, float] = MappingProxyType({})


class Computed(Sequence[str]):
    """A cycle too long to be written out: each element is computed, in 0.5 us of 10,000 hosts.

    Hosts have stretches of a circle, as long as their weights; the walk goes around it in steps
    that meet each point once.
    """

    __slots__ = ("_ends", "_hosts", "_size", "_step")

    def __init__(self, hosts: Sequence[str], weights: Sequence[int]) -> None:
        self._hosts = hosts
        self._ends = tuple(accumulate(weights))
        self._size = self._ends[-1]
        self._step = _step(self._size)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...

    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(self[one] for one in range(*place.indices(self._size)))
        if not -self._size <= place < self._size:
            raise IndexError(f"position {place} of a cycle of {self._size}")
        return self._hosts[bisect_right(self._ends, place * self._step % self._size)]


def cycle(
    hosts: Sequence[str], weights: Sequence[int], credits: Mapping[str, float] = NO_CREDITS
) -> tuple[str, ...] | Computed:
    """Return a cycle of hosts whose weights are above 0.

    In it each host comes exactly as often as its weight says, when all are divided by what they
    have in common. ``credits`` are the turns by which hosts are behind (above 0) or ahead: those
    behind come earlier.
    """
    common = gcd(*weights)
    smallest = [weight // common for weight in weights]
    if sum(smallest) > MAX_WRITTEN:
        return Computed(hosts, smallest)
    behind = [min(1.0, max(-1.0, credits.get(host, 0.0))) for host in hosts]
    return tuple(hosts[one] for one in _schedule(smallest, behind))


def _schedule(weights: Sequence[int], behind: Sequence[float]) -> list[int]:
    """Spread numbers, each as often as its weight says, over as many places as the weights sum to.

    Each one has, at any place, come within less than one of as often as its share is by then: its
    n-th time is in a window of its own, and windows that end first come first (proportionate
    fairness: Baruah, Cohen, Plaxton, Varvel 1996; for one processor, earliest deadline first).
    """
    size = sum(weights)
    begins: list[list[tuple[int, int]]] = [[] for _ in range(size)]
    for number, weight in enumerate(weights):
        begin = -behind[number] * size / weight
        for time in range(1, weight + 1):
            end = (time - behind[number]) * size / weight
            begins[min(max(0, floor(begin)), size - 1)].append((ceil(end), number))
            begin = end
    waiting: list[tuple[int, int]] = []
    found: list[int] = []
    for here in begins:
        for window in here:
            heappush(waiting, window)
        if waiting:
            found.append(heappop(waiting)[1])
    return found + [number for _, number in sorted(waiting)]


@lru_cache(maxsize=64)
def _step(size: int) -> int:
    """Return a step without a common divisor with ``size``, near the golden section of it.

    Of those near it, the one whose multiples are spread most evenly: the one with the smallest
    quotients in Euclid's algorithm.
    """
    golden = round(size * _GOLDEN)
    near = [step for step in range(golden - _NEAR, golden + _NEAR + 1) if gcd(step, size) == 1]
    return min(near, key=lambda step: _largest_quotient(size, step), default=1)


def _largest_quotient(size: int, step: int) -> int:
    largest = 0
    while step:
        largest = max(largest, size // step)
        size, step = step, size % step
    return largest


def credits_of(
    walk: tuple[str, ...], start: int, taken: int, before: Mapping[str, float]
) -> dict[str, float]:
    """Return the turns by which hosts are behind, where a walk ends after ``taken`` from ``start``.

    ``before`` are those of its beginning. Hosts that are not in the walk keep theirs: one that
    comes and goes would otherwise never have its turn.
    """
    size = len(walk)
    taken %= size
    start %= size
    had = Counter((walk[start:] + walk[:start])[:taken])
    found = dict(before)
    for host, times in Counter(walk).items():
        found[host] = found.get(host, 0.0) + times * taken / size - had[host]
    return found
