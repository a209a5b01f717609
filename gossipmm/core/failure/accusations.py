"""Counts the members that each accuser holds suspect: one that accuses everybody is ignored."""

from __future__ import annotations

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.types import Status

__all__ = ("Accusations",)


class Accusations:
    """Accusations by accuser; at most ``max_accusations`` open ones each, except for this node.

    The member that brought one counts as well, whatever accusers it named: they can be invented.
    """

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._limit = local.config.max_accusations
        self._open: dict[int, int] = {}

    def by(self, key: int) -> int:
        """Return the number of suspicions that stand to which a member contributes."""
        return self._open.get(key, 0)

    def heard(self, member: Member, accusers: list[int], reporter: Member) -> list[int]:
        """Return the accusers that are heard: they accuse the member already, or few others.

        None of them where the reporter itself has brought too many [P31]. Those who are not alive
        here do not count, nor does this node, which knows what it saw; without them the reporter
        accuses [P30].
        """
        counts, limit = self._open, self._limit
        peers, me = self._local.table.peers, self._local.me.key
        known = [
            key
            for key in accusers
            if key in peers and key != me and peers[key].status is Status.ALIVE
        ]
        accusers = known or [reporter.key]
        key = reporter.key
        is_new = key not in member.accusers and key != member.brought_by
        if is_new and counts.get(key, 0) >= limit:
            return []
        if all(counts.get(key, 0) < limit for key in accusers):
            return accusers
        return [key for key in accusers if counts.get(key, 0) < limit or key in member.accusers]

    def set(self, member: Member, keys: list[int], brought_by: int = 0) -> None:
        """Replace the accusers of a member, and who brought the suspicion (0: this node)."""
        counts = self._open
        for key in {*keys, brought_by}:
            counts[key] = counts.get(key, 0) + 1
        for key in {*member.accusers, member.brought_by}:
            left = counts.get(key, 0) - 1
            if left > 0:
                counts[key] = left
            else:
                counts.pop(key, None)
        member.accusers, member.brought_by = keys, brought_by
