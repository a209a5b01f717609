"""What a client's watch gives of refusals: part of ``event_types``."""

from __future__ import annotations

from typing import Literal, TypedDict, final

__all__ = (
    "DrainAskedTold",
    "EquivocatingTold",
    "GenerationAheadTold",
    "IdentityConflictTold",
    "NameClaimedTold",
    "NameConflictTold",
    "NotAdmittedTold",
)


@final
class NotAdmittedTold(TypedDict):
    """A member refuses this node, for want of room or for its clock (or has not for a minute)."""

    event: Literal["not_admitted"]
    time: float
    text: str
    active: bool
    source: str
    reason: str


@final
class DrainAskedTold(TypedDict):
    """Member ``name`` had this node drained, or put back; or was refused that (``refused``)."""

    event: Literal["drain_asked"]
    time: float
    text: str
    name: str
    topic: str
    host: str
    draining: bool
    changed: int
    refused: str


@final
class NameClaimedTold(TypedDict):
    """Nobody answers at ``addresses`` for a later life of a live member, which stays."""

    event: Literal["name_claimed"]
    time: float
    text: str
    name: str
    addresses: list[str]


@final
class GenerationAheadTold(TypedDict):
    """A life of a name begins ``ahead`` seconds in the future of this node's clock: refused."""

    event: Literal["generation_ahead"]
    time: float
    text: str
    name: str
    ahead: float
    source: str


@final
class NameConflictTold(TypedDict):
    """Two live processes use one name. ``ours`` is True at the older of the two."""

    event: Literal["name_conflict"]
    time: float
    text: str
    name: str
    ours: bool
    older: list[str]
    newer: list[str]


@final
class IdentityConflictTold(TypedDict):
    """Somebody signs records of a name with another key than the one held for it here."""

    event: Literal["identity_conflict"]
    time: float
    text: str
    name: str
    held: list[str]
    key: str
    other: list[str]
    other_key: str


@final
class EquivocatingTold(TypedDict):
    """A member signed two pages of one version: in no lookup until it begins another life."""

    event: Literal["equivocating"]
    time: float
    text: str
    name: str
    key: str
    page: int
