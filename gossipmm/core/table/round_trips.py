"""Estimated round trips from this node to others, by their names, for whoever picks hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gossipmm.core.distances.coordinate import Coordinate, distance
from gossipmm.core.distances.distances import Distances
from gossipmm.core.table.member import Member
from gossipmm.core.values.types import NodeId

__all__ = ("RoundTrips",)


class RoundTrips:
    """What this node knows of distances [P183]. Read from any thread: it takes no lock."""

    def __init__(self, own: NodeId, by_name: Mapping[NodeId, Member], distances: Distances) -> None:
        self._own = own
        self._by_name = by_name
        self._distances = distances

    @property
    def changed_at(self) -> float:
        """Core time of the last news of any coordinate."""
        return self._distances.changed_at

    def of(self, names: Iterable[NodeId]) -> dict[NodeId, float]:
        """Return the estimated seconds to those of these nodes whose distance is known."""
        found: dict[NodeId, float] = {}
        if self._distances.own is None:
            return found
        for name in names:
            if name == self._own:
                found[name] = 0.0
            elif (member := self._by_name.get(name)) is not None:
                rtt = self._distances.rtt(member.key, self._distances.changed_at)
                if rtt is not None:
                    found[name] = rtt
        return found

    @property
    def on(self) -> bool:
        """False: this node keeps no coordinates."""
        return self._distances.on

    def between(self, origin: NodeId, names: Iterable[NodeId]) -> dict[NodeId, float]:
        """Return the estimated seconds from a node to those whose coordinates are known here.

        Nothing at all if its own is not [P182].
        """
        if origin == self._own:
            return self.of(names)
        found: dict[NodeId, float] = {}
        start = self._place(origin)
        if start is None:
            return found
        for name in names:
            if name == origin:
                found[name] = 0.0
            elif (place := self._place(name)) is not None:
                found[name] = distance(start, place)
        return found

    def _place(self, name: NodeId) -> Coordinate | None:
        """Return where a node is; None: not known here, or this node keeps no coordinates."""
        distances = self._distances
        if name == self._own:
            return distances.own
        member = self._by_name.get(name) if distances.on else None
        told = distances.of(member.key, distances.changed_at) if member is not None else None
        return told[0] if told is not None else None
