"""The meaning of keys: one host of a topic, a given host, or all hosts of a topic.

    topic                one host of the topic (no dot)
    topic.host           that host; split at the first dot, so a host may have dots, a topic may not
    fanout~topic         all hosts of the topic; ``fanout.topic`` is the API page's spelling of it

In a fanout key the topic ends at the first dot after the prefix. So that no key is ambiguous, a
registered topic has no dot and no ``~``, and is not ``fanout`` (``gossipmm.names``).
"""

from __future__ import annotations

from gossipmm.config_values import nearest
from gossipmm.errors import InvalidKeyError, RegistrationError
from gossipmm.names import (
    PREFERENCES,
    check_registration,
    has_control_characters,
    why_not_string,
)

#: What every queue key of a fanout result begins with.
FANOUT = "fanout~"
#: What a fanout key may begin with; both have the same length, which ``fanout_topic`` relies on.
FANOUT_PREFIXES = (FANOUT, "fanout.")


#: Keys that name no topic.
EMPTY_KEYS = frozenset(("", *FANOUT_PREFIXES))


def check_key(key: str) -> None:
    """Refuse what is not a key at all; takes about 0.1 us for an ordinary key.

    Raises InvalidKeyError for anything but a string, an empty one, one with control characters,
    and a fanout prefix without a topic.
    """
    # isprintable is one call in C; false for all control characters, and for some others.
    if type(key) is str and key not in EMPTY_KEYS and key.isprintable():
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


def check_preference(prefer: object) -> None:
    """Refuse what is not one of ``PREFERENCES``. Raises InvalidKeyError."""
    if prefer not in PREFERENCES:
        raise InvalidKeyError(
            f"prefer {prefer!r} is not {' or '.join(PREFERENCES)}{nearest(prefer, PREFERENCES)}"
        )


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


def registered_topic(key: str, host: str) -> str:
    """Return the topic under which a host is registered, whichever of its keys names that.

    A service of the classical RPC registers each key that it listens on: ``compute``,
    ``compute.HOST`` and ``fanout~compute`` are one registration. Raises RegistrationError for
    names that cannot be registered, and for a direct key of another host.
    """
    if not isinstance(key, str) or ("." not in key and "~" not in key):
        check_registration(key, host)
        return key
    try:
        topic = topic_of(key)
    except InvalidKeyError as exc:
        raise RegistrationError(str(exc)) from None
    check_registration(topic, host)
    fanout = key.startswith(FANOUT_PREFIXES)
    named = (key[len(FANOUT) :] if fanout else key).partition(".")[2]
    if named and named != host:
        check_registration(key, host)  # refuses it as a topic, as every other face does
    return topic


def without_topic(topic: str, host: str) -> str:
    """Return the host of ``topic.host``, as classical programs name one; empty for others."""
    start = len(topic) + 1
    return host[start:] if host.startswith(topic) and host[start - 1 : start] == "." else ""
