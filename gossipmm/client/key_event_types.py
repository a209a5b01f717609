"""What a client's watch gives of the keys of gossip: part of ``event_types``."""

from __future__ import annotations

from typing import Literal, TypedDict, final

__all__ = ("KeyRotationTold", "KeyWantedTold", "KeysChangedTold", "RotationUnorderedTold")


@final
class KeysChangedTold(TypedDict):
    """This node's keys, or its part in a rotation, changed: the shell has to write them."""

    event: Literal["keys_changed"]
    time: float
    text: str
    sending: str
    held: list[str]
    retired: list[str]


@final
class KeyWantedTold(TypedDict):
    """A rotation out of band needs the key of this id from this node's own file."""

    event: Literal["key_wanted"]
    time: float
    text: str
    kid: str


@final
class RotationUnorderedTold(TypedDict):
    """Members tell of a rotation of keys that the authority has not ordered, or no longer do."""

    event: Literal["rotation_unordered"]
    time: float
    text: str
    active: bool
    kid: str
    by: list[str]
    order: str


@final
class KeyRotationTold(TypedDict):
    """A rotation of keys begins a phase here: ``add``, ``use`` or ``done``."""

    event: Literal["key_rotation"]
    time: float
    text: str
    phase: str
    kid: str
    replaces: str
    out_of_band: bool
    missing: list[str]
