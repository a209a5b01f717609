"""Events of the core as JSON objects, for programs."""

from __future__ import annotations

import dataclasses
from enum import IntEnum
from typing import Any

from gossipmm.addresses import format_address
from gossipmm.core.values.events import KINDS, Event

__all__ = ("as_json",)

_NAMES = {kind: name for name, kind in KINDS.items()}


def as_json(event: Event) -> dict[str, Any]:
    """Return an event as plain values: its name as ``member_joined``, addresses as text."""
    fields = dataclasses.fields(event)
    return {
        "event": _NAMES[type(event)],
        **{field.name: _plain(getattr(event, field.name)) for field in fields},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, tuple):
        if len(value) == 2 and isinstance(value[1], int):
            return format_address(value)
        return [_plain(item) for item in value]
    return value
