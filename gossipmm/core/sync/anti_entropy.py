"""Anti-entropy: fingerprints, digests, and pages both ways.

Fingerprints travel in every exchange. A digest follows only when two have differed while this
node's stood still for an interval: all rows where they fit, else hashes of buckets of the key space
first. What differs is asked for by the page versions held (WANT) and answered with pages. These are
marked with OPT_MORE and not pushed on: whoever else lacks them asks for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from math import ceil, log2
from operator import attrgetter
from typing import Any, Final, TypeAlias

from gossipmm.core.sending.broadcasts import MOST_ANNOUNCED, BroadcastQueue
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.packing import (
    BURST,
    STATE_CLAIMS,
    Packer,
    claim_rows,
    digest_row,
    digest_rows,
)
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.claims import Claims
from gossipmm.core.sync.fetches import Fetches, Found
from gossipmm.core.table.buckets import MAX_BITS
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_PAGE_NUMBER, Page

#: Rows of a digest that fit one datagram of 1,200 bytes; above that, buckets.
_SMALL: Final = 54
#: Members a bucket on average, as long as half as many buckets as there can be are enough: the
#: hashes of all fill a datagram.
_BUCKET: Final = 16
#: Above so many, all buckets: 39 members each of 10,000, and a datagram has room for 54.
_LARGE: Final = 4096
#: Datagrams of rows in answer to the hashes of buckets: 20 records in which 10,000 differ are told
#: in five answers, and each takes 0.3 ms.
_ANSWER: Final = 4
#: Datagrams of records that a digest lacks: 0.3 ms. If there are more, the next digest comes soon.
_OFFER: Final = 6
#: Records that differ above which the next digest waits for nothing.
_MANY: Final = 4
#: Records offered in answer to a digest: more than these datagrams can carry.
_OFFERED: Final = 16 * _OFFER
#: Pages looked at in answer to one datagram. Where there are more, others each time: a random
#: stretch.
_LOOKED_AT: Final = 4096
#: Of these, so many are a step of work: 2.5 us.
_AT_A_STEP: Final = 8
_ALL_PAGES: Final = range(1 << 16)
_FIRST_PAGE: Final = range(1)
#: In place of a digest that was not told: no page of the same version counts before it.
_ANY: Final = 1 << 32
#: Wire version from which on hashes are of the pages' bytes; such a digest ends with it [P122].
_OF_BYTES: Final = 2


#: Page number -> version and short digest held by a peer.
_Held: TypeAlias = dict[int, tuple[int, int]]


def _held_of(want: list[Any]) -> _Held:
    """Read what a WANT names; who names no digests has the page of that version [P56]."""
    versions = wire.vector_in(want[1])
    digests = wire.digests_in(want[1], want[4]) if len(want) > 4 else {}
    return {number: (at, digests.get(number, _ANY)) for number, at in versions.items()}


def _place(page: Page) -> tuple[int, int]:
    return page.version, wire.short_digest(page.digest)


def _is_above(held: tuple[int, int], page: Page | None) -> bool:
    """Return whether a peer holds a page that counts before the one here."""
    version, digest = held
    if page is None or version != page.version:
        return page is None or version > page.version
    return digest != _ANY and digest > wire.short_digest(page.digest)


def _with_certificates(pages: list[Page]) -> Iterator[bytes]:
    """Yield pages in order, each certificate before page 0 of its member if that is among them.

    [P155]
    """
    first = len(pages)
    while first and pages[first - 1].number == MAX_PAGE_NUMBER:
        first -= 1
    certificates = {(page.name, page.generation): page.raw for page in pages[first:]}
    for page in pages[:first]:
        certificate = certificates.pop(page[:2], None) if certificates else None
        if certificate is not None:
            yield certificate
        yield page.raw
    yield from certificates.values()


class AntiEntropy:
    """Makes two tables agree."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        claims: Claims,
        replies: Replies,
        broadcasts: BroadcastQueue,
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._claims = claims
        self._replies = replies
        self.fetches = Fetches(local, outbox, replies, broadcasts.announce)
        #: A digest just brought a lot: until then the next one waits for nothing.
        self.eager_until = local.now

    # -- digests ---------------------------------------------------------------------------

    def send_digest(self, peer: Member) -> None:
        """Send a digest, or, of a large table, the hashes of its buckets first [P54]."""
        local = self._local
        buckets = local.table.buckets
        count = len(buckets)
        if count <= _SMALL:
            self._send_rows(peer, 0, b"\0", buckets.all())
            return
        of_versions = local.speaks(peer) < _OF_BYTES
        # Wire version 1 refuses a digest of 256 buckets.
        few = of_versions or count <= _LARGE
        bits = min(MAX_BITS - 1, ceil(log2(count / _BUCKET))) if few else MAX_BITS
        local.stats.buckets_sent += 1
        hashes = buckets.hashes(bits, of_versions=of_versions)
        told = [bits, 0, hashes] if of_versions else [bits, 0, hashes, _OF_BYTES]
        self._outbox.send(wire.NEWS, peer, options={wire.OPT_BUCKETS: told})

    def hear_buckets(self, peer: Member, told: list[Any]) -> None:
        """Answer with the rows of the buckets that differ, in a few datagrams [P54]."""
        local = self._local
        buckets = local.table.buckets
        bits, first, hashes = told[:3]
        mine = buckets.hashes(bits, of_versions=told[3:4] != [_OF_BYTES])[4 * first :]
        differ = [
            first + place // 4
            for place in range(0, min(len(mine), len(hashes)) & ~3, 4)
            if mine[place : place + 4] != hashes[place : place + 4]
        ]
        if not differ:
            return
        start = local.rng.randrange(len(differ))
        most = (self._outbox.room - wire.FRAME_SIZE - wire.ROW_SIZE - 16) // wire.DIGEST_ROW_SIZE
        covered = bytearray()
        members: list[Member] = []
        sent = 0
        for bucket in differ[start:] + differ[:start]:
            some = buckets.members(bits, bucket, local.rng, most - 1)
            if members and len(members) + len(some) + 1 > most:
                self._send_rows(peer, bits, bytes(covered), members)
                sent += 1
                if sent == _ANSWER:
                    local.stats.digests_truncated += 1
                    return
                covered, members = bytearray(), []
            if buckets.count(bits, bucket) >= most:
                # Larger than a datagram: others of it each time, and nothing is said to be missing.
                local.stats.digests_truncated += 1
            else:
                covered.append(bucket)
            members += some
        self._send_rows(peer, bits, bytes(covered), members)

    def _send_rows(self, peer: Member, bits: int, covered: bytes, members: list[Member]) -> None:
        local = self._local
        local.stats.digests_sent += 1
        local.stats.work += len(members)
        of_versions = local.speaks(peer) < _OF_BYTES
        rows = digest_rows(local, members, of_versions=of_versions)
        told = [bits, covered, rows] if of_versions else [bits, covered, rows, _OF_BYTES]
        self._outbox.send(wire.NEWS, peer, options={wire.OPT_DIGEST: told})

    def hear_digest(self, inbound: Inbound, peer: Member, told: list[Any]) -> None:
        """Take the claims, ask for pages that differ, offer records that the peer lacks [P55]."""
        local = self._local
        bits, covered, rows = told[:3]
        of_versions = told[3:4] != [_OF_BYTES]
        seen: set[int] = set()
        claims: list[bytes] = []
        #: The change was too large to be pushed [P135].
        announced = of_versions and not covered and len(rows) <= MOST_ANNOUNCED
        differ: dict[int, Found] = {}
        local.stats.work += len(rows) // wire.DIGEST_ROW_SIZE
        for key, heartbeat, claim, age, page_hash in wire.digest_rows_in(rows):
            seen.add(key)
            member = local.table.by_key.get(key)
            if member is local.me:
                if member.page_hash_bytes(of_versions=of_versions) != page_hash:
                    self._announce_own(peer)
            elif member is None:
                if announced:  # the row about it asks for it
                    differ[key] = Found(page_hash, of_versions=of_versions, announced=True)
            elif member.page_hash_bytes(of_versions=of_versions) != page_hash:
                differ[key] = Found(page_hash, of_versions=of_versions, announced=announced)
            claims.append(wire.row(key, heartbeat, claim, age))
        # Rows about unknown members ask for their records by themselves.
        self._claims.hear_rows(inbound, peer, b"".join(claims))
        self._tell_differences(rows, peer)
        if differ:
            self.fetches.begin(peer, differ)
        missing, asked = self._that_fit(self._missing(bits, covered, seen))
        if len(differ) + len(missing) > _MANY:
            self.eager_until = local.now + local.config.gossip_interval
        if missing:
            self._send_pages(peer, [(member, {}, asked) for member in missing], _OFFER)

    def _announce_own(self, peer: Member) -> None:
        """Tell a peer at which pages this node's own record is: it asks for what it lacks.

        Asked for it, the peer would ask back. If it holds pages that this node never wrote, it
        names them when it asks.
        """
        row = digest_row(self._local, self._local.me, of_versions=True)
        self._outbox.send(wire.NEWS, peer, options={wire.OPT_DIGEST: [0, b"", row]})

    def _missing(self, bits: int, covered: bytes, seen: set[int]) -> list[Member]:
        """Return records of the buckets that a digest covers and lacks: some, if there are many.

        From a random bucket on, so that another digest finds others. One that knew nobody, of 58
        bytes, had all of 10,000 looked at, for the dozen datagrams that answer it.
        """
        buckets = self._local.table.buckets
        missing: list[Member] = []
        begin = self._local.rng.randrange(1 << MAX_BITS) if len(buckets) > _OFFERED else 0
        for portion in buckets.portions(bits, covered, begin):
            missing += [member for member in portion if member.key not in seen]
            if len(missing) >= _OFFERED:
                return missing[:_OFFERED]
        if missing:
            start = self._local.rng.randrange(len(missing))
            missing = missing[start:] + missing[:start]
        return missing

    def _that_fit(self, members: list[Member]) -> tuple[list[Member], range]:
        """Return the first members, and the pages of them that there is room to offer.

        If page 0 of all has no room, page 0 of as many as have; who holds that asks for the rest.
        """
        room = _OFFER * self._outbox.room
        for place, member in enumerate(members):
            room -= len(member.pages[0].raw) + wire.ROW_SIZE
            if room < 0:
                return members[:place], _FIRST_PAGE
        return members, _ALL_PAGES

    def _tell_differences(self, rows: bytes, peer: Member) -> None:
        """Answer where the peer's claim differs in kind from what is held here even now."""
        local = self._local
        told: list[bytes] = []
        for key, _, claim, _, _ in wire.digest_rows_in(rows):
            member = local.table.by_key.get(key)
            if member is None or member is local.me or member is peer or not member.complete:
                continue
            held = wire.SUSPECT if member.suspected else STATE_CLAIMS.get(member.status)
            if held is not None and not member.quiet and held != claim:
                told.append(claim_rows(member, local.now, 1))
        room = self._outbox.room - wire.FRAME_SIZE - 2 * wire.ROW_SIZE
        packed = b"".join(told)
        for start in range(0, len(packed), room - room % wire.ROW_SIZE):
            part = packed[start : start + room - room % wire.ROW_SIZE]
            self._outbox.send(wire.NEWS, peer, rows=part)

    # -- pages -----------------------------------------------------------------------------

    def hear_want(self, inbound: Inbound, peer: Member, wants: list[list[Any]]) -> None:
        """Send the pages above the versions that the peer holds; ask back for higher ones [P56]."""
        local = self._local
        answers: list[tuple[Member, _Held, range]] = []
        back: dict[int, Member] = {}
        for want in wants:
            key, held = want[0], _held_of(want)
            member = local.table.by_key.get(key)
            if member is None:
                minimum = local.table.minimum_of_key(key)
                if minimum is not None:
                    inbound.reply.closed(*minimum)
                continue
            asked = range(want[2], want[3]) if len(want) > 3 else _ALL_PAGES
            answers.append((member, held, asked))
            if any(_is_above(at, member.pages.get(number)) for number, at in held.items()):
                back[key] = member
        if answers:
            self._send_pages(peer, answers)
        if back:
            self.fetches.ask(peer, list(back.values()))

    def _send_pages(
        self, peer: Member, records: list[tuple[Member, _Held, range]], most: int = BURST
    ) -> None:
        """Send what is above what the peer holds, small pages of all records first."""
        local = self._local
        packer = Packer(self._outbox.room - 8)
        for member, _, _ in records:
            packer.add(self._replies.tell(member), [])
        pages: list[Page] = []
        left = _LOOKED_AT
        for member, held, asked in records:
            some = self._some_pages(member, asked, left)
            left -= min(len(asked), len(member.pages), left)
            if held:
                some = [page for page in some if _place(page) > held.get(page.number, (0, 0))]
            pages += some
            if left <= 0:
                break
        local.stats.work += len(records) + (_LOOKED_AT - left) // _AT_A_STEP
        pages.sort(key=attrgetter("number"))
        for raw in _with_certificates(pages):
            packer.add(b"", [raw])
            if len(packer.filled) >= most:
                break
        for rows, raws in packer.finish()[:most]:
            local.stats.pages_sent += len(raws)
            options: dict[int, object] = {wire.OPT_MORE: []}
            if raws:
                options[wire.OPT_PAGES] = raws
            self._outbox.send(wire.NEWS, peer, rows=rows, options=options)

    def _some_pages(self, member: Member, asked: range, most: int) -> list[Page]:
        """Return pages of a record in a range: at most so many, a random stretch of those."""
        pages = member.pages
        if len(asked) < len(pages):
            return [pages[number] for number in asked[:most] if number in pages]
        if len(pages) <= most:
            if asked is _ALL_PAGES:
                return list(pages.values())
            return [page for number, page in pages.items() if number in asked]
        start = self._local.rng.randrange(len(pages))
        stretch = chain(islice(pages.items(), start, None), islice(pages.items(), start))
        return [page for number, page in islice(stretch, most) if number in asked]
