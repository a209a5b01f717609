"""Matchmakers with hosts known beforehand: none, one, or those of a ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gossipmm.matchmaker.base import MatchMakerBase
from gossipmm.matchmaker.bindings import DirectBinding, FanoutBinding, TopicBinding
from gossipmm.matchmaker.exchanges import (
    DirectExchange,
    FanoutRingExchange,
    LocalhostExchange,
    RoundRobinRingExchange,
    StubExchange,
    configured_ring,
)


class MatchMakerStub(MatchMakerBase):
    """Leaves keys as they are, without a host: for tests, and for queues with a broker."""

    def __init__(self) -> None:
        super().__init__()
        self.add_binding(FanoutBinding(), StubExchange())
        self.add_binding(DirectBinding(), StubExchange())
        self.add_binding(TopicBinding(), StubExchange())


class MatchMakerLocalhost(MatchMakerBase):
    """Resolves bare topics and fanouts to one host: for tests and single machines."""

    def __init__(self, host: str = "localhost") -> None:
        super().__init__()
        self.add_binding(FanoutBinding(), LocalhostExchange(host))
        self.add_binding(DirectBinding(), DirectExchange())
        self.add_binding(TopicBinding(), LocalhostExchange(host))


class MatchMakerRing(MatchMakerBase):
    """Resolves topics to the hosts of a static ring.

    Without ``ring``, the JSON file that the configuration names (see RingExchange). Raises
    RingFileError when it is not a map of topics to lists of hosts, or cannot be read.
    """

    def __init__(self, ring: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__()
        if ring is None:
            ring = configured_ring()
        self.add_binding(FanoutBinding(), FanoutRingExchange(ring))
        self.add_binding(DirectBinding(), DirectExchange())
        self.add_binding(TopicBinding(), RoundRobinRingExchange(ring))
