"""The text of a user event: what its sender says, as bytes that pass unchanged through all hands.

It is ``[base, name, payload, ? topic or null, ? metadata]``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import cbor2

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import NO_METADATA
from gossipmm.core.values.user_events import EventText
from gossipmm.core.wire.option_checks import is_number
from gossipmm.core.wire.strict import Refused, loads_untrusted
from gossipmm.names import MAX_EVENT, MAX_EVENT_PAYLOAD, why_not_event

__all__ = ("encode_event", "event_untrusted")

_BAD: Final = Drop.BAD_EVENT


def encode_event(text: EventText) -> bytes:
    """Return the bytes of a text."""
    fields: list[Any] = [text.base, text.name, text.payload]
    if text.topic or text.metadata:
        fields.append(text.topic or None)
    if text.metadata:
        fields.append(dict(text.metadata))
    return cbor2.dumps(fields)


def event_untrusted(raw: bytes) -> EventText:
    """Read a text from the network. Raises Refused, and nothing else, on any bytes [P166]."""
    if len(raw) > MAX_EVENT:
        raise Refused(_BAD)
    value = loads_untrusted(raw, _BAD)
    if type(value) is not list or len(value) < 3 or not is_number(value[0]):
        raise Refused(_BAD)
    name, payload = value[1], value[2]
    topic = value[3] if len(value) > 3 else None
    metadata = value[4] if len(value) > 4 else {}
    if type(payload) is not bytes or len(payload) > MAX_EVENT_PAYLOAD:
        raise Refused(_BAD)
    if topic is None:
        topic = ""
    if type(topic) is not str or type(metadata) is not dict or why_not_event(name, topic, metadata):
        raise Refused(_BAD)
    given = MappingProxyType(metadata) if metadata else NO_METADATA
    return EventText(value[0], name, payload, topic, given)
