"""The state of one node: its configuration, clock reading, table, timers and counters.

The parts read and write it; it knows no part and sends nothing.
"""

from __future__ import annotations

import random
from collections import deque
from math import inf
from typing import Final

from gossipmm.config import Config
from gossipmm.core.distances.distances import Distances
from gossipmm.core.table.changes import Changes
from gossipmm.core.table.member import Member
from gossipmm.core.table.peers import Peers
from gossipmm.core.table.publishing import Publishing
from gossipmm.core.table.round_trips import RoundTrips
from gossipmm.core.table.self_record import SelfRecord
from gossipmm.core.table.table import Table
from gossipmm.core.values.events import Event
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.timers import Timers
from gossipmm.core.values.trail import Hold
from gossipmm.core.values.types import Generation, NodeId
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("LocalState",)

#: Later lives remembered that are not believed.
_DOUBTED: Final = 1024


class LocalState:
    """The state of one node, apart from what a part keeps for itself."""

    def __init__(
        self,
        config: Config,
        own: SelfRecord,
        rng: random.Random,
        now: float,
        wall_ms: int | None = None,
    ) -> None:
        self.config = config
        self.own = own
        self.rng = rng
        #: Core time of the call that is being served.
        self.now = now
        self.stats = Stats()
        self.timers = Timers()
        self.table = Table(config, self.stats)
        self.distances = Distances(config, rng, self.stats)
        self.table.round_trips = RoundTrips(own.name, self.table.by_name, self.distances)
        self.changes = Changes()
        self.peers = Peers(self.table, rng)
        self._publishing = Publishing(self.table, self.timers, now)
        self.events: deque[Event] = deque()
        self.without = config.without
        #: Seconds since 1970 at core time 0, by this node's clock; None: it does not know.
        self._wall: float | None = None
        self.set_wall(wall_ms)
        #: Record keys that nobody is asked for until then, or as long as the life held of that
        #: name stands: later lives that are not believed.
        self._doubts: dict[int, tuple[float, NodeId | None]] = {}
        #: True where nobody believes what is not signed: others cannot say that this node left.
        self.all_sign = False
        #: The highest wire version that it announces and sends.
        self.wire_version = own.reads
        #: When an authentic datagram of another member last arrived.
        self.last_heard: float = -inf
        #: Until when this node holds its accusations because its own timers fired late.
        self.slow_until: float = -inf
        #: True while others have to ask it several times before it hears them: so must it, perhaps.
        self.hears_little = False
        self.me: Member
        #: For a moment after its own pause, this node reads datagrams that waited for up to so
        #: long: their evidence is older than it looks.
        self.behind_by = 0.0
        self.behind_until: float = -inf

    def set_wall(self, wall_ms: int | None) -> None:
        """Take a reading of the wall clock, milliseconds since 1970; one set back is not believed.

        While a node runs, its own count of the time is as good as any clock.
        """
        if wall_ms is not None and Mechanism.CLOCK_BOUND not in self.without:
            wall = wall_ms / 1000 - self.now
            self._wall = wall if self._wall is None else max(wall, self._wall)

    def wall(self) -> float:
        """Return the time of day, seconds since 1970; 0: this node does not know."""
        return 0.0 if self._wall is None else self._wall + self.now

    def ahead(self, generation: Generation) -> float:
        """Return by how many seconds a generation is ahead of this node's clock [P14].

        Below 0: it began in the past, or this node does not know the time.
        """
        if self._wall is None:
            return -1.0
        return (generation >> 16) / 1000 - self._wall - self.now

    def doubt(self, key: int, until: float, name: NodeId | None = None) -> None:
        """Ask nobody for a record until then: it is here, or not believed.

        With a ``name`` only as long as a life of it stands: then no other one has to answer [P129].
        """
        self.believe(key)
        if len(self._doubts) >= _DOUBTED:
            del self._doubts[next(iter(self._doubts))]
        self._doubts[key] = (until, name)

    def believe(self, key: int) -> None:
        """Ask for the record again."""
        self._doubts.pop(key, None)

    def has_doubted(self, key: int) -> bool:
        """Return whether it ever came to that, as far as it is remembered."""
        return key in self._doubts

    def doubts(self, key: int) -> bool:
        """Return whether nobody is asked for the record now."""
        if key not in self._doubts:
            return False
        until, name = self._doubts[key]
        return self.now < until and (name is None or self.stands(name))

    def stands(self, name: NodeId) -> bool:
        """Return whether a life of that name is held alive here."""
        held = self.table.by_name.get(name)
        return held is not None and held.key in self.table.peers

    def is_behind(self, by: float, until: float) -> None:
        """Note that datagrams read until ``until`` may have waited for so many seconds [P89]."""
        active = self.now < self.behind_until
        self.behind_by = max(by, self.behind_by) if active else by
        self.behind_until = max(until, self.behind_until)

    def waited(self) -> float:
        """Return how long the datagram being read may have waited here, in seconds [P89]."""
        return self.behind_by if self.now < self.behind_until else 0.0

    def is_deaf(self, since: float) -> bool:
        """Return whether nobody was heard since then, although more than one other member lives.

        [P86]
        """
        return (
            self.last_heard < since
            and len(self.table.peers) > 1
            and Mechanism.DEAF_HOLD not in self.without
        )

    def to_blame(self, since: float) -> Hold | None:
        """Return why this node itself explains that a member did not answer since then, if it does.

        [P85, P86]
        """
        if self.now < self.slow_until and Mechanism.LATE_HOLD not in self.without:
            return Hold.SLOW
        if self.is_deaf(since):
            return Hold.DEAF
        if self.hears_little and Mechanism.DEAF_HOLD not in self.without:
            return Hold.HEARS_LITTLE
        return None

    def speaks(self, member: Member) -> int:
        """Return the wire version in which a member is spoken to: the lower one of both [P122]."""
        return min(member.reads, self.wire_version)

    def own_row(self) -> bytes:
        """Return this node's heartbeat as a row."""
        return wire.row(self.me.key, self.own.heartbeat, wire.ALIVE, 0)

    def probe_id(self) -> int:
        """Return 61 random bits above three of 0: what names a question, in its first try [P66].

        Whoever is asked counts the tries before one that it hears as lost (P90).
        """
        return self.rng.getrandbits(64) & ~wire.TRY or 1 + wire.TRY

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return probability >= 1.0 or self.rng.random() < probability

    def publish(self) -> None:
        """Let readers of the table see what changed, and turn the changes into events."""
        if self.table.unpublished:
            self.events.extend(self._publishing.publish(self.now))
