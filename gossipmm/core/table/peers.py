"""Chooses the members to talk to next."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import deque
from collections.abc import Container
from typing import Final

from gossipmm.core.table.member import Member
from gossipmm.core.table.ring import zone_at
from gossipmm.core.table.table import Table
from gossipmm.core.values.types import Agreement, Disagreement

#: Number of recent senders that are remembered.
_RECENT: Final = 32
#: Times that the members of a zone together push a change to each member of others, if those are
#: few; each of them pushes it twice.
_FAR: Final = 2


class Peers:
    """Chooses among the live and suspected members (``table.peers``)."""

    def __init__(self, table: Table, rng: random.Random) -> None:
        self._table = table
        self._rng = rng
        self._round: list[int] = []
        self._list: list[Member] = []
        self._list_version = -1
        self._recent: deque[Member] = deque(maxlen=_RECENT)

    def heard(self, member: Member) -> None:
        """Remember a member as a recent sender."""
        recent = self._recent
        if not recent or recent[-1] is not member:
            recent.append(member)

    def latest(self, but: Member | None) -> Member | None:
        """Return the member heard from last, other than ``but``."""
        for member in reversed(self._recent):
            if member is not but and member.key in self._table.peers:
                return member
        return None

    def all(self) -> list[Member]:
        """Return the peers as a list, in order of arrival; do not change it."""
        if self._list_version != self._table.peers_version:
            self._list = list(self._table.peers.values())
            self._list_version = self._table.peers_version
        return self._list

    def next_of_round(self) -> Member | None:
        """Return the next peer of a shuffled round, in which each has one turn [P61].

        That bounds the time until each was asked (SWIM, section 4.3).
        """
        peers = self._table.peers
        left = self._round
        while left:
            member = peers.get(self._draw(left))
            if member is not None:
                return member
        if not peers:
            return None
        self._round = list(peers)
        return peers[self._draw(self._round)]

    def _draw(self, left: list[int]) -> int:
        """Take one at random out of those left in the round: shuffling all at once takes ms."""
        place = int(self._rng.random() * len(left))
        left[place], left[-1] = left[-1], left[place]
        return left.pop()

    def successor(self) -> Member | None:
        """Return the member with the next higher record key, around, to look after it [P61].

        Passed over are the suspected, and whoever only helpers reach: an exchange with that one
        fails each time, and it has others beside it. None: nobody is left.

        At random all others together ask a member once an interval on average, but one in a
        thousand waits for seven intervals.
        """
        return self._on_ring(1)

    def predecessor(self) -> Member | None:
        """Return the member that looks after this node: the one with the next lower key [P61]."""
        return self._on_ring(-1)

    def _on_ring(self, step: int) -> Member | None:
        table = self._table
        assert table.me is not None
        ring = table.ring
        count = len(ring)
        first = bisect_right(ring.places, table.me.place)
        if step < 0:
            first -= 1
        for index in range(first, first + step * count, step):
            member = table.peers[ring.key(index % count)]
            if not member.suspected and not member.indirect:
                return member
        return None

    def admit(self, member: Member) -> None:
        """Let a new peer have a turn in the current round: at random, as all have."""
        self._round.append(member.key)

    def sample(self, count: int, but: Container[int]) -> list[Member]:
        """Return up to ``count`` distinct random peers whose keys are not in ``but``."""
        peers = self.all()
        if len(peers) <= count * 4:
            candidates = [member for member in peers if member.key not in but]
            if len(candidates) <= count:
                return candidates
            return self._rng.sample(candidates, count)
        chosen: dict[int, Member] = {}
        for _ in range(count * 8):
            member = peers[int(self._rng.random() * len(peers))]
            if member.key not in but:
                chosen[member.key] = member
                if len(chosen) == count:
                    break
        return list(chosen.values())

    @property
    def zone(self) -> int:
        """This node's zone, if it has one and somebody is not in it; 0: zones do not count."""
        me = self._table.me
        zone = zone_at(me.place) if me is not None else 0
        return zone if zone and self._table.ring.has_other(zone) else 0

    def sample_of(self, zone: int, count: int) -> list[Member]:
        """Return up to ``count`` distinct random peers of a zone, none if all are in it."""
        begins, ends = self._table.ring.arc(zone)
        if ends - begins == len(self._table.ring):
            return []
        return self._sample_arc(begins, ends - begins, count, ())

    def sample_both(self, count: int, recent: int, since: float, but: set[int]) -> list[Member]:
        """Return up to ``count`` random peers, ``recent`` of them recent senders [P73].

        Where zones count, one is of another zone, and the others are of this one, as far as it has
        so many [P184].
        """
        zone = self.zone
        chosen = self._sample_far(zone, but) if zone and count > 0 else []
        recent = min(recent, count - len(chosen))
        chosen += self.sample_recent(recent, since, but, zone)
        taken = but | {peer.key for peer in chosen}
        if zone:
            begins, ends = self._table.ring.arc(zone)
            chosen += self._sample_arc(begins, ends - begins, count - len(chosen), taken)
            taken |= {peer.key for peer in chosen}
        return chosen + self.sample(count - len(chosen), taken)

    def _sample_far(self, zone: int, but: Container[int]) -> list[Member]:
        """Return a random peer of another zone, or none: seldom where few are in other zones.

        Then all members of this zone together tell each of those twice, not each of them once.
        """
        begins, ends = self._table.ring.arc(zone)
        near = ends - begins
        far = len(self._table.ring) - near
        if self._rng.random() * (near + 1) >= _FAR * far:
            return []
        return self._sample_arc(ends, far, 1, but)

    def _sample_arc(self, begins: int, size: int, count: int, but: Container[int]) -> list[Member]:
        """Return up to ``count`` of the ``size`` peers that follow a place on the ring."""
        ring, peers = self._table.ring, self._table.peers
        around = len(ring)
        if size <= count * 4:
            keys = [ring.key((begins + index) % around) for index in range(size)]
            candidates = [peers[key] for key in keys if key not in but]
            if len(candidates) <= count:
                return candidates
            return self._rng.sample(candidates, count)
        chosen: dict[int, Member] = {}
        for _ in range(count * 8):
            key = ring.key((begins + int(self._rng.random() * size)) % around)
            if key not in but:
                chosen[key] = peers[key]
                if len(chosen) == count:
                    break
        return list(chosen.values())

    def sample_recent(
        self, count: int, since: float, but: Container[int], zone: int = 0
    ) -> list[Member]:
        """Return up to ``count`` random peers of the recent senders, heard from after ``since``.

        With ``zone``, of that one alone.
        """
        peers = self._table.peers
        found = {
            member.key: member
            for member in self._recent
            if member.seen_at >= since
            and member.key in peers
            and member.key not in but
            and (not zone or zone_at(member.place) == zone)
        }
        members = list(found.values())
        return members if len(members) <= count else self._rng.sample(members, count)


#: How far the table of a member agrees with this one.
AGREES, DIFFERS, UNHEARD = "agrees", "differs", "unheard"


def agreement_with(table: Table, member: Member) -> tuple[str, float | None]:
    """Return how far the table of a member agrees, and since when it differs if it does."""
    if not member.peer_fingerprint:
        return UNHEARD, None
    if table.agrees(member.peer_fingerprint, member.peer_half):
        return AGREES, None
    if member.differs_since is None:
        return UNHEARD, None  # it agreed when it was last heard: this table has changed since
    return DIFFERS, member.differs_since


def agreement_of(table: Table) -> Agreement:
    """Return how many live peers agree with the table, who does not, and since when."""
    agree = unheard = 0
    differ = []
    for member in table.peers.values():
        word, since = agreement_with(table, member)
        if word == AGREES:
            agree += 1
        elif since is None:
            unheard += 1
        else:
            differ.append(Disagreement(member.name, since))
    return Agreement(table.fingerprint, agree, tuple(differ), unheard)
