"""How far a key rotation has come, from what each member announces about its keys: pure functions.

No live member is left behind unasked: one that does not hold the new key delays the rotation until
an operator names it. A member that is down can only delay the last step, the removal of the old
key, and only for ``keep`` seconds; until then it is given the new key if it comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from gossipmm.core.sealing.envelope import Refusal
from gossipmm.core.table.table import Table
from gossipmm.core.values.rotation_state import Phase, RotationState, Told
from gossipmm.core.values.types import Address, NodeId, Status

__all__ = (
    "Progress",
    "Standing",
    "Straggler",
    "has_majority",
    "left_since",
    "missing",
    "not_back",
    "obstacles",
    "standing",
    "standings",
)


class Standing(NamedTuple):
    """A member, as far as a rotation is concerned."""

    name: NodeId
    live: bool
    #: Ids of the keys that it holds, the sending one first; empty: it does not say.
    holds: tuple[bytes, ...]
    #: True if it has come as far as the present phase requires.
    covered: bool


class Progress(NamedTuple):
    """How far a rotation has come, as this node sees it."""

    register: RotationState
    #: Core time at which this phase was heard of here.
    since: float
    #: All members but those that left, by name, this node included.
    members: tuple[Standing, ...]
    #: The members that the phase waits for.
    waits_for: tuple[Standing, ...]
    #: Number of members at the start that this node has not heard of since it started.
    missing: int
    #: More than half of the members have come as far as this phase requires.
    majority: bool
    #: Members that were named, and are not waited for.
    without: tuple[NodeId, ...]
    #: What this node does has been written to its file.
    saved: bool


class Straggler(NamedTuple):
    """A sender that uses a key removed here: it missed a rotation and needs the new key."""

    #: The member known at that address; empty: none.
    name: NodeId
    address: Address
    kid: bytes
    times: int
    at: float  #: core time of the last one


def not_back(table: Table, stragglers: Mapping[Address, Refusal]) -> tuple[Straggler, ...]:
    """Return the senders that used a retired key and are not back since, by address."""
    live = {address for member in table.peers.values() for address in member.addresses}
    names = {
        address: member.name for member in table.by_name.values() for address in member.addresses
    }
    return tuple(
        Straggler(names.get(address, ""), address, refusal.kid, refusal.times, refusal.at)
        for address, refusal in sorted(stragglers.items())
        if address not in live
    )


def standing(name: NodeId, told: Told | None, register: RotationState, *, live: bool) -> Standing:
    """Return how far a member has come."""
    holds = told.holds if told is not None else ()
    asked = holds if register.phase is Phase.ADD else holds[:1]
    return Standing(name, live, holds, register.new in asked)


def standings(table: Table, register: RotationState) -> tuple[Standing, ...]:
    """Return how far each member is that has not left, by name, this node included."""
    return tuple(
        standing(
            name,
            member.pages[0].keys,
            register,
            live=member is table.me or member.key in table.peers,
        )
        for name, member in sorted(table.by_name.items())
        if member.complete and member.status is not Status.LEFT
    )


def left_since(table: Table, register: RotationState) -> int:
    """Return how many members took part in a rotation and left."""
    left = 0
    for member in table.by_name.values():
        if member.status is Status.LEFT and member.complete:
            told = member.pages[0].keys
            left += told is not None and told.register.is_same(register)
    return left


def has_majority(
    members: Sequence[Standing], register: RotationState, without: Collection[NodeId], left: int
) -> bool:
    """Return whether so many members are covered that no other half of a split can match it [P117].

    Counted against those known here, and against those that existed at the start, without those
    that have left since and those that were named.
    """
    counted = [member for member in members if member.name not in without]
    there = len(counted) + missing(members, register, without, left)
    return 2 * sum(member.covered for member in counted) > there


def missing(
    members: Sequence[Standing], register: RotationState, without: Collection[NodeId], left: int
) -> int:
    """Return how many of the members at the start are not known here, not even as down or left.

    A node that restarted may not have heard of the dead again; they also delay the last step.
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
