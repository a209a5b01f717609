"""The outbox: frames are made, sealed and queued here, within what their receiver may be sent."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cbor2

from gossipmm.core.sealing.envelope import Envelope, PlainEnvelope
from gossipmm.core.sending.packing import claim_row
from gossipmm.core.sending.parts import cut
from gossipmm.core.sending.paths import Paths
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.slim import (
    COORDINATE,
    COORDINATES,
    COORDINATES_SINCE,
    MAX_SLIM_ROWS,
    SLIM_SINCE,
)
from gossipmm.core.wire.slim import encode as encode_slim
from gossipmm.mechanisms import Mechanism

__all__ = ("Outbox", "Stranger")

#: Bytes around padding among the options: its key, and the head of more than 255 bytes.
_AROUND_PADDING: Final = 1 + 3
#: Most bytes of rows of a slim frame that brings a coordinate as well.
_ROWS_BESIDE: Final = MAX_SLIM_ROWS - COORDINATE
#: Steps of work to make a datagram and to seal it.
_SENT: Final = 4


class Stranger(NamedTuple):
    """Whoever is at an address; ``key`` is the record key that it is expected to have, or 0."""

    address: Address
    key: int = 0


class Outbox:
    """Datagrams of one node on their way out, in order."""

    def __init__(self, local: LocalState, envelope: Envelope, paths: Paths) -> None:
        self._local = local
        self.paths = paths
        self._sizes = paths.sizes
        self._envelope = envelope
        self._tag = wire.cluster_tag(local.config.cluster)
        self._out: list[tuple[bytes, Address]] = []
        #: Receivers by address, of the datagrams that wait, and of those that were taken last.
        self._receivers: dict[Address, Member] = {}
        self._taken: dict[Address, Member] = {}
        #: The unvalidated address whose datagram is being read: no more than ``_allowance`` bytes
        #: may go there meanwhile.
        self._limited: Address | None = None
        self._allowance = 0
        #: True while several keys are in use, so that it matters which of them a receiver can read.
        self.several_keys = False
        #: True if others cannot read, or make, what this node sends and takes.
        self.seals = not isinstance(envelope, PlainEnvelope)
        #: Largest frame for which the envelope leaves room in a datagram.
        self.room = local.config.max_datagram - envelope.overhead
        #: The same where the path carries little.
        self._small_room = self._sizes.size - envelope.overhead
        self._cut = 0

    def take(self) -> list[tuple[bytes, Address]]:
        """Take what waits to be sent."""
        out = self._out
        if out:
            self._out = []
            self._taken, self._receivers = self._receivers, {}
        return out

    def receiver_at(self, address: Address) -> Member | None:
        """Return the receiver at an address of the datagrams taken last."""
        return self._taken.get(address)

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
        """Queue one datagram, to ``address`` or to the one that leads to the receiver [P37, P71].

        ``options`` may be encoded already. Nobody is accused without being told: to a member that
        is held suspect, dead, left, closed or conflicting it begins with that claim.
        """
        local = self._local
        known = 0
        fingerprint = local.table.fingerprint_of_versions
        member: Member | None = None
        if isinstance(to, Member):
            member = to
            if address is None:
                address = self.paths.to(member)
            self._receivers[address] = member
            if member.k > 0:
                known = member.k
            if local.speaks(member) > 1:
                fingerprint = local.table.fingerprint
            if (
                member.status is not Status.ALIVE
                and (member.status is not Status.PROBATION or member.suspected)
                and Mechanism.ACCUSED_IS_TOLD not in local.without
            ):
                rows = claim_row(member, local.now) + rows
        elif address is None:
            address = to.address
        if not isinstance(options, bytes):
            said = self._with_own_state(kind, options)
            options = cbor2.dumps(said) if said else b""
        frame = wire.encode(
            self._tag,
            kind,
            local.me.key,
            to.key,
            probe,
            fingerprint,
            local.own.heartbeat,
            known,
            rows,
            options,
        )
        kid = self._kid_for(member, address) if self.several_keys else b""
        if len(frame) > self._small_room and address in self._sizes.small:
            self._send_in_parts(frame, to, address, kid)
            return
        data = self._envelope.seal(frame, address, local.now, kid)
        self._queue(wire.KIND_NAMES[kind], data, address)

    def _with_own_state(self, kind: int, options: dict[int, Any] | None) -> dict[int, Any] | None:
        """Add what this node says of itself: that it is late, that it has not joined [P80, P141].

        Whatever bears a fingerprint that is compared goes through here.
        """
        local = self._local
        if local.now < local.slow_until:
            options = {**(options or {}), wire.OPT_SLOW: True}
        if not local.table.joined and (kind != wire.NEWS or wire.OPT_MORE in (options or ())):
            options = {**(options or {}), wire.OPT_JOINING: True}
        return options

    def _send_in_parts(
        self, whole: bytes, to: Member | Stranger, address: Address, kid: bytes
    ) -> None:
        """Queue a frame in parts that the path to the address carries [P128]."""
        local, beat = self._local, self._local.own.heartbeat
        self._cut = self._cut + 1 & 0xFFFF_FFFF
        local.stats.frames_cut += 1
        for options in cut(whole, self._small_room, self._cut):
            head = (local.me.key, to.key, 0, local.table.fingerprint, beat, 0)
            part = wire.encode(self._tag, wire.NEWS, *head, b"", options)
            data = self._envelope.seal(part, address, local.now, kid)
            self._queue(wire.KIND_NAMES[wire.NEWS], data, address)

    def ask_size(self, to: Member, address: Address, probe: int, size: int) -> None:
        """Queue a SYN in a datagram of so many bytes; 0: as few as it takes [P127]."""
        local = self._local
        said = self._with_own_state(wire.SYN, None)
        options = cbor2.dumps(said) if said else b""
        if size:
            around = self._envelope.overhead + wire.FRAME_SIZE + _AROUND_PADDING
            around += len(options) or 1  # the head of the map is there with padding alone
            options = cbor2.dumps({**(said or {}), wire.OPT_PADDING: bytes(size - around)})
        self._receivers[address] = to
        head = (local.me.key, to.key, probe, local.table.fingerprint, local.own.heartbeat)
        frame = wire.encode(self._tag, wire.SYN, *head, max(to.k, 0), b"", options)
        kid = self._kid_for(to, address) if self.several_keys else b""
        data = self._envelope.seal(frame, address, local.now, kid)
        self._queue(wire.KIND_NAMES[wire.SYN], data, address)

    def exchange(
        self,
        kind: int,
        to: Member | Stranger,
        address: Address,
        probe: int,
        rows: bytes,
        *,
        asked: bool = False,
    ) -> bool:
        """Queue a SYN or ACK as a slim frame, or else in full; return whether it is slim [P125].

        ``asked``: it answers one that asked for a coordinate [P179].

        Slim is what a member that reads it is sent while it is held alive and nothing has to be
        said that needs an option.
        """
        local = self._local
        if (
            not isinstance(to, Member)
            or to.status is not Status.ALIVE
            or local.speaks(to) < SLIM_SINCE
            or local.now < local.slow_until
            or not local.table.joined
            or len(rows) > MAX_SLIM_ROWS
        ):
            options = self.place_options(kind, to, asked=asked)
            self.send(kind, to, address=address, probe=probe, rows=rows, options=options)
            return False
        self._receivers[address] = to
        keys, beats = (local.me.key, to.key), (local.own.heartbeat, max(to.k, 0))
        form, where = kind, self._place(kind, to, asked=asked)
        if where is not None and len(rows) <= _ROWS_BESIDE:
            form, rows = COORDINATES[kind], where + rows
        frame = encode_slim(form, keys, probe, local.table.fingerprint, beats, rows)
        kid = self._kid_for(to, address) if self.several_keys else b""
        data = self._envelope.seal(frame, address, local.now, kid)
        self._queue(wire.KIND_NAMES[kind], data, address)
        return True

    def _place(self, kind: int, to: Member | Stranger, *, asked: bool) -> bytes | None:
        """Return what an exchange says of coordinates: a question (empty), one, or nothing.

        [P179]
        """
        local = self._local
        if not isinstance(to, Member) or local.speaks(to) < COORDINATES_SINCE:
            return None
        if kind == wire.ACK:
            return local.distances.own_bytes() if asked else None
        asks = local.distances.asks(to.key, len(local.table.peers), local.now)
        return b"" if asks else None

    def place_options(
        self, kind: int, to: Member | Stranger, *, asked: bool = False
    ) -> dict[int, Any]:
        """Return the same for an exchange in full, as options."""
        place = self._place(kind, to, asked=asked)
        return {} if place is None else {wire.OPT_WHERE: place}

    def _kid_for(self, to: Member | None, address: Address) -> bytes:
        """Return the id of a key that the receiver can read; empty: the usual one [P119].

        A member announces which keys it holds. An unknown one is answered with the key that it
        used.
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
        """Queue the envelope's own datagrams: challenges and answers to them."""
        waiting, self._envelope.waiting = self._envelope.waiting, []
        for name, data, address in waiting:
            self._queue(name, data, address)

    def limit(self, address: Address, allowance: int) -> None:
        """Let no more than so many bytes go to an unvalidated address [P95]."""
        self._limited, self._allowance = address, allowance

    def end_limit(self) -> None:
        """End the allowance: the datagram of that address has been read."""
        self._limited = None

    def is_limited(self, address: Address) -> bool:
        """Return whether an allowance stands for the address."""
        return address == self._limited

    def room_for(self, address: Address) -> int:
        """Return the largest frame that may answer the datagram being read, whole [P95]."""
        room = self.room_on(address)
        return min(room, self._allowance) if address == self._limited else room

    def room_on(self, address: Address) -> int:
        """Return the largest frame that the path to an address carries, as far as is known [P127].

        What is larger is cut: better not to fill it so far where less can be said.
        """
        return self._small_room if address in self._sizes.small else self.room

    def _queue(self, name: str, data: bytes, address: Address) -> None:
        stats = self._local.stats
        if address == self._limited:
            self._allowance -= len(data)
            if self._allowance < 0:
                stats.drop(Drop.AMPLIFICATION)
                return
        stats.work += _SENT
        stats.sent_datagrams += 1
        stats.sent_bytes += len(data)
        stats.sent_by_kind[name] = stats.sent_by_kind.get(name, 0) + 1
        if len(data) > self._sizes.size:
            self._sizes.sent_large(address)
        self._out.append((data, address))
