"""Anti-entropy: fingerprints, digests, and pages both ways.

Fingerprints travel in every exchange. A digest follows only when two have differed while this
node's stood still for an interval: all rows where they fit, else hashes of buckets of the key space
first. What differs is asked for by the page versions held (WANT) and answered with pages. These are
marked with OPT_MORE and not pushed on: whoever else lacks them asks for itself.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Any, Final

from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.packing import BURST, Packer, claim_rows
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.claims import Claims
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire

#: Rows of a digest that fit one datagram of 1,200 bytes; above that, buckets.
_SMALL: Final = 54
#: Members per bucket on average, and most buckets (as bits).
_BUCKET: Final = 16
_MAX_BITS: Final = 7
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
    """Makes two tables agree."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        claims: Claims,
        replies: Replies,
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._claims = claims
        self._replies = replies

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

    def send_digest(self, peer: Member) -> None:
        """Send a digest, or, of a large table, the hashes of its buckets first [P54]."""
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
        self, inbound: Inbound, peer: Member, bits: int, covered: bytes, rows: bytes
    ) -> None:
        """Take the claims, ask for pages that differ, offer records that the peer lacks [P55]."""
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
        # Rows about unknown members ask for their records by themselves.
        self._claims.hear_rows(inbound, peer, b"".join(claims))
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
        """Answer where the peer's claim differs in kind from what is held here even now."""
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

    def hear_want(self, inbound: Inbound, peer: Member, wants: list[list[Any]]) -> None:
        """Send the pages above the versions that the peer holds; ask back for higher ones [P56]."""
        local = self._local
        answers: list[tuple[Member, dict[int, int], range]] = []
        back: list[list[Any]] = []
        for want in wants:
            key, held = want[0], wire.vector_in(want[1])
            member = local.table.by_key.get(key)
            if member is None:
                minimum = local.table.minimum_of_key(key)
                if minimum is not None:
                    inbound.reply.minimums.append(list(minimum))
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
