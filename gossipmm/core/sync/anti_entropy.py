"""Anti-entropy: fingerprints, digests, and pages both ways.

Fingerprints travel in every exchange. Only when two have differed while this node's stood still
for an interval does a digest follow: all rows where they fit, else hashes of buckets of the key
space first. What differs is asked for by the page versions held (WANT) and answered with pages.
Pages that come by this way are marked with OPT_MORE and are not pushed on: whoever else lacks
them asks for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil, log2
from typing import Any, Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.life.closed_generations import ClosedGenerations
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.rotation import Rotation
from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sending.address_validation import AddressValidation
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.packing import BURST, Packer, claim_rows
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.claims import Claims
from gossipmm.core.sync.pace import Pace
from gossipmm.core.sync.transfer import Transfer
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.table.table import Put
from gossipmm.core.values import events
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page
from gossipmm.mechanisms import Mechanism

#: Rows of a digest that fit one datagram of 1,200 bytes: above, buckets.
_SMALL: Final = 54
#: Members a bucket on average, and most buckets (as bits).
_BUCKET: Final = 16
_MAX_BITS: Final = 7
#: Least time between two digests of one node, in intervals.
_DIGEST_GAP: Final = 0.15
#: Intervals without agreement or digest after which one is sent whatever changes meanwhile.
_DIGEST_LATEST: Final = 2
_ALL_PAGES: Final = range(1 << 16)

_STATE_CLAIMS: Final = {
    Status.ALIVE: wire.ALIVE,
    Status.PROBATION: wire.ALIVE,
    Status.SUSPECT: wire.SUSPECT,
    Status.DEAD: wire.DEAD,
    Status.RETURNING: wire.DEAD,
    Status.LEFT: wire.LEFT,
}


class AntiEntropy:
    """Brings two tables together."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        admission: Admission,
        page_reader: Callable[[bytes], Page],
        claims: Claims,
        detector: Detector,
        closed: ClosedGenerations,
        conflict: NameConflict,
        rotation: Rotation,
        broadcasts: BroadcastQueue,
        validation: AddressValidation,
        transfer: Transfer,
        pace: Pace,
        replies: Replies,
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._admission = admission
        self._page_reader = page_reader
        self._claims = claims
        self._detector = detector
        self._closed = closed
        self._conflict = conflict
        self._rotation = rotation
        self._broadcasts = broadcasts
        self._validation = validation
        self._transfer = transfer
        self._replies = replies
        self._pace = pace
        self._digest_at = local.now
        self._agreed_at = local.now

    # -- fingerprints ----------------------------------------------------------------------

    def compare(self, peer: Member, fingerprint: int, *, may_send: bool) -> None:
        """An exchange brought a peer's fingerprint [P53, P59]."""
        local = self._local
        table = local.table
        if not peer.complete:
            return  # its page 0 is not here yet: the tables differ, and it is asked for
        peer.peer_fingerprint = fingerprint
        if fingerprint == table.fingerprint:
            peer.differs_since = None
            self._agreed_at = local.now
            if not table.joined:
                self._pace.joined()
            if not table.knows_gone:
                self._transfer.pull(peer.addresses[0], peer.key, gone=True)
            return
        if peer.differs_since is None:
            peer.differs_since = local.now
        interval = local.config.gossip_interval
        # Where something changes all the time no fingerprint ever stands: then now and then.
        stood = (
            local.now - table.changed_at > interval
            or local.now - max(self._agreed_at, self._digest_at) > _DIGEST_LATEST * interval
        )
        if (
            (stood if may_send else self._pace.hurried)
            and local.now - self._digest_at >= _DIGEST_GAP * interval
            and Mechanism.DIGESTS not in local.without
        ):
            if self._validation.missing(peer.addresses[0]):
                again = partial(self.compare, peer, fingerprint, may_send=may_send)
                self._validation.ask(peer.addresses[0], peer, peer.key, again)
                return
            self._digest_at = local.now
            self._send_digest(peer)

    # -- digests ---------------------------------------------------------------------------

    def _records(self) -> list[Member]:
        return [member for member in self._local.table.by_key.values() if member.complete]

    def _row(self, member: Member) -> bytes:
        now = self._local.now
        status = member.status
        if member is self._local.me:
            heartbeat, age = self._local.own.heartbeat, 0
        elif member.suspected:
            heartbeat, age, status = member.s, 0, Status.SUSPECT
        elif status in (Status.DEAD, Status.RETURNING):
            heartbeat, age = max(member.d, 0), wire.age_down(now - member.gone_at)
        elif status is Status.LEFT:
            heartbeat, age = max(member.k, 0), wire.age_down(now - member.gone_at)
        else:
            heartbeat, age = max(member.k, 0), wire.age_up(now - member.heard)
        claim = _STATE_CLAIMS.get(status, wire.UNHEARD)
        return wire.digest_row(member.key, heartbeat, claim, age, member.page_hash_bytes())

    def _send_digest(self, peer: Member) -> None:
        local = self._local
        records = self._records()
        if len(records) <= _SMALL:
            rows = b"".join(map(self._row, records))
            local.stats.digests_sent += 1
            self._outbox.send(wire.NEWS, peer, options={wire.OPT_DIGEST: [0, b"\0", rows]})
            return
        bits = min(_MAX_BITS, ceil(log2(len(records) / _BUCKET)))
        local.stats.buckets_sent += 1
        hashes = self._bucket_hashes(records, bits)
        self._outbox.send(wire.NEWS, peer, options={wire.OPT_BUCKETS: [bits, 0, b"".join(hashes)]})

    @staticmethod
    def _bucket_hashes(records: list[Member], bits: int) -> list[bytes]:
        shift = 64 - bits
        sums = [0] * (1 << bits)
        for member in records:
            sums[member.key >> shift if bits else 0] ^= member.contribution
        return [((value >> 32) ^ (value & 0xFFFFFFFF)).to_bytes(4, "big") for value in sums]

    def hear_buckets(self, peer: Member, bits: int, first: int, hashes: bytes) -> None:
        """Answer with the rows of the buckets that differ, as many as fit [P54]."""
        local = self._local
        records = self._records()
        mine = self._bucket_hashes(records, bits)
        differ = [
            first + index
            for index in range(len(hashes) // 4)
            if mine[first + index] != hashes[4 * index : 4 * index + 4]
        ]
        if not differ:
            return
        start = local.rng.randrange(len(differ))
        shift = 64 - bits
        by_bucket: dict[int, list[Member]] = {bucket: [] for bucket in differ}
        for member in records:
            bucket = member.key >> shift if bits else 0
            if bucket in by_bucket:
                by_bucket[bucket].append(member)
        room = self._outbox.room - wire.FRAME_SIZE - wire.ROW_SIZE - 16
        covered = bytearray()
        rows: list[bytes] = []
        for bucket in differ[start:] + differ[:start]:
            size = 1 + wire.DIGEST_ROW_SIZE * len(by_bucket[bucket])
            if size > room:
                local.stats.digests_truncated += 1
                if rows or room < self._outbox.room // 2:
                    break
                # One bucket larger than a datagram (its keys are crowded): as many as fit.
                by_bucket[bucket] = by_bucket[bucket][: room // wire.DIGEST_ROW_SIZE - 1]
                size = 1 + wire.DIGEST_ROW_SIZE * len(by_bucket[bucket])
            else:
                covered.append(bucket)
            room -= size
            rows += map(self._row, by_bucket[bucket])
        local.stats.digests_sent += 1
        self._outbox.send(
            wire.NEWS, peer, options={wire.OPT_DIGEST: [bits, bytes(covered), b"".join(rows)]}
        )

    def hear_digest(
        self, peer: Member, bits: int, covered: bytes, rows: bytes, *, delayed: bool
    ) -> None:
        """Take the claims, ask for pages that differ, offer records that the peer lacks [P55].

        ``delayed`` as for ``hear_rows``: the age of its evidence is not known.
        """
        local = self._local
        seen: set[int] = set()
        wants: list[list[Any]] = []
        claims: list[bytes] = []
        for key, heartbeat, claim, age, page_hash in wire.digest_rows_in(rows):
            seen.add(key)
            member = local.table.by_key.get(key)
            if member is not None and member.page_hash_bytes() != page_hash:
                wants.append(self._replies.want(member))
            claims.append(wire.row(key, heartbeat, claim, age))
        # Rows of unknown members ask for their records by themselves.
        plain = b"".join(claims)
        self._claims.hear_rows(plain, peer, delayed=delayed)
        self._tell_differences(rows, peer)
        if wants:
            self._send_wants(peer, wants)
        shift = 64 - bits
        buckets = set(covered)
        missing = [
            member
            for member in self._records()
            if member.key not in seen and (member.key >> shift if bits else 0) in buckets
        ]
        if missing:
            start = local.rng.randrange(len(missing))
            offers = missing[start:] + missing[:start]
            self._send_pages(peer, [(member, {}, _ALL_PAGES) for member in offers])

    def _tell_differences(self, rows: bytes, peer: Member) -> None:
        """Where the peer's claim is of another kind than what is held here even now, say so."""
        local = self._local
        told: list[bytes] = []
        for key, _, claim, _, _ in wire.digest_rows_in(rows):
            member = local.table.by_key.get(key)
            if member is None or member is local.me or member is peer or not member.complete:
                continue
            held = wire.SUSPECT if member.suspected else _STATE_CLAIMS.get(member.status)
            if held is not None and held != claim:
                told.append(claim_rows(member, local.now, 1))
        room = self._outbox.room - wire.FRAME_SIZE - 2 * wire.ROW_SIZE
        packed = b"".join(told)
        for start in range(0, len(packed), room - room % wire.ROW_SIZE):
            part = packed[start : start + room - room % wire.ROW_SIZE]
            self._outbox.send(wire.NEWS, peer, rows=part)

    def _send_wants(self, peer: Member, wants: list[list[Any]]) -> None:
        room = self._outbox.room - wire.FRAME_SIZE - wire.ROW_SIZE - 16
        batch: list[list[Any]] = []
        left = room
        for want in wants:
            size = 14 + len(want[1])
            if size > left and batch:
                self._outbox.send(wire.NEWS, peer, options={wire.OPT_WANT: batch})
                batch, left = [], room
            batch.append(want)
            left -= size
        if batch:
            self._outbox.send(wire.NEWS, peer, options={wire.OPT_WANT: batch})

    # -- pages -----------------------------------------------------------------------------

    def hear_want(self, peer: Member, wants: list[list[Any]]) -> None:
        """Send the pages above the versions that the peer holds; ask back for higher ones [P56]."""
        local = self._local
        answers: list[tuple[Member, dict[int, int], range]] = []
        back: list[list[Any]] = []
        for want in wants:
            key, held = want[0], wire.vector_in(want[1])
            member = local.table.by_key.get(key)
            if member is None:
                floor = local.table.floor_of_key(key)
                if floor is not None:
                    self._outbox.reply.floors.append(list(floor))
                continue
            asked = range(want[2], want[3]) if len(want) > 3 else _ALL_PAGES
            answers.append((member, held, asked))
            versions = member.versions
            if any(version > versions.get(number, 0) for number, version in held.items()):
                back.append(self._replies.want(member))
        if answers:
            self._send_pages(peer, answers)
        if back:
            self._send_wants(peer, back)

    def _send_pages(
        self, peer: Member, records: list[tuple[Member, dict[int, int], range]]
    ) -> None:
        """Send what is above the given versions, small pages of all records first."""
        local = self._local
        packer = Packer(self._outbox.room - 8)
        for member, _, _ in records:
            packer.add(self._replies.tell(member), [])
        pages = [
            page
            for member, held, asked in records
            for number, page in member.pages.items()
            if number in asked and page.version > held.get(number, 0)
        ]
        pages.sort(key=lambda page: page.number)
        for page in pages:
            packer.add(b"", [page.raw])
            if len(packer.filled) >= BURST:
                break
        for rows, raws in packer.finish()[:BURST]:
            local.stats.pages_sent += len(raws)
            options = {wire.OPT_PAGES: raws, wire.OPT_MORE: []}
            self._outbox.send(wire.NEWS, peer, rows=rows, options=options)

    def hear_pages(self, raws: list[bytes], teller: Member | None, *, quiet: bool) -> None:
        """Take pages from anybody; push on what is new, unless it came by reconciliation.

        [P6, P57]
        """
        local = self._local
        for raw in raws:
            page = self._read_page(raw)
            if page is None:
                continue
            if not all(self._admission.allows(host) for host, _ in page.addresses):
                local.stats.drop(Drop.NOT_ALLOWED)
                continue
            if page.name == local.own.name:
                self._conflict.hear_page(page, teller)
                continue
            held = local.table.by_name.get(page.name)
            if held is not None and page.generation > held.generation:
                self._closed.supersede(held)
            before = held.addresses if held is not None else ()
            was = held.status if held is not None else Status.UNKNOWN
            put, member = local.table.put(page, local.now)
            if put is Put.NEW and member is not None:
                same = member is held
                self._page_changed(member, before if same else ())
                by = teller.name if teller is not None else page.name
                self._detector.settle(member, by, was if same else Status.UNKNOWN)
                if page.keys is not None:
                    self._rotation.hear_told(page.keys)
                if not quiet:
                    self._broadcasts.page(member, page.number)
            elif put is Put.OLDER and member is not None and member.complete:
                self._outbox.reply.pages.append(member.pages[0].raw)
            elif put is Put.CLOSED:
                self._outbox.reply.floors.append([page.name, local.table.floors[page.name]])

    def _read_page(self, raw: bytes) -> Page | None:
        try:
            return self._page_reader(raw)
        except wire.Refused as refused:
            self._local.stats.drop(refused.reason)
            return None

    def _page_changed(self, member: Member, before: tuple[Address, ...]) -> None:
        """Ask for what a new record still lacks; tell a change of address within a life."""
        local = self._local
        if not member.complete:
            self._outbox.reply.wants.append([member.key, wire.vector(member.versions)])
        elif before and before != member.addresses:
            local.events.append(
                events.AddressChanged(local.now, member.name, before, member.addresses)
            )
