"""Which of a topic's hosts are picked, by zone and by weight.

* With a preference for this node's zone, its hosts alone, for as long as enough of them are live:
  ``zone_spill``. With fewer, all that could be picked without a preference.
* A host of weight 0 is not picked while another one could be.

What was worked out is kept for as long as the topic's view is the same, and hosts and weights that
stayed what they were are the same objects: a walk around them goes on as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gossipmm.core.values.hosts import weighed
from gossipmm.core.values.types import HostState, TopicView

__all__ = ("NOWHERE", "Picked", "Place", "picked", "place_of")


class Place(NamedTuple):
    """What a preference for a zone goes by."""

    #: This node's zone; empty: none, so there is nothing to prefer.
    zone: str = ""
    #: Live hosts of it below which all others are picked as well.
    spill: int = 1


#: Without a preference.
NOWHERE = Place()


def place_of(prefer: str, zone: str, spill: int) -> Place:
    """Return what a setting ``prefer`` goes by at a node in a zone."""
    return Place(zone, spill) if prefer == "zone" and zone else NOWHERE


class Picked(NamedTuple):
    """The hosts of a topic that are picked."""

    view: TopicView
    place: Place
    hosts: Sequence[str]
    #: Those of ``hosts``, above 0; None: all have the same.
    weights: Sequence[int] | None
    #: Live hosts of the preferred zone that could be picked; -1: none is preferred.
    near: int = -1

    @property
    def spilled(self) -> bool:
        """True if the preferred zone has too few hosts, so that all are picked."""
        return 0 <= self.near < self.place.spill


def picked(view: TopicView, place: Place, before: Picked | None = None) -> Picked:
    """Return the hosts of a view that are picked; ``before`` is what was worked out last."""
    near = -1
    if place.zone and view.picks:
        near = 0
        if view.entries[view.picks[0]].state is HostState.LIVE:
            hosts, weights = _without_zeros(*weighed(view.picks, view.entries, place.zone))
            near = len(hosts) if any(weights) else 0
    if near < place.spill:
        if not view.weighted:
            return Picked(view, place, view.picks, None, near)
        hosts, weights = _without_zeros(*weighed(view.picks, view.entries))
    same = None if not weights or min(weights) == max(weights) else tuple(weights)
    if before is not None and before.weights == same and before.hosts == tuple(hosts):
        return before._replace(view=view, place=place, near=near)
    return Picked(view, place, tuple(hosts), same, near)


def _without_zeros(hosts: list[str], weights: list[int]) -> tuple[list[str], list[int]]:
    """Leave out hosts of weight 0, unless all have it."""
    if 0 not in weights or not any(weights):
        return hosts, weights
    pairs = [pair for pair in zip(hosts, weights, strict=True) if pair[1]]
    return [host for host, _ in pairs], [weight for _, weight in pairs]
