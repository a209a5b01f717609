"""Counts the members that each accuser holds suspect: one that accuses everybody is ignored."""

from __future__ import annotations

from gossipmm.core.table.member import Member

__all__ = ("Accusations",)


class Accusations:
    """Accusations by accuser; at most ``limit`` open ones each, except for this node.

    ``me`` returns the key of this node, which has seen for itself.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[int, int] = {}

    def heard(self, member: Member, accusers: list[int], me: int) -> list[int]:
        """Return the accusers that are heard: they accuse the member already, or few others.

        [P31]
        """
        counts, limit = self._open, self._limit
        if all(counts.get(key, 0) < limit for key in accusers):
            return accusers
        return [
            key
            for key in accusers
            if counts.get(key, 0) < limit or key == me or key in member.accusers
        ]

    def set(self, member: Member, keys: list[int]) -> None:
        """Replace the accusers of a member."""
        counts = self._open
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
        for key in member.accusers:
            left = counts.get(key, 0) - 1
            if left > 0:
                counts[key] = left
            else:
                counts.pop(key, None)
        member.accusers = keys
