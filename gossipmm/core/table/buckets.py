"""The records of a table by ranges of their keys, with a sum over each range, kept as they change.

Two tables that differ compare the sums first and then only the records of the ranges that differ,
so that what a digest costs does not grow with the members that agree.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Iterable, Iterator
from operator import xor
from typing import Final

from gossipmm.core.table.member import Member

__all__ = ("MAX_BITS", "Buckets")

#: Most buckets, as bits of the key: 256 hashes of 4 bytes fill a datagram.
MAX_BITS: Final = 8
_SHIFT: Final = 64 - MAX_BITS


class Buckets:
    """Complete records by the first bits of their keys."""

    __slots__ = ("_members", "_sums", "_sums_of_versions")

    def __init__(self) -> None:
        self._members: list[dict[int, Member]] = [{} for _ in range(1 << MAX_BITS)]
        #: XOR of both halves of the contributions.
        self._sums = array("I", bytes(4 << MAX_BITS))
        #: The same over the versions of pages, for peers that read no other.
        self._sums_of_versions = array("I", bytes(4 << MAX_BITS))

    def __len__(self) -> int:
        return sum(map(len, self._members))

    def add(self, member: Member) -> None:
        """Add a record that has its page 0; again changes nothing."""
        self._members[member.key >> _SHIFT][member.key] = member

    def discard(self, member: Member) -> None:
        """Take a record out, if it is there."""
        self._members[member.key >> _SHIFT].pop(member.key, None)

    def change(self, key: int, difference: int, difference_of_versions: int) -> None:
        """Take the XOR of a record's old and new contributions into its bucket's sums."""
        self._sums[key >> _SHIFT] ^= _folded(difference)
        self._sums_of_versions[key >> _SHIFT] ^= _folded(difference_of_versions)

    def hashes(self, bits: int, *, of_versions: bool = False) -> bytes:
        """Return the sums over the 2^``bits`` buckets (at most ``MAX_BITS``), 4 bytes each."""
        sums = self._sums_of_versions if of_versions else self._sums
        width = 1 << (MAX_BITS - bits)
        found = sums[::width]
        for step in range(1, width):
            found = array("I", map(xor, found, sums[step::width]))
        return struct.pack(f">{len(found)}I", *found)

    def all(self) -> list[Member]:
        """Return all records."""
        return [member for one in self._members for member in one.values()]

    def count(self, bits: int, bucket: int) -> int:
        """Return the number of records in one of 2^``bits`` buckets."""
        width = 1 << (MAX_BITS - bits)
        return sum(map(len, self._members[bucket * width : (bucket + 1) * width]))

    def members(self, bits: int, bucket: int, rng: random.Random, most: int) -> list[Member]:
        """Return the records of a bucket; if they are more than ``most``, so many at random."""
        width = 1 << (MAX_BITS - bits)
        if self.count(bits, bucket) <= most:
            ranges = self._members[bucket * width : (bucket + 1) * width]
            return [member for one in ranges for member in one.values()]
        found: list[Member] = []
        for portion in self.portions(bits, (bucket,), rng.randrange(width)):
            found += portion
            if len(found) > 2 * most:
                break
        begin = rng.randrange(len(found))
        return (found[begin:] + found[:begin])[:most]

    def portions(self, bits: int, buckets: Iterable[int], begin: int) -> Iterator[Iterable[Member]]:
        """Yield the records of some of 2^``bits`` buckets in small portions, from the n-th one on.

        So whoever needs only some of them need not look at all.
        """
        width = 1 << (MAX_BITS - bits)
        firsts = [bucket * width for bucket in dict.fromkeys(buckets) if bucket >> bits == 0]
        if not firsts:
            return
        count = len(firsts) * width
        for turn in range(begin, begin + count):
            place = turn % count
            yield self._members[firsts[place // width] + place % width].values()


def _folded(contribution: int) -> int:
    """Return the 32 bits of a contribution that travel."""
    return (contribution >> 32) ^ (contribution & 0xFFFFFFFF)
