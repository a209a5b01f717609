"""Events about the keys of gossip: this node's own, and rotations of them."""

from __future__ import annotations

from gossipmm.core.values.event import event
from gossipmm.core.values.types import NodeId

__all__ = ("KeyRotation", "KeyWanted", "KeysChanged", "RotationUnordered")


@event
class KeysChanged:
    """This node's keys, or its part in a rotation, changed: the shell has to write them.

    Ids (hex) only: the keys themselves are in ``Node.keys.ring``.
    """

    at: float
    sending: str
    held: tuple[str, ...]
    retired: tuple[str, ...]


@event
class KeyWanted:
    """A rotation out of band needs the key of this id from this node's own file."""

    at: float
    kid: str


@event
class RotationUnordered:
    """Members tell of a rotation of keys that the authority has not ordered, or no longer do.

    It does not begin here. ``by``: some of those that tell of it. ``order``: the word with which
    the authority would order it.
    """

    at: float
    active: bool
    kid: str
    by: tuple[NodeId, ...]
    order: str


@event
class KeyRotation:
    """A rotation of keys begins a phase here: ``add``, ``use`` or ``done``.

    ``missing``: members that had not come as far when this node ended the previous phase; they need
    the new key by hand. Empty where another node ended it.
    """

    at: float
    phase: str
    kid: str
    replaces: str
    out_of_band: bool
    missing: tuple[NodeId, ...]
