"""Endpoints about gossip keys: listing them, changing them, rotations.

Answers contain ids of keys, never a key. Over TCP, which any user of this machine may use, keys can
be looked at but not changed.
"""

from __future__ import annotations

import base64
from typing import Annotated

import msgspec

from gossipmm.addresses import format_address
from gossipmm.answers import RotationStatus
from gossipmm.core.sealing.keyring import Key
from gossipmm.errors import KeyringError
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint

__all__ = ("ENDPOINTS",)

_Kid = Annotated[str, msgspec.Meta(pattern="^([0-9a-fA-F]{2}){1,4}$")]
#: Seconds that an old key may be kept at most: a week.
_Keep = Annotated[float, msgspec.Meta(ge=0, le=604_800)]


class KeyMember(msgspec.Struct, kw_only=True):
    """A member and its keys, as it reports them itself."""

    name: str
    live: bool
    #: Ids, the one it sends with first; empty: it does not say (not encrypted, or an older
    #: version).
    holds: list[str]
    #: It has come as far as the present phase of the rotation requires.
    covered: bool


class Rotation(msgspec.Struct, kw_only=True):
    """The last rotation that this agent knows of."""

    #: ``add``: all get the new key; ``use``: all send with it; ``done``: the old one is removed.
    phase: str
    kid: str
    replaces: str
    out_of_band: bool
    since_ago: float
    #: Seconds that the old key is still kept for members that are down; null: not begun, or over.
    keep_left: float | None
    #: Names of the members that the phase waits for, and of those that it skips.
    waits_for: list[str]
    without: list[str]
    #: Number of members at the start that this agent has not heard of since it started.
    missing: int
    #: More than half of the members have come as far as the phase requires.
    majority: bool


class StragglerShown(msgspec.Struct, kw_only=True):
    """A sender that used a key removed here: it missed a rotation."""

    #: The member known at that address; empty: none.
    name: str
    address: str
    kid: str
    times: int
    ago: float


class Keys(msgspec.Struct, kw_only=True):
    """The keys of this agent, and what the members report about theirs."""

    node: str
    encrypted: bool
    file: str
    #: Why the file could not be read or written the last time; empty: it could.
    trouble: str
    #: Ids of the keys in use, the sending one first, and of those that were removed.
    keys: list[str]
    retired: list[str]
    rotation: Rotation | None
    members: list[KeyMember]
    stragglers: list[StragglerShown]


class AddBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A key, as in the file of keys."""

    kid: _Kid
    key: str


class ForceBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``force``: even if live members would be cut off."""

    force: bool = False


class RotateBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of a rotation."""

    #: Each host has the new key in its own file (for a key that leaked); only its id is gossiped.
    out_of_band: bool = False
    #: Out of band: its id; may be omitted if the file has only one other key.
    kid: _Kid | None = None
    #: Seconds that the old key is kept for members that are down.
    keep: _Keep = 3600.0


class WithoutBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Members to skip."""

    names: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)]


class Reloaded(msgspec.Struct, kw_only=True):
    """What reading the file again has changed, in words; empty: nothing."""

    changes: list[str]


def keys(state: State, call: Call) -> Keys:
    """Show the keys."""
    return _keys(state)


def _keys(state: State) -> Keys:
    found = state.agent.keys.status()
    rotation = found.rotation
    return Keys(
        node=found.node,
        encrypted=found.encrypted,
        file=found.file,
        trouble=found.trouble,
        keys=[kid.hex() for kid in found.keys],
        retired=[kid.hex() for kid in found.retired],
        rotation=None if rotation is None else _rotation(state, rotation),
        members=[
            KeyMember(
                name=member.name,
                live=member.live,
                holds=[kid.hex() for kid in member.holds],
                covered=member.covered,
            )
            for member in found.members
        ],
        stragglers=[
            StragglerShown(
                name=one.name,
                address=format_address(one.address),
                kid=one.kid.hex(),
                times=one.times,
                ago=state.ago(one.at),
            )
            for one in found.stragglers
        ],
    )


def _rotation(state: State, rotation: RotationStatus) -> Rotation:
    return Rotation(
        phase=rotation.phase,
        kid=rotation.kid.hex(),
        replaces=rotation.replaces.hex(),
        out_of_band=rotation.out_of_band,
        since_ago=state.ago(rotation.since),
        keep_left=rotation.keep_left,
        waits_for=list(rotation.waits_for),
        without=list(rotation.without),
        missing=rotation.missing,
        majority=rotation.majority,
    )


