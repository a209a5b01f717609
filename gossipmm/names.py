"""The rules for names, in one place: of clusters, nodes, topics, hosts and metadata.

Every face asks here, so that one mistake gets one answer, whether a program, a command, a
configuration file or the control API made it. Standard library only: the clients need it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final

from gossipmm.errors import LimitError, RegistrationError, UserEventError

__all__ = (
    "DEFAULT_WEIGHT",
    "MAX_EVENT",
    "MAX_EVENT_PAYLOAD",
    "MAX_METADATA_ITEMS",
    "MAX_NAME",
    "MAX_WEIGHT",
    "OWN_QUERIES",
    "PREFERENCES",
    "changed_metadata",
    "check_event",
    "check_registration",
    "check_ttl",
    "check_weight",
    "checked_metadata",
    "has_control_characters",
    "is_name",
    "is_text",
    "weight_of",
    "why_not_event",
    "why_not_host",
    "why_not_name",
    "why_not_scalar",
    "why_not_string",
    "why_not_topic",
    "why_not_weight",
    "zone_of",
)

#: Bytes of a node's or cluster's name.
MAX_NAME: Final = 64
MAX_METADATA_ITEMS: Final = 64
#: Bytes of the payload of a user event, and of all that its sender says in it: it has to fit into
#: one datagram. Serf allows 512 bytes for name and payload together.
MAX_EVENT_PAYLOAD: Final = 512
MAX_EVENT: Final = 800
#: What a registration without metadata ``weight`` has, and the highest. DNS has 16 bits for one,
#: Consul 16 as well; a million leaves room for shares that are worked out.
DEFAULT_WEIGHT: Final = 100
MAX_WEIGHT: Final = 1_000_000
#: What ``prefer`` can be: any live host in turn, those of this node's own zone first, or those that
#: are estimated to be nearest.
PREFERENCES: Final = ("none", "zone", "near")

#: Queries that every node answers itself: which members it cannot reach, how it is, its version.
OWN_QUERIES: Final = ("ping", "health", "version")


# -- text ----------------------------------------------------------------------------------


def has_control_characters(value: str) -> bool:
    """Return whether the text has a C0 or C1 control character, or DEL."""
    return any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in value)


def is_text(value: str) -> bool:
    """True for text without control characters (C0, DEL, C1) and lone surrogates."""
    # isprintable is one call in C; false for all of these, and for some others.
    return value.isprintable() or (not has_control_characters(value) and _is_utf8(value))


def is_name(value: str) -> bool:
    """True for a node or cluster name: text of 1 to 64 bytes."""
    return bool(value) and is_text(value) and len(value.encode()) <= MAX_NAME


def _is_utf8(value: str) -> bool:
    """True when the text has no lone surrogate."""
    return not any(0xD800 <= ord(char) < 0xE000 for char in value)


# -- why not: a sentence; empty when it is allowed --------------------------------------------


def why_not_string(what: str, value: object) -> str:
    """Say why ``value`` cannot be ``what``: it is not even a string."""
    if isinstance(value, str):
        return ""
    return f"{what} must be a string, not {type(value).__name__}: {value!r}"


def why_not_name(what: str, value: object) -> str:
    """Say why ``value`` cannot name a node or cluster; ``what`` is "node name", for example."""
    if reason := _why_not_text(what, value):
        return reason
    size = len(str(value).encode())
    if size > MAX_NAME:
        return f"{what} {value!r} takes {size} bytes, more than the {MAX_NAME} allowed"
    return ""


def why_not_topic(topic: object) -> str:
    """Say why ``topic`` cannot be registered."""
    if reason := _why_not_text("topic", topic):
        return reason
    assert isinstance(topic, str)
    if "." in topic:
        return f"topic {topic!r} contains a dot, which separates topic from host in a direct key"
    if "~" in topic:
        return f"topic {topic!r} contains '~', which ends the prefix of a fanout key"
    if topic == "fanout":
        return "topic 'fanout' is reserved: 'fanout.x' and 'fanout~x' are fanout keys"
    return ""


def why_not_host(host: object) -> str:
    """Say why ``host`` cannot be registered."""
    return _why_not_text("host", host)


def why_not_scalar(value: object) -> str:
    """Say why ``value`` cannot be a value of metadata: as text, for whoever names the key."""
    if type(value) not in (str, int, bool):
        return f"{value!r} is not a string, an integer or a boolean"
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return f"{value} does not fit into 64 bits"
    return _why_not_plain(value) if isinstance(value, str) else ""


def _why_not_plain(value: str) -> str:
    """Say why a string that may be empty cannot travel."""
    if has_control_characters(value):
        return f"{value!r} contains control characters"
    return "" if _is_utf8(value) else f"{value!r} is not valid UTF-8 text"


def _why_not_text(what: str, value: object) -> str:
    if not isinstance(value, str):
        return why_not_string(what, value)
    if not value:
        return f"{what} must not be empty"
    if value.isprintable():
        return ""
    reason = _why_not_plain(value)
    return f"{what} {reason}" if reason else ""


def why_not_event(name: object, topic: str, metadata: Mapping[Any, Any]) -> str:
    """Say why a user event cannot have that name, or be meant for those members."""
    if reason := why_not_name("event name", name):
        return reason
    if topic and (reason := why_not_topic(topic)):
        return reason
    for key, value in metadata.items():
        if reason := _why_not_text("key of metadata", key) or why_not_scalar(value):
            return f"an event for members with metadata {key!r}: {reason}"
    return ""


# -- metadata that picks go by ---------------------------------------------------------------


def why_not_weight(value: object) -> str:
    """Say why ``value`` cannot be the weight of a registration; digits as text are a number."""
    if _weight(value) is not None:
        return ""
    return f"weight {value!r} is not a whole number from 0 to {MAX_WEIGHT:,}"


def _weight(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:8])
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_WEIGHT:
        return value
    return None


def weight_of(metadata: Mapping[str, str | int | bool]) -> int:
    """Return the weight that metadata of a registration gives; without a usable one the default.

    Other members may run versions that let any value in.
    """
    value = metadata.get("weight")
    if value is None:
        return DEFAULT_WEIGHT
    weight = _weight(value)
    return DEFAULT_WEIGHT if weight is None else weight


def zone_of(
    own: Mapping[str, str | int | bool], node: Mapping[str, str | int | bool] | None = None
) -> str:
    """Return the zone that metadata names, else that of the node's; empty: none."""
    value = own.get("zone")
    if value is None and node is not None:
        value = node.get("zone")
    return "" if value is None else str(value)


