"""Detects that the machine was restored to an earlier moment: its clocks no longer agree.

A virtual machine restored from a snapshot continues from when it was taken, with a boot id and a
counter that the node has used since. The monotonic clock continues as well, but the wall clock is
set to the present, so the distance between the two has changed.
"""

from __future__ import annotations

from gossipmm.agent.network import Network

__all__ = ("Clocks",)

#: Seconds. Time servers slew smaller differences (0.5 ms in a second), and rarely step larger ones.
_JUMP = 1.0


class Clocks:
    """Compares the wall clock and core time of a network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._apart = self._read()

    def jumped(self) -> bool:
        """Return whether they moved against each other since the last look."""
        before, self._apart = self._apart, self._read()
        return abs(self._apart - before) > _JUMP

    def _read(self) -> float:
        return self._network.wall_ms() / 1000 - self._network.now()
