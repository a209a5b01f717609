"""Packs datagrams: asks whether something fits before it is added; and makes rows about members."""

from __future__ import annotations

from typing import Any, Final

import cbor2

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire

#: Datagrams sent in answer to one request; the receiver paces a transfer by asking for more.
BURST: Final = 12
#: Room kept for the claim about the receiver that may go in front, and for longer heads.
_RESERVE: Final = wire.ROW_SIZE + 2 + 4


def claim_row(member: Member, now: float) -> bytes:
    """Return one row that says how a member is held; empty when there is nothing to say [P24]."""
    status = member.status
    if status is Status.SUSPECT or (status is Status.PROBATION and member.suspected):
        return wire.row(member.key, member.s, wire.SUSPECT, 0)
    if status is Status.ALIVE or status is Status.PROBATION:
        return wire.row(member.key, member.k, wire.ALIVE, wire.age_up(now - member.heard))
    if status is Status.DEAD or status is Status.RETURNING:
        age = wire.age_down(now - member.gone_at)
        return wire.row(member.key, max(member.d, 0), wire.DEAD, age)
    if status is Status.LEFT:
        return wire.row(member.key, 0, wire.LEFT, wire.age_down(now - member.gone_at))
    return b""


def claim_rows(member: Member, now: float, most: int) -> bytes:
    """Return claim_row; a suspicion is followed by its accusers, up to ``most`` of them [P30]."""
    first = claim_row(member, now)
    if not member.suspected:
        return first
    return first + b"".join(wire.row(key, 0, wire.ACCUSER) for key in member.accusers[:most])


STATE_CLAIMS: Final = {
    Status.ALIVE: wire.ALIVE,
    Status.PROBATION: wire.ALIVE,
    Status.SUSPECT: wire.SUSPECT,
    Status.DEAD: wire.DEAD,
    Status.RETURNING: wire.DEAD,
    Status.LEFT: wire.LEFT,
}


def digest_row(local: LocalState, member: Member, *, of_versions: bool = False) -> bytes:
    """Return the row of a digest that says how a member is held here, and at which pages [P54].

    ``of_versions``: the hash is of the pages' versions, for peers that read no other.
    """
    now = local.now
    status = member.status
    if member is local.me:
        heartbeat, age = local.own.heartbeat, 0
    elif member.suspected and member.quiet:
        heartbeat, age, status = member.k, wire.age_up(now - member.heard), Status.ALIVE
    elif member.suspected:
        heartbeat, age, status = member.s, 0, Status.SUSPECT
    elif status in (Status.DEAD, Status.RETURNING):
        heartbeat, age = max(member.d, 0), wire.age_down(now - member.gone_at)
    elif status is Status.LEFT:
        heartbeat, age = max(member.k, 0), wire.age_down(now - member.gone_at)
    else:
        heartbeat, age = max(member.k, 0), wire.age_up(now - member.heard)
    claim = STATE_CLAIMS.get(status, wire.UNHEARD)
    page_hash = member.page_hash_bytes(of_versions=of_versions)
    return wire.digest_row(member.key, heartbeat, claim, age, page_hash)


def digest_rows(local: LocalState, members: list[Member], *, of_versions: bool = False) -> bytes:
    """Return the rows of a digest about some members, in a third of the time for those alive."""
    now, me, row = local.now, local.me, wire.digest_row
    alive, age_up = Status.ALIVE, wire.age_up
    rows = []
    for member in members:
        if member.status is alive and member.s < member.k and member is not me:
            of = member.versions_hash if of_versions else member.page_hash
            age = age_up(now - member.heard)
            rows.append(row(member.key, member.k, wire.ALIVE, age, of.to_bytes(6, "big")))
        else:
            rows.append(digest_row(local, member, of_versions=of_versions))
    return b"".join(rows)


def want_size(want: list[Any]) -> int:
    """Return the most bytes that an item of a WANT takes."""
    return 24 + len(want[1]) + (len(want[4]) if len(want) > 4 else 0)


class Packer:
    """Fills datagrams with rows and pages, in order, up to the limit of each [P103]."""

    __slots__ = ("_limit", "_pages", "_room", "_rows", "filled")

    def __init__(self, limit: int) -> None:
        self._limit = limit - wire.FRAME_SIZE - _RESERVE
        self.filled: list[tuple[bytes, list[bytes]]] = []
        self._begin()

    def _begin(self) -> None:
        self._rows: list[bytes] = []
        self._pages: list[bytes] = []
        self._room = self._limit

    def add(self, rows: bytes, pages: list[bytes]) -> None:
        """Add rows, then pages that follow them; opens another datagram where they do not fit."""
        if rows:
            if len(rows) > self._room:
                self._close()
            self._rows.append(rows)
            self._room -= len(rows)
        for page in pages:
            if len(page) + 8 > self._limit:
                continue  # of a member with a larger max_datagram: others pass it on
            size = len(page) + 3 + (0 if self._pages else 5)
            if size > self._room:
                self._close()
                size = len(page) + 8
            self._pages.append(page)
            self._room -= size

    def _close(self) -> None:
        if self._rows or self._pages:
            self.filled.append((b"".join(self._rows), self._pages))
            self._begin()

    def finish(self) -> list[tuple[bytes, list[bytes]]]:
        """Return (rows, pages) of each datagram."""
        self._close()
        return self.filled


def encoded_pages(pages: list[bytes]) -> bytes | None:
    """Return the options of a datagram with pages, encoded once for all its receivers."""
    return cbor2.dumps({wire.OPT_PAGES: pages}) if pages else None


def encoded_digest(rows: bytes) -> bytes:
    """Return the options of a datagram with announcements, encoded once for all receivers."""
    return cbor2.dumps({wire.OPT_DIGEST: [0, b"", rows]})


def joined_up_to(rows: list[bytes], most: int) -> list[bytes]:
    """Return rows of one size together, at most so many bytes in each."""
    whole = b"".join(rows)
    return [whole[start : start + most] for start in range(0, len(whole), most)]
