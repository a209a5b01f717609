"""The one door for names: which clusters, nodes, topics, hosts and metadata there may be.

Every face asks here, so that one mistake has one answer, whether a program, a command, a
configuration file or the control API made it. Standard library only: the clients need it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gossipmm.errors import LimitError, RegistrationError

__all__ = (
    "MAX_METADATA_ITEMS",
    "MAX_NAME",
    "checked_metadata",
    "is_name",
    "is_text",
    "why_not_host",
    "why_not_topic",
)

#: Bytes of a node's or cluster's name.
MAX_NAME: Final = 64
MAX_METADATA_ITEMS: Final = 64


def is_text(value: str) -> bool:
    """True for text without control characters (C0, DEL, C1) and lone surrogates."""
    return value.isprintable() or not any(
        ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in value
    )


def is_name(value: str) -> bool:
    """True for a node or cluster name: text of 1 to 64 bytes."""
    return bool(value) and is_text(value) and len(value.encode()) <= MAX_NAME


def why_not_topic(topic: str) -> str:
    """Reason why ``topic`` can not be registered; empty when it can."""
    if not topic:
        return "a topic is empty"
    if not is_text(topic):
        return f"topic {topic!r} has control characters or is not UTF-8"
    if "." in topic:
        return f"topic {topic!r} has a dot, which parts topic and host in a direct key"
    if "~" in topic:
        return f"topic {topic!r} has a '~', which ends the prefix of a fanout key"
    if topic == "fanout":
        return "the topic 'fanout' is reserved: 'fanout.x' and 'fanout~x' are fanout keys"
    return ""


def why_not_host(host: str) -> str:
    """Reason why ``host`` can not be registered; empty when it can."""
    if not host:
        return "a host is empty"
    if not is_text(host):
        return f"host {host!r} has control characters or is not UTF-8"
    return ""


def checked_metadata(of: str, metadata: Mapping[str, Any] | None) -> dict[str, str | int | bool]:
    """Copy metadata that may travel, sorted by key. Raises RegistrationError, LimitError."""
    items = dict(metadata or {})
    if len(items) > MAX_METADATA_ITEMS:
        raise LimitError(f"metadata of {of} has {len(items)} items, more than {MAX_METADATA_ITEMS}")
    for key, item in items.items():
        if not isinstance(key, str) or type(item) not in (str, int, bool):
            raise RegistrationError(
                f"metadata of {of}: {key!r}: {item!r} is not a string, integer or boolean"
            )
        if isinstance(item, int) and not -(1 << 63) <= item < 1 << 63:
            raise RegistrationError(f"metadata of {of}: {key!r}: {item} exceeds 64 bits")
        if not _is_encodable(key) or (isinstance(item, str) and not _is_encodable(item)):
            raise RegistrationError(f"metadata of {of}: {key!r} is not UTF-8")
    return dict(sorted(items.items()))


def _is_encodable(value: str) -> bool:
    """True when the text has no lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
