"""Notice that the machine was put back to an earlier moment: its clocks no longer agree.

A virtual machine that is restored from a snapshot goes on where it was taken: with a boot id and a
counter that the node has used since. The monotonic clock goes on as well, but the wall clock is set
to what it is now, so the distance between both has changed.
"""

from __future__ import annotations

from gossipmm.agent.network import Network

__all__ = ("Clocks",)

#: Seconds. Time servers slew smaller differences (0.5 ms in a second), and rarely step larger ones.
_JUMP = 1.0


class Clocks:
    """Compares wall clock and core time of a network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._apart = self._read()

    def jumped(self) -> bool:
        """Whether they moved against each other since the last look."""
        before, self._apart = self._apart, self._read()
        return abs(self._apart - before) > _JUMP

    def _read(self) -> float:
        return self._network.wall_ms() / 1000 - self._network.now()
