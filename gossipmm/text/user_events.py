"""User events in words: what was sent, what did not come, and what is refused."""

from __future__ import annotations

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.user_events import UserEvent, UserEventsLost, UserEventsRefused
from gossipmm.text.durations import duration

__all__ = ("payload_text", "user_event", "user_events_lost", "user_events_refused")

#: Characters of a payload that a line shows.
_SHOWN = 60
_WHY = {
    Drop.EVENT_RATE: "it sends more than it may",
    Drop.EVENT_JUMP: "their numbers are far above the last one",
    Drop.BAD_EVENT: "they are not what an event has to be",
    Drop.UNSIGNED: "nobody signed them, and its name has a key",
    Drop.NO_CERTIFICATE: "its key is not known here, and all have to sign",
    Drop.BAD_SIGNATURE: "its key did not sign them: somebody else made them",
    Drop.OWN_EVENT: "this node did not send them: somebody else did in its name",
}


def payload_text(payload: bytes) -> str | None:
    """Return a payload as text; None: it is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def user_event(event: UserEvent, me: str) -> str:
    """Say which event came, its sender, and what is in it."""
    sender = "this node" if event.name == me else f"member {event.name}"
    said = f"event {event.event_name} from {sender}"
    if event.topic:
        said += f" to hosts of {event.topic}"
    if event.replayed:
        said += f", sent {duration(event.age)} ago"
    if not event.payload:
        return said
    text = payload_text(event.payload)
    if text is None or not text.isprintable():
        return f"{said}: {len(event.payload)} bytes"
    return f"{said}: {text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}"


def user_events_lost(event: UserEventsLost) -> str:
    """Say how many events of a member did not come."""
    if event.lost == 1:
        return f"event {event.first} of member {event.name} did not come in time: it is lost here"
    last = event.first + event.lost - 1
    return (
        f"events {event.first} to {last} of member {event.name} did not come in time: they are "
        "lost here"
    )


def user_events_refused(event: UserEventsRefused) -> str:
    """Say why events of a member are refused."""
    why = _WHY.get(event.reason, event.reason.value)
    return f"events of {event.name} are refused: {why} (said once in 60 s; counted in metrics)"