# -- checks --------------------------------------------------------------------------------


def check_weight(of: str, metadata: Mapping[str, str | int | bool]) -> None:
    """Refuse a weight that no pick could go by; ``of`` says whose. Raises RegistrationError."""
    if "weight" in metadata and (reason := why_not_weight(metadata["weight"])):
        raise RegistrationError(f"metadata of {of}: {reason}")


def check_event(
    name: object, payload: object, topic: object, metadata: object
) -> tuple[bytes, dict[str, str | int | bool]]:
    """Refuse a user event that nobody could be told; return its payload and metadata.

    A payload that is text travels as UTF-8. Raises UserEventError.
    """
    if isinstance(payload, str):
        payload = payload.encode(errors="surrogateescape")
    if not isinstance(payload, bytes):
        kind = type(payload).__name__
        raise UserEventError(f"the payload of an event must be bytes or text, not {kind}")
    if len(payload) > MAX_EVENT_PAYLOAD:
        raise UserEventError(
            f"the payload has {len(payload)} bytes, more than the {MAX_EVENT_PAYLOAD} allowed"
        )
    if topic is not None and not isinstance(topic, str):
        raise UserEventError(why_not_string("topic", topic))
    if metadata is not None and not isinstance(metadata, Mapping):
        kind = type(metadata).__name__
        raise UserEventError(f"the metadata of an event must be a map, not {kind}: {metadata!r}")
    chosen: dict[str, str | int | bool] = dict(metadata or {})
    if topic == "":
        raise UserEventError("topic must not be empty: leave it out to tell all members")
    if reason := why_not_event(name, topic or "", chosen):
        raise UserEventError(reason)
    return payload, chosen


def check_registration(topic: object, host: object) -> None:
    """Refuse a topic or host that no key could name. Raises RegistrationError."""
    if reason := why_not_topic(topic) or why_not_host(host):
        raise RegistrationError(reason)


def check_ttl(ttl: object) -> None:
    """Refuse a time to live that is not a number of seconds; None is none.

    Raises RegistrationError.
    """
    if ttl is None:
        return
    if not isinstance(ttl, (int, float)) or isinstance(ttl, bool) or not 0 < ttl < inf:
        raise RegistrationError(f"ttl must be a finite number of seconds above 0, not {ttl!r}")


def checked_metadata(of: str, metadata: object) -> dict[str, str | int | bool]:
    """Copy metadata that may travel, sorted by key; None is none.

    ``of`` says whose it is, for the error. Raises RegistrationError, LimitError.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        kind = type(metadata).__name__
        raise RegistrationError(f"metadata of {of} must be a map, not {kind}: {metadata!r}")
    items: dict[Any, Any] = dict(metadata)
    if len(items) > MAX_METADATA_ITEMS:
        raise LimitError(
            f"metadata of {of} has {len(items)} items, more than the {MAX_METADATA_ITEMS} allowed"
        )
    for key, item in items.items():
        if reason := why_not_string("key", key):
            raise RegistrationError(f"metadata of {of}: {reason}")
        if reason := _why_not_plain(key):
            raise RegistrationError(f"metadata of {of}: key {reason}")
        if reason := why_not_scalar(item):
            raise RegistrationError(f"metadata of {of}: {key!r}: {reason}")
    return dict(sorted(items.items()))


def changed_metadata(
    of: str, before: Mapping[str, str | int | bool], changes: object
) -> dict[str, str | int | bool]:
    """Return metadata with changes to it; a value of None ends its key.

    Raises RegistrationError, LimitError.
    """
    if not isinstance(changes, Mapping):
        kind = type(changes).__name__
        raise RegistrationError(f"changes of metadata of {of} must be a map, not {kind}")
    given = checked_metadata(of, {key: item for key, item in changes.items() if item is not None})
    kept = {key: item for key, item in before.items() if key not in changes}
    return checked_metadata(of, {**kept, **given})
