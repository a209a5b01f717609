"""The way out: frames are made, sealed and queued here, within what may go to their receiver."""

from __future__ import annotations

from typing import Any, NamedTuple

import cbor2

from gossipmm.core.sealing.envelope import Envelope
from gossipmm.core.sending.packing import claim_row
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("Outbox", "Reply", "Stranger")


class Stranger(NamedTuple):
    """Whoever is at an address; ``key`` is the record key that it is expected to have, or 0."""

    address: Address
    key: int = 0


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


class Outbox:
    """Datagrams of one node on their way out, in order."""

    def __init__(self, local: LocalState, envelope: Envelope) -> None:
        self._local = local
        self._envelope = envelope
        self._tag = wire.cluster_tag(local.config.cluster)
        self._out: list[tuple[bytes, Address]] = []
        self.reply = Reply()
        #: Where the datagram being read came from if that is not proved, and bytes that may go
        #: there in answer to it.
        self.limited: Address | None = None
        self.allowance = 0
        #: Several keys are in use, so that it matters which of them somebody can read.
        self.several_keys = False
        #: Most bytes of a frame that the envelope leaves in a datagram.
        self.room = local.config.max_datagram - envelope.overhead

    def take(self) -> list[tuple[bytes, Address]]:
        """Take what waits to be sent."""
        out = self._out
        if out:
            self._out = []
        return out

    def send(
        self,
        kind: int,
        to: Member | Stranger,
        *,
        address: Address | None = None,
        probe: int = 0,
        rows: bytes = b"",
        options: dict[int, Any] | bytes | None = None,
    ) -> None:
        """Queue one datagram, to ``address`` or to the receiver's own (first) one [P37, P71].

        ``options`` may be encoded already. Nobody is accused without being told: to a member that
        is held suspect, dead, left, closed or conflicting it begins with that claim.
        """
        local = self._local
        known = 0
        member: Member | None = None
        if isinstance(to, Member):
            member = to
            if address is None:
                address = member.addresses[0]
            if member.k > 0:
                known = member.k
            if (
                member.status is not Status.ALIVE
                and (member.status is not Status.PROBATION or member.suspected)
                and Mechanism.ACCUSED_IS_TOLD not in local.without
            ):
                rows = claim_row(member, local.now) + rows
        elif address is None:
            address = to.address
        frame = wire.encode(
            self._tag,
            kind,
            local.me.key,
            to.key,
            probe,
            local.table.fingerprint,
            local.own.heartbeat,
            known,
            rows,
            self._encoded(options),
        )
        kid = self._kid_for(member, address) if self.several_keys else b""
        data = self._envelope.seal(frame, address, local.now, kid)
        self._queue(wire.KIND_NAMES[kind], data, address)

    def _encoded(self, options: dict[int, Any] | bytes | None) -> bytes:
        if isinstance(options, bytes):
            if options:
                return options
            options = None
        if self._local.now < self._local.slow_until:
            options = {**(options or {}), wire.OPT_SLOW: True}
        return cbor2.dumps(options) if options else b""

    def _kid_for(self, to: Member | None, address: Address) -> bytes:
        """Id of the key that somebody can read; empty: the usual one [P119].

        A member tells which keys it holds. Who is not known is answered with the key that it used.
        """
        ring = self._envelope.keyring
        if ring is None:
            return b""
        told = to.pages[0].keys if to is not None and to.complete else None
        if told is None:
            return self._envelope.spoken.get(address, b"")
        if ring.sending.kid in told.holds:
            return b""
        return next((key.kid for key in ring.keys if key.kid in told.holds), b"")

    def send_waiting(self) -> None:
        """Queue what the envelope itself has to say: challenges and answers to them."""
        waiting, self._envelope.waiting = self._envelope.waiting, []
        for name, data, address in waiting:
            self._queue(name, data, address)

    def room_for(self, address: Address) -> int:
        """Most bytes of a frame that an answer to the datagram being read may have [P95]."""
        return min(self.room, self.allowance) if address == self.limited else self.room

    def _queue(self, name: str, data: bytes, address: Address) -> None:
        stats = self._local.stats
        if address == self.limited:
            self.allowance -= len(data)
            if self.allowance < 0:
                stats.drop(Drop.AMPLIFICATION)
                return
        stats.sent_datagrams += 1
        stats.sent_bytes += len(data)
        stats.sent_by_kind[name] = stats.sent_by_kind.get(name, 0) + 1
        self._out.append((data, address))
