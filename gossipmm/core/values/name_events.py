"""Events about who has a name: several processes, several keys, or one that says two things."""

from __future__ import annotations

from gossipmm.core.values.event import event
from gossipmm.core.values.types import Address, NodeId

__all__ = ("Equivocating", "IdentityConflict", "NameClaimed", "NameConflict")


@event
class NameConflict:
    """Two live processes use one name. ``ours`` is True at the older of the two."""

    at: float
    name: NodeId
    ours: bool
    older: tuple[Address, ...]
    newer: tuple[Address, ...]


@event
class NameClaimed:
    """Nobody answers at ``addresses`` for a later life of a live member, which stays."""

    at: float
    name: NodeId
    addresses: tuple[Address, ...]


@event
class IdentityConflict:
    """Somebody signs records of a name with another key than the one that this node holds for it.

    ``held`` are the addresses of the record held and ``key`` the id of its key; ``other`` and
    ``other_key`` are those of the record refused.
    """

    at: float
    name: NodeId
    held: tuple[Address, ...]
    key: str
    other: tuple[Address, ...]
    other_key: str


@event
class Equivocating:
    """A member signed two pages of one version: in no lookup until it begins another life.

    ``key`` is the id of its key, ``page`` the number of the page.
    """

    at: float
    name: NodeId
    key: str
    page: int
