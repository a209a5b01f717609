"""Events of the core as JSON objects, for programs."""

from __future__ import annotations

import dataclasses
from base64 import b64encode
from enum import IntEnum
from typing import Any

from gossipmm.addresses import format_address
from gossipmm.core.values.events import KINDS, Event
from gossipmm.core.values.user_events import UserEvent
from gossipmm.text.user_events import payload_text

__all__ = ("as_json",)

#: Fields with 64-bit numbers, which JavaScript would round (``previous`` only in some events).
_LARGE = frozenset({"generation", "previous"})
_NAMES = {kind: name for name, kind in KINDS.items()}


def as_json(event: Event) -> dict[str, Any]:
    """Return an event as plain values: its name as ``member_joined``, addresses as text.

    64-bit numbers are text as well; bytes are base64, a payload that is text beside it.
    """
    plain: dict[str, Any] = {"event": _NAMES[type(event)]}
    for field in dataclasses.fields(event):
        value = _plain(getattr(event, field.name))
        large = field.name in _LARGE and isinstance(value, int)
        plain[field.name] = str(value) if large else value
        if isinstance(event, UserEvent) and field.name == "payload":
            plain["payload_text"] = payload_text(event.payload)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, tuple):
        if len(value) == 2 and isinstance(value[1], int):
            return format_address(value)
        return [_plain(item) for item in value]
    return value
