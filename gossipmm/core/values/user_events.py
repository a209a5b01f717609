"""User events: what programs tell all members through gossip, and what became of it."""

from __future__ import annotations

from typing import Final, NamedTuple

from gossipmm.core.values.event import event
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import NO_METADATA, Metadata, NodeId, Topic

__all__ = (
    "COUNTED",
    "EventText",
    "UserEvent",
    "UserEventStats",
    "UserEventsLost",
    "UserEventsRefused",
)

#: What is counted of user events, in the order of a report.
COUNTED: Final = (
    *("sent", "delivered", "filtered", "repeated", "lost", "refused", "over_budget", "forgotten"),
)


@event
class UserEvent:
    """A program at member ``name`` sent an event to all members; told once, in its order.

    ``number`` counts the events of this life of the sender from 1. ``payload`` has any bytes, at
    most 512. ``topic``: only members that have a registration of it are told; empty: all.
    ``age`` is how many seconds ago it was sent; ``replayed``: before this node began.
    """

    at: float
    name: NodeId
    event_name: str
    payload: bytes
    topic: Topic
    number: int
    age: float
    replayed: bool


@event
class UserEventsLost:
    """So many user events of member ``name``, from number ``first`` on, did not come in time."""

    at: float
    name: NodeId
    first: int
    lost: int


@event
class UserEventsRefused:
    """User events of member ``name`` are refused here, for ``reason``; told once in a minute."""

    at: float
    name: NodeId
    reason: Drop


class EventText(NamedTuple):
    """What the sender of a user event says in it, and signs."""

    #: The lowest number of its events that it still remembers.
    base: int
    name: str
    payload: bytes
    #: Only for members that have a registration of this topic; empty: all.
    topic: Topic = ""
    #: Only for members whose own metadata has these values.
    metadata: Metadata = NO_METADATA


class UserEventStats:
    """Counters of user events since the start, at one node."""

    __slots__ = COUNTED

    sent: int
    delivered: int
    filtered: int
    repeated: int
    lost: int
    refused: int
    over_budget: int
    forgotten: int

    def __init__(self) -> None:
        for name in COUNTED:
            setattr(self, name, 0)

    def as_dict(self) -> dict[str, int]:
        """Return everything as plain values, for JSON."""
        return {name: getattr(self, name) for name in COUNTED}
