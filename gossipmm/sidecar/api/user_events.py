"""The endpoint that sends user events; ``/v1/watch`` tells them."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from gossipmm.errors import UserEventError
from gossipmm.sidecar.api.schemas import Count
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.router import Call, Endpoint

__all__ = ("ENDPOINTS", "EventBody", "EventSent")


class EventBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A user event. Its payload is text, or in base64 whatever bytes there are."""

    name: str
    payload: str = ""
    payload_base64: str | None = None
    #: Only to members with a registration of it.
    topic: str | None = None
    #: Only to members whose own metadata has these values.
    metadata: dict[str, Any] = {}


class EventSent(msgspec.Struct, kw_only=True):
    """What was sent: its number among the events of this life of the node."""

    node: str
    number: Count


def send_event(state: State, call: Call) -> EventSent:
    """Send a user event to all live members."""
    body = call.read(EventBody)
    payload: bytes | str = body.payload
    if body.payload_base64 is not None:
        if body.payload:
            raise UserEventError("payload and payload_base64: give one of them")
        try:
            payload = base64.b64decode(body.payload_base64, validate=True)
        except (ValueError, binascii.Error) as exc:
            raise UserEventError(f"payload_base64 is not base64: {exc}") from None
    number = state.agent.send_event(body.name, payload, topic=body.topic, metadata=body.metadata)
    return EventSent(node=state.agent.name, number=number)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/events",
        handler=send_event,
        summary="Send a user event to all live members, once",
        answer=EventSent,
        body=EventBody,
        problems=(422, 429, 503),
    ),
)
