"""Priorities and weights of SRV records (RFC 2782).

* Priority 0 are the hosts that are picked, 1 those of other zones than the one that is preferred,
  or further away where near ones are: clients turn to these when none of the others answers.
  HAProxy knows no priorities; as it gives nothing to weight 0, these have that, which means nothing
  among themselves.
* Weights are told as 256 times as much, because HAProxy takes the 256th part (rounded up), and in
  proportion where one would exceed 16 bits then. Where all are the same, each is 1. A host of
  weight 0 is told as such: HAProxy lets its connections end, and gives it no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import NamedTuple

from gossipmm.core.values.types import HostEntry, TopicView
from gossipmm.matchmaker.near import NearTopicExchange
from gossipmm.matchmaker.placed import Place, picked

__all__ = ("Offer", "offers")

_MOST = 65_535
_TIMES = 256
_NOWHERE: Mapping[str, float] = {}


class Offer(NamedTuple):
    """A host, and how an SRV record offers it."""

    host: HostEntry
    priority: int
    weight: int


def offers(view: TopicView, place: Place, near: NearTopicExchange | None = None) -> Iterator[Offer]:
    """Yield the hosts of a topic that could be picked, those that are picked first.

    ``near`` knows how far they are, where near ones are preferred.
    """
    limit, rtts = inf, _NOWHERE
    if near is not None:
        found, limit, rtts = near.offered(view.topic, view)
    else:
        found = picked(view, place)
    if found.weights is None:
        for host in found.hosts:
            yield Offer(view.entries[host], 0, 1)
    else:
        largest = max(found.weights)
        told, of = (_TIMES, 1) if largest * _TIMES <= _MOST else (_MOST, largest)
        for host, weight in zip(found.hosts, found.weights, strict=True):
            yield Offer(view.entries[host], 0, max(1, weight * told // of))
    if len(found.hosts) == len(view.picks):
        return
    before = frozenset(found.hosts)
    elsewhere = "" if found.spilled else place.zone
    for host in view.picks:
        if host not in before:
            entry = view.entries[host]
            far = limit < inf and rtts.get(host, inf) > limit
            yield Offer(entry, int(far or (bool(elsewhere) and entry.zone != elsewhere)), 0)
