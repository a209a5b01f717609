"""The records of a table by ranges of their keys, with a sum over each range, kept as they change.

Two tables that differ compare the sums first and then only the records of the ranges that differ,
so that what a digest costs does not grow with the members that agree.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.table.member import Member

__all__ = ("MAX_BITS", "Buckets")

#: Most buckets, as bits of the key: 256 hashes of 4 bytes fill a datagram.
MAX_BITS: Final = 8
_SHIFT: Final = 64 - MAX_BITS


class Buckets:
    """Complete records by the first bits of their keys."""

    __slots__ = ("_members", "_sums")

    def __init__(self) -> None:
        self._members: list[dict[int, Member]] = [{} for _ in range(1 << MAX_BITS)]
        self._sums = [0] * (1 << MAX_BITS)

    def __len__(self) -> int:
        return sum(map(len, self._members))

    def add(self, member: Member) -> None:
        """Add a record that has its page 0; again changes nothing."""
        self._members[member.key >> _SHIFT][member.key] = member

    def discard(self, member: Member) -> None:
        """Take a record out, if it is there."""
        self._members[member.key >> _SHIFT].pop(member.key, None)

    def change(self, key: int, difference: int) -> None:
        """Take the XOR of a record's old and new contribution into its bucket's sum."""
        self._sums[key >> _SHIFT] ^= difference

    def hashes(self, bits: int) -> list[bytes]:
        """Return the sums over the 2^``bits`` buckets (at most ``MAX_BITS``), 4 bytes each."""
        width = 1 << (MAX_BITS - bits)
        found = []
        for first in range(0, 1 << MAX_BITS, width):
            value = 0
            for one in self._sums[first : first + width]:
                value ^= one
            found.append(((value >> 32) ^ (value & 0xFFFFFFFF)).to_bytes(4, "big"))
        return found

    def members(self, bits: int, bucket: int) -> list[Member]:
        """Return the records of one of 2^``bits`` buckets."""
        width = 1 << (MAX_BITS - bits)
        ranges = self._members[bucket * width : (bucket + 1) * width]
        return [member for one in ranges for member in one.values()]
