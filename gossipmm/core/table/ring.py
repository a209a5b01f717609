"""The ring: the peers in the order in which they look after each other, by zone and record key.

Each zone is an arc of it, so that an exchange with the next one leaves the zone only at its end.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from hashlib import blake2b
from typing import Final

from gossipmm.core.table.member import Member
from gossipmm.names import zone_of

__all__ = ("Ring", "place_on_ring", "zone_at")

_BITS: Final = 64
_KEY: Final = (1 << _BITS) - 1
#: Bytes of a zone's name that order zones: those that begin alike (eu-west-1, eu-west-2) are
#: neighbours, most likely in reality as well. The hash behind them tells them apart.
_BEGINNING: Final = 8


def place_on_ring(zone: str, key: int) -> int:
    """Return where a record key of a zone stands: higher ones follow. Without a zone it is the key.

    It takes 40 bytes beside the key, and only where there are zones.
    """
    if not zone:
        return key
    name = zone.encode()
    order = name[:_BEGINNING].ljust(_BEGINNING, b"\0") + blake2b(name, digest_size=8).digest()
    return int.from_bytes(order, "big") << _BITS | key


def zone_at(place: int) -> int:
    """Return a number that is one zone's alone; 0: none."""
    return place >> _BITS


class Ring:
    """Places of the peers, sorted."""

    __slots__ = ("_by_zone", "places")

    def __init__(self, *, by_zone: bool) -> None:
        self._by_zone = by_zone
        self.places: list[int] = []

    def __len__(self) -> int:
        return len(self.places)

    def add(self, member: Member) -> None:
        """Put in a peer."""
        insort(self.places, member.place)

    def discard(self, member: Member) -> bool:
        """Take a member out; return whether it was in."""
        index = bisect_left(self.places, member.place)
        stood = index < len(self.places) and self.places[index] == member.place
        if stood:
            del self.places[index]
        return stood

    def move(self, member: Member) -> None:
        """Give a member its place by the zone that it has now, if the ring goes by zones."""
        if not self._by_zone:
            return
        stood = self.discard(member)
        member.place = place_on_ring(zone_of(member.metadata), member.key)
        if stood:
            self.add(member)

    def has_other(self, zone: int) -> bool:
        """Return whether a peer is not in a zone."""
        places = self.places
        return bool(places) and not zone_at(places[0]) == zone == zone_at(places[-1])

    def key(self, index: int) -> int:
        """Return the record key at a place in the list."""
        return self.places[index] & _KEY

    def arc(self, zone: int) -> tuple[int, int]:
        """Return where the peers of a zone begin in the list, and where they end."""
        places = self.places
        begins = bisect_left(places, zone << _BITS)
        return begins, bisect_left(places, (zone + 1) << _BITS, begins)
