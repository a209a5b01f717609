"""Detects that the machine was restored to an earlier moment: its clocks no longer agree.

A virtual machine restored from a snapshot continues from when it was taken, with a boot id and a
counter that the node has used since. The monotonic clock continues as well, but the wall clock is
set to the present, so the distance between the two has changed.
"""

from __future__ import annotations

from gossipmm.agent.network import Network
from gossipmm.core.values.types import MOST_AHEAD, Generation

__all__ = ("EARLIEST_MS", "Clocks", "believable")

#: Seconds. Time servers slew smaller differences (0.5 ms in a second), and rarely step larger ones.
_JUMP = 1.0
#: Milliseconds until 2026 began: no clock that is right is before this program was written. A
#: machine without a battery begins in 1970, until it has heard of a time server.
EARLIEST_MS = 1_767_225_600_000


def believable(wall_ms: int, last_generation: Generation = 0) -> int | None:
    """Return a reading of the wall clock; None if it cannot be right.

    One that is more than a day behind the last generation of this node may have been right then, or
    now: nothing is judged by it.
    """
    behind = (last_generation >> 16) - wall_ms
    return None if wall_ms < EARLIEST_MS or behind > MOST_AHEAD * 1000 else wall_ms


class Clocks:
    """Compares the wall clock and core time of a network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._apart = self._read()

    def jumped(self) -> bool:
        """Return whether they moved against each other since the last look."""
        before, self._apart = self._apart, self._read()
        return abs(self._apart - before) > _JUMP

    def wall_ms(self) -> int | None:
        """Return the wall clock, milliseconds since 1970; None if it is evidently wrong."""
        return believable(self._network.wall_ms())

    def _read(self) -> float:
        return self._network.wall_ms() / 1000 - self._network.now()
