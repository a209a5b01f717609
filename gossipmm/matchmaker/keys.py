"""The meaning of keys: one host of a topic, a given host, or all hosts of a topic.

    topic                one host of the topic (no dot)
    topic.host           that host; split at the first dot, so a host may have dots, a topic may not
    fanout~topic         all hosts of the topic; ``fanout.topic`` is the API page's spelling of it

In a fanout key the topic ends at the first dot after the prefix. So that no key is ambiguous, a
registered topic has no dot and no ``~``, and is not ``fanout`` (``gossipmm.names``).
"""

from __future__ import annotations

from gossipmm.errors import InvalidKeyError
from gossipmm.names import has_control_characters, why_not_string

#: What every queue key of a fanout result begins with.
FANOUT = "fanout~"
#: What a fanout key may begin with; both have the same length, which ``fanout_topic`` relies on.
FANOUT_PREFIXES = (FANOUT, "fanout.")


_EMPTY = frozenset(("", *FANOUT_PREFIXES))


def check_key(key: str) -> None:
    """Refuse what is not a key at all; takes about 0.1 us for an ordinary key.

    Raises InvalidKeyError for anything but a string, an empty one, one with control characters,
    and a fanout prefix without a topic.
    """
    # isprintable is one call in C; false for all control characters, and for some others.
    if type(key) is str and key not in _EMPTY and key.isprintable():
        return
    if reason := why_not_string("key", key):
        raise InvalidKeyError(reason)
    if not key:
        raise InvalidKeyError(
            "key must not be empty: write 'topic', 'topic.host' or 'fanout~topic'"
        )
    if has_control_characters(key):
        raise InvalidKeyError(f"key {key!r} contains control characters")
    if key in FANOUT_PREFIXES:
        raise InvalidKeyError(f"key {key!r} has no topic after its prefix")


def split_direct(key: str) -> tuple[str, str]:
    """Return ``topic.host`` as (topic, host). Raises InvalidKeyError when either is missing."""
    topic, _, host = key.partition(".")
    if not topic or not host:
        raise InvalidKeyError(f"key {key!r} is not of the form 'topic.host'")
    return topic, host


def fanout_topic(key: str) -> str:
    """Return the topic of a fanout key. Raises InvalidKeyError when there is none."""
    topic = key[len(FANOUT) :].partition(".")[0] if key.startswith(FANOUT_PREFIXES) else ""
    if not topic:
        raise InvalidKeyError(f"key {key!r} is not of the form 'fanout~topic'")
    return topic


def topic_of(key: str) -> str:
    """Return the topic that a key of any kind names.

    So that what ``queues`` returned can be handed back, as in
    ``report_failure(*queues("compute")[0])``.
    """
    check_key(key)
    if key.startswith(FANOUT_PREFIXES):
        return fanout_topic(key)
    if "." in key:
        return split_direct(key)[0]
    return key


def check_host(host: str) -> None:
    """Refuse a host that is not a string, such as the None of a stub exchange."""
    if reason := why_not_string("host", host):
        raise InvalidKeyError(reason)
