"""What the parts of the core share: the state, the clock reading, and the way out.

The parts (detector, news, reconcile, lifecycle) find each other here; none of them imports
another at run time.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any

import cbor2

from gossipmm.config import Config
from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sealing.envelope import Envelope
from gossipmm.core.sending.packing import claim_row
from gossipmm.core.table.member import Member
from gossipmm.core.table.peers import Peers
from gossipmm.core.table.self_record import SelfRecord
from gossipmm.core.table.table import Table
from gossipmm.core.values.events import Event
from gossipmm.core.values.stats import Drop, Stats
from gossipmm.core.values.timers import Timers
from gossipmm.core.values.types import Address, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, page_untrusted
from gossipmm.mechanisms import Mechanism


class Reply:
    """What the datagram being read makes this node say to its sender, gathered into one."""

    __slots__ = ("floors", "pages", "rows", "wants")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin with nothing to say."""
        self.rows: list[bytes] = []
        self.wants: list[list[object]] = []
        self.floors: list[list[object]] = []
        self.pages: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self.rows or self.wants or self.floors or self.pages)

    def larger_than(self, room: int) -> bool:
        """Whether some of it would not fit (by the largest size that each part can have)."""
        size = sum(map(len, self.rows)) + sum(len(page) + 10 for page in self.pages)
        size += 90 * len(self.floors)
        size += sum(len(want[1]) + 24 for want in self.wants if isinstance(want[1], bytes))
        return size > room

    def take(self, room: int) -> tuple[bytes, dict[int, Any]]:
        """Return rows and options that fit ``room`` bytes, and forget the rest."""
        options: dict[int, Any] = {}
        rows: list[bytes] = []
        for row in self.rows:
            if len(row) <= room:
                rows.append(row)
                room -= len(row)
        for key, items in ((wire.OPT_FLOORS, self.floors), (wire.OPT_WANT, self.wants)):
            for item in items:
                size = len(cbor2.dumps(item))
                if size + 6 <= room:
                    options.setdefault(key, []).append(item)
                    room -= size + 6
        for page in dict.fromkeys(self.pages):
            if len(page) + 10 <= room:
                options.setdefault(wire.OPT_PAGES, []).append(page)
                room -= len(page) + 10
        self.clear()
        return b"".join(rows), options


class Context:
    """Shared by the parts of one node."""

    def __init__(
        self,
        config: Config,
        own: SelfRecord,
        rng: random.Random,
        now: float,
        envelope: Envelope,
    ) -> None:
        self.config = config
        self.own = own
        self.rng = rng
        #: Core time of the call that is being served.
        self.now = now
        self.stats = Stats()
        self.timers = Timers()
        self.table = Table(config, self.stats)
        self.peers = Peers(self.table, rng, ring=Mechanism.RING not in config.without)
        self.envelope = envelope
        self.admission = Admission(config, now)
        #: Where the datagram being read came from if that is not proved, and bytes that may go
        #: there in answer to it.
        self.limited: Address | None = None
        self.allowance = 0
        self.tag = wire.cluster_tag(config.cluster)
        self.page_reader: Callable[[bytes], Page] = page_untrusted
        self.events: deque[Event] = deque()
        self.out: list[tuple[bytes, Address]] = []
        self.without = config.without
        #: When an authentic datagram of another member arrived last.
        self.last_heard: float = -inf
        #: Until when this node holds its accusations because its own timers fired late.
        self.slow_until: float = -inf
        self.me: Member
        self.reply = Reply()
        #: Record key of the sender of the datagram being read.
        self.sender_key = 0
        #: The heartbeat at which that sender knows this node; 0 when it does not say.
        self.known_to_sender = 0
        #: After a pause of its own this node reads datagrams that waited for up to so long, for a
        #: moment: their evidence is older than it looks.
        self.behind_by = 0.0
        self.behind_until: float = -inf
        #: Which key somebody can read, once several are in use: ``keys.rotation`` says so.
        self.kid_for: Callable[[Member | None, Address], bytes] | None = None
        #: Most bytes of a frame that the envelope leaves in a datagram.
        self.room = config.max_datagram - self.envelope.overhead

    def is_behind(self, by: float, until: float) -> None:
        """What is read until core time ``until`` may have waited here for so many seconds [P89]."""
        active = self.now < self.behind_until
        self.behind_by = max(by, self.behind_by) if active else by
        self.behind_until = max(until, self.behind_until)

    def sent_at(self) -> float:
        """Core time at which the datagram being read was sent, at the earliest."""
        return self.now - self.behind_by if self.now < self.behind_until else self.now

    def is_deaf(self, since: float) -> bool:
        """Nothing heard from anybody since then, although more than one other member lives.

        [P86]
        """
        return (
            self.last_heard < since
            and len(self.table.peers) > 1
            and Mechanism.DEAF_HOLD not in self.without
        )

    def own_row(self) -> bytes:
        """This node's own heartbeat, as a row."""
        return wire.row(self.me.key, self.own.heartbeat, wire.ALIVE, 0)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return probability >= 1.0 or self.rng.random() < probability

    def read_page(self, raw: bytes) -> Page | None:
        """Read a page of the network; None, counted by reason, when it is refused."""
        try:
            return self.page_reader(raw)
        except wire.Refused as refused:
            self.stats.drop(refused.reason)
            return None

    def send(
        self,
        kind: int,
        to: Member | None,
        *,
        address: Address | None = None,
        target: int | None = None,
        probe: int = 0,
        rows: bytes = b"",
        options: dict[int, Any] | None = None,
        encoded: bytes = b"",
    ) -> None:
        """Queue one datagram to a member, or to an address whose holder is not known [P37, P71].

        Nobody is accused without being told: to a member that is held suspect, dead, left,
        closed or conflicting it begins with that claim.
        """
        known = 0
        if to is not None:
            if address is None:
                address = to.addresses[0]
            if to.k > 0:
                known = to.k
            target = to.key
            if (
                to.status is not Status.ALIVE
                and (to.status is not Status.PROBATION or to.suspected)
                and Mechanism.ACCUSED_IS_TOLD not in self.without
            ):
                rows = claim_row(to, self.now) + rows
        assert address is not None
        if self.now < self.slow_until and not encoded:
            options = {**(options or {}), wire.OPT_SLOW: True}
        if options:
            encoded = cbor2.dumps(options)
        frame = wire.encode(
            self.tag,
            kind,
            self.me.key,
            target or 0,
            probe,
            self.table.fingerprint,
            self.own.heartbeat,
            known,
            rows,
            encoded,
        )
        kid = self.kid_for(to, address) if self.kid_for is not None else b""
        data = self.envelope.seal(frame, address, self.now, kid)
        self._queue(wire.KIND_NAMES[kind], data, address)

    def send_waiting(self) -> None:
        """Queue what the envelope itself has to say: challenges and answers to them."""
        waiting, self.envelope.waiting = self.envelope.waiting, []
        for name, data, address in waiting:
            self._queue(name, data, address)

    def room_for(self, address: Address) -> int:
        """Most bytes of a frame that an answer to the datagram being read may have [P95]."""
        return min(self.room, self.allowance) if address == self.limited else self.room

    def _queue(self, name: str, data: bytes, address: Address) -> None:
        stats = self.stats
        if address == self.limited:
            self.allowance -= len(data)
            if self.allowance < 0:
                stats.drop(Drop.AMPLIFICATION)
                return
        stats.sent_datagrams += 1
        stats.sent_bytes += len(data)
        stats.sent_by_kind[name] = stats.sent_by_kind.get(name, 0) + 1
        self.out.append((data, address))
