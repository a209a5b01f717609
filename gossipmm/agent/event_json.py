"""Events of the core as JSON objects, for programs."""

from __future__ import annotations

import dataclasses
import re
from enum import IntEnum
from functools import cache
from typing import Any, get_args

from gossipmm.addresses import format_address
from gossipmm.core.values.events import Event

__all__ = ("KINDS", "as_json")


def as_json(event: Event) -> dict[str, Any]:
    """Return an event as plain values: its name as ``member_joined``, addresses as text."""
    fields = dataclasses.fields(event)
    return {
        "event": _kind(type(event).__name__),
        **{field.name: _plain(getattr(event, field.name)) for field in fields},
    }


@cache
def _kind(event: str) -> str:
    """Name of a kind of event: ``member_joined`` for ``MemberJoined``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event).lower()


#: The names of all kinds of events.
KINDS = frozenset(_kind(event.__name__) for event in get_args(Event))


def _plain(value: Any) -> Any:
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, tuple):
        if len(value) == 2 and isinstance(value[1], int):
            return format_address(value)
        return [_plain(item) for item in value]
    return value
