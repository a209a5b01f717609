"""What a client's watch gives of user events: part of ``event_types``."""

from __future__ import annotations

from typing import Literal, TypedDict, final

__all__ = ("UserEventTold", "UserEventsLostTold", "UserEventsRefusedTold")


@final
class UserEventTold(TypedDict):
    """A program at member ``name`` sent an event. ``payload`` is base64."""

    event: Literal["user_event"]
    time: float
    text: str
    name: str
    event_name: str
    payload: str
    #: The payload as text; None: it is not UTF-8.
    payload_text: str | None
    topic: str
    number: int
    age: float
    replayed: bool


@final
class UserEventsLostTold(TypedDict):
    """So many user events of member ``name``, from number ``first`` on, did not come in time."""

    event: Literal["user_events_lost"]
    time: float
    text: str
    name: str
    first: int
    lost: int


@final
class UserEventsRefusedTold(TypedDict):
    """User events of member ``name`` are refused here; told once in a minute."""

    event: Literal["user_events_refused"]
    time: float
    text: str
    name: str
    reason: str
