"""Why a host is picked or not, and what a preference for a zone or near hosts did: in words."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from gossipmm.core.values.types import HostEntry, HostState

__all__ = (
    "NO_DISTANCES",
    "NO_ZONE",
    "by_distance",
    "nearest_first",
    "no_estimates",
    "nowhere_known",
    "only_near",
    "unknown_origin",
    "why_far",
    "why_not_picked",
    "zones_in_words",
)

#: What is wrong with a node that prefers a zone which it does not have.
NO_ZONE = (
    "this node prefers hosts of its own zone (prefer = zone) and has none, so it picks from all: "
    "gossipmm metadata set zone=NAME gives it one"
)
#: What is wrong with a node that prefers near hosts and knows no distance to any.
NO_DISTANCES = (
    "this node prefers near hosts (prefer = near) and knows no distance to any, so it picks from "
    "all: distances = true, at all members, has them estimated"
)

#: Why hosts of these states are not picked while others are.
_STATES = {
    HostState.DOUBTED: "a call to it failed: others are picked while it is probed",
    HostState.SUSPECT: "suspected: picked only while nobody is live",
    HostState.UNHEALTHY: "its checks fail: picked only while no other host is there",
    HostState.DRAINING: "draining: only by its direct key",
    HostState.UNKNOWN: "its owner says of it what this version does not know: only by direct key",
    HostState.STALE: "not live",
}


def why_not_picked(entry: HostEntry, weight: int, zone: str) -> str:
    """Say why a topic's key is not answered with a host; ``zone`` is the one preferred."""
    if entry.state is not HostState.LIVE:
        return _STATES[entry.state]
    if zone and entry.zone != zone:
        where = f"in zone {entry.zone}" if entry.zone else "in no zone"
        return f"{where}: this node prefers its own, {zone}"
    if not weight:
        return "weight 0: picked only while no other host is live"
    return ""


def zones_in_words(zone: str, near: int, spill: int, zones: Collection[str], meant: str) -> str:
    """Say what the preference for this node's zone did.

    ``near`` are the live hosts that it has, ``zones`` those of the topic, sorted; ``meant`` asks
    whether one of them was meant.
    """
    if not zone:
        return NO_ZONE
    if near >= spill:
        return f"only zone {zone}, this node's own, is picked from"
    if zone not in zones:
        known = f" (its zones: {', '.join(islice(zones, 8))})" if zones else ""
        why = f"the topic has no host in zone {zone}, this node's own{known}{meant}"
        return f"all zones are picked from: {why}"
    hosts = "1 live host" if near == 1 else f"{near} live hosts"
    why = f"{zone}, this node's own, has {hosts} to pick, and zone_spill is {spill}"
    return f"all zones are picked from: {why}"


def only_near(nearest: float, limit: float) -> str:
    """Say what the preference for near hosts did, with both distances in seconds."""
    return (
        f"only hosts within {_ms(limit)} of this node are picked from: the nearest is "
        f"{_ms(nearest)} away (estimated)"
    )


def nearest_first(nearest: float) -> str:
    """Say in which order the hosts of a fanout are."""
    return f"the nearest first: {_ms(nearest)} away (estimated)"


def why_far(seconds: float | None) -> str:
    """Say why a host that could be picked is not, so many seconds away; None: not known."""
    if seconds is None:
        return "how far it is is not known here: others are near"
    return f"{_ms(seconds)} away: others are nearer"


def by_distance(origin: str, unknown: int) -> str:
    """Say by which distances a list is ordered, and how many of it are not known."""
    last = f"; {unknown} of unknown distance last" if unknown else ""
    return f"by the estimated round trip from {_quoted(origin)}{last}"


def unknown_origin(origin: str) -> str:
    """Say that a list cannot be ordered by distance from a name that nobody has."""
    return f"not by distance: no member is called {_quoted(origin)}"


def no_estimates(zone: str) -> str:
    """Say that distances are off, and what a list is ordered by instead."""
    return f"not by distance: this agent estimates none (distances = false){_instead(zone)}"


def nowhere_known(origin: str, zone: str) -> str:
    """Say that no distance from a node is known, and what a list is ordered by instead."""
    why = f"not by distance: none from {_quoted(origin)} is known here"
    return f"{why}{_instead(zone)}"


def _instead(zone: str) -> str:
    return f"; zone {_quoted(zone)} first" if zone else ""


def _quoted(name: str) -> str:
    """Return a name as a header can have it, whatever somebody typed."""
    return ascii(name[:64])


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