def _may_change(call: Call) -> None:
    if call.request.tcp:
        raise ProblemError(403, "keys are changed through the agent's Unix socket only")


async def add_key(state: State, call: Call) -> Keys:
    """Accept one more key."""
    _may_change(call)
    body = call.read(AddBody)
    try:
        secret = base64.b64decode(body.key, validate=True)
    except ValueError:
        raise KeyringError(f"the key of kid {body.kid} is not base64") from None
    await state.agent.keys.add(Key(bytes.fromhex(body.kid), secret))
    return _keys(state)


def _kid(call: Call) -> bytes:
    try:
        return bytes.fromhex(call.path["kid"])
    except ValueError:
        raise ProblemError(400, f"{call.path['kid']!r} is not a key id") from None


async def use_key(state: State, call: Call) -> Keys:
    """Send with another key, here only."""
    _may_change(call)
    await state.agent.keys.use(_kid(call), force=call.read(ForceBody).force)
    return _keys(state)


async def remove_key(state: State, call: Call) -> Keys:
    """Stop accepting a key, here only."""
    _may_change(call)
    await state.agent.keys.remove(_kid(call), force=call.read(ForceBody).force)
    return _keys(state)


def reload_keys(state: State, call: Call) -> Reloaded:
    """Read the file of keys again."""
    _may_change(call)
    return Reloaded(changes=state.agent.keys.reload())


async def rotate_keys(state: State, call: Call) -> Keys:
    """Begin to replace the sending key everywhere."""
    _may_change(call)
    body = call.read(RotateBody)
    own = state.agent.keys
    if body.out_of_band:
        await own.rotate_out_of_band(bytes.fromhex(body.kid or ""), keep=body.keep)
    elif body.kid is not None:
        raise ProblemError(400, "kid is only for a rotation out of band: else the key is made here")
    else:
        await own.rotate(keep=body.keep)
    return _keys(state)


async def leave_behind(state: State, call: Call) -> Keys:
    """Do not wait for some members in the rotation that is under way."""
    _may_change(call)
    await state.agent.keys.leave_behind(call.read(WithoutBody).names)
    return _keys(state)


async def cancel_rotation(state: State, call: Call) -> Keys:
    """Go back to the key that is being replaced."""
    _may_change(call)
    await state.agent.keys.cancel()
    return _keys(state)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/keys",
        handler=keys,
        summary="Ids of the keys of this agent and of all members, and how far a rotation is",
        answer=Keys,
    ),
    Endpoint(
        method="POST",
        path="/v1/keys",
        handler=add_key,
        summary="Receive with one more key, here only",
        answer=Keys,
        body=AddBody,
        problems=(403, 422),
    ),
    Endpoint(
        method="POST",
        path="/v1/keys/{kid}/use",
        handler=use_key,
        summary="Send with that key, here only",
        answer=Keys,
        body=ForceBody,
        problems=(403, 422),
    ),
    Endpoint(
        method="POST",
        path="/v1/keys/{kid}/remove",
        handler=remove_key,
        summary="Accept that key no longer, here only",
        answer=Keys,
        body=ForceBody,
        problems=(403, 422),
    ),
    Endpoint(
        method="POST",
        path="/v1/keys/reload",
        handler=reload_keys,
        summary="Read the file of keys again",
        answer=Reloaded,
        problems=(403, 422),
    ),
    Endpoint(
        method="POST",
        path="/v1/keys/rotation",
        handler=rotate_keys,
        summary="Begin to replace the key that sends, on all nodes",
        answer=Keys,
        body=RotateBody,
        problems=(403, 422),
    ),
    Endpoint(
        method="POST",
        path="/v1/keys/rotation/without",
        handler=leave_behind,
        summary="Do not wait for these members",
        answer=Keys,
        body=WithoutBody,
        problems=(403, 422),
    ),
    Endpoint(
        method="POST",
        path="/v1/keys/rotation/cancel",
        handler=cancel_rotation,
        summary="Go back to the key that is being replaced",
        answer=Keys,
        problems=(403, 422),
    ),
)
