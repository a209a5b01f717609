"""How far a rotation of keys got, from what each member tells of its keys: pure functions.

Nobody who lives is left behind unasked: a live member that does not hold the new key holds the
rotation up until an operator names it. Who is down can only hold up the last step, the removal of
the old key, and only for ``keep`` seconds; until then it is given the new key if it comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from gossipmm.core.values.rotation_state import Phase, RotationState, Told
from gossipmm.core.values.types import Address, NodeId

__all__ = (
    "Progress",
    "Standing",
    "Straggler",
    "has_majority",
    "missing",
    "obstacles",
    "standing",
)


class Standing(NamedTuple):
    """A member, as far as a rotation goes."""

    name: NodeId
    live: bool
    #: Ids of the keys that it holds, the one that it sends with first; empty: it does not tell.
    holds: tuple[bytes, ...]
    #: It is as far as the present phase asks.
    covered: bool


class Progress(NamedTuple):
    """How far a rotation is, as this node sees it."""

    register: RotationState
    #: Core time at which this phase was heard of here.
    since: float
    #: All members but those that left, by name, this node included.
    members: tuple[Standing, ...]
    #: The members that the phase waits for.
    waits_for: tuple[Standing, ...]
    #: Members that there were at the start, and that this node has not heard of since it started.
    missing: int
    #: More than half of the members are as far as this phase asks.
    majority: bool
    #: Named: not waited for.
    without: tuple[NodeId, ...]
    #: What this node does is written to its file.
    saved: bool


class Straggler(NamedTuple):
    """Who sends with a key that was removed here: it missed a rotation and needs the new key."""

    #: The member that was at that address; empty: none that is known.
    name: NodeId
    address: Address
    kid: bytes
    times: int
    at: float  #: core time of the last one


def standing(name: NodeId, told: Told | None, register: RotationState, *, live: bool) -> Standing:
    """Return how far a member is."""
    holds = told.holds if told is not None else ()
    asked = holds if register.phase is Phase.ADD else holds[:1]
    return Standing(name, live, holds, register.new in asked)


def has_majority(
    members: Sequence[Standing], register: RotationState, without: Collection[NodeId], left: int
) -> bool:
    """Whether enough members are covered that no other half of a split can do the same [P117].

    Counted against those known here and against those that there were at the start, without those
    that have left since and those that were named.
    """
    counted = [member for member in members if member.name not in without]
    there = len(counted) + missing(members, register, without, left)
    return 2 * sum(member.covered for member in counted) > there


def missing(
    members: Sequence[Standing], register: RotationState, without: Collection[NodeId], left: int
) -> int:
    """Return how many of the members at the start are not known here, not even as down or left.

    A node that restarted may not have heard of the dead again: they hold the last step up, too.
    """
    counted = sum(member.name not in without for member in members)
    return max(0, register.members - left - len(set(without)) - counted)


def obstacles(
    members: Iterable[Standing],
    register: RotationState,
    without: Collection[NodeId],
    *,
    expired: bool,
) -> tuple[Standing, ...]:
    """Return the members that the present phase waits for. ``expired``: ``keep`` is over [P117]."""
    if register.phase is Phase.DONE or (register.phase is Phase.USE and expired):
        return ()
    return tuple(
        member
        for member in members
        if not member.covered
        and member.name not in without
        and (member.live or register.phase is Phase.USE)
    )
