"""The matchmaker: turns a key into the hosts that a message is for.

A key is ``topic`` (one live host of it), ``topic.host`` (that host) or ``fanout~topic`` (all live
hosts). ``TableMatchMaker`` answers from the gossiped table of an agent, ``MatchMakerGossip`` from
that of an agent that it opens itself; the static ones and the base classes are those of the
classical matchmaker (OpenStack's RPC layer, 2012-2014).
"""

import logging
from typing import TYPE_CHECKING

from gossipmm.answers import FoundHost, Lookup, LookupStatus
from gossipmm.errors import InvalidKeyError, MatchMakerException, RingFileError
from gossipmm.matchmaker.base import HeartbeatMatchMakerBase, MatchMakerBase
from gossipmm.matchmaker.bindings import Binding, DirectBinding, FanoutBinding, TopicBinding
from gossipmm.matchmaker.exchanges import (
    DirectExchange,
    Exchange,
    FanoutRingExchange,
    LocalhostExchange,
    RingExchange,
    RoundRobinRingExchange,
    StubExchange,
)
from gossipmm.matchmaker.protocols import AgentControl, OwnedAgent, TableReader
from gossipmm.matchmaker.ring import load_ring, ring_of, write_ring
from gossipmm.matchmaker.static import MatchMakerLocalhost, MatchMakerRing, MatchMakerStub
from gossipmm.matchmaker.table_matchmaker import TableMatchMaker

if TYPE_CHECKING:
    from gossipmm.embed.matchmaker import MatchMakerGossip

__all__ = (
    "AgentControl",
    "Binding",
    "DirectBinding",
    "DirectExchange",
    "Exchange",
    "FanoutBinding",
    "FanoutRingExchange",
    "FoundHost",
    "HeartbeatMatchMakerBase",
    "InvalidKeyError",
    "LocalhostExchange",
    "Lookup",
    "LookupStatus",
    "MatchMakerBase",
    "MatchMakerException",
    "MatchMakerGossip",
    "MatchMakerLocalhost",
    "MatchMakerRing",
    "MatchMakerStub",
    "OwnedAgent",
    "RingExchange",
    "RingFileError",
    "RoundRobinRingExchange",
    "StubExchange",
    "TableMatchMaker",
    "TableReader",
    "TopicBinding",
    "load_ring",
    "ring_of",
    "write_ring",
)

# A library prints nothing unless the program says where to.
logging.getLogger("gossipmm").addHandler(logging.NullHandler())


if not TYPE_CHECKING:  # to a type checker any name would exist

    def __getattr__(name: str) -> object:
        """Import ``MatchMakerGossip`` when it is first used (PEP 562).

        It lives above this room, because it opens agents, but configuration files of the classical
        matchmaker name it by this path. Code of this package imports it from ``gossipmm.embed``.
        """
        if name == "MatchMakerGossip":
            from gossipmm.embed.matchmaker import MatchMakerGossip

            globals()[name] = MatchMakerGossip
            return MatchMakerGossip
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
