"""The calls of the control API, as values: what to send, and how to read what comes back.

Both clients carry these out; nothing here does input or output. Answers are the JSON objects that
the OpenAPI document describes (``GET /v1/openapi.json``), as plain dictionaries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from gossipmm.errors import (
    AgentClosedError,
    ControlError,
    GossipError,
    InvalidKeyError,
    KeyringError,
    LimitError,
    RegistrationError,
    SeedError,
)
from gossipmm.names import check_registration, checked_metadata

__all__ = ("Asked",)

_T = TypeVar("_T")

_PREFIX = "urn:gossipmm:"
#: Problems that are raised as the errors that an agent in this process would raise.
_ERRORS: Mapping[str, type[GossipError]] = {
    "invalid-key": InvalidKeyError,
    "invalid-seed": SeedError,
    "keyring-refused": KeyringError,
    "leaving": AgentClosedError,
    "limit": LimitError,
    "registration-refused": RegistrationError,
}
#: Seconds that a waiting call may take beyond the agent's own limit.
_SLACK = 5.0
#: The longest ``leave_timeout`` there is.
_LEAVE = 60.0


class Asked(NamedTuple, Generic[_T]):
    """One call. ``patience``: seconds that it may take beyond the client's timeout."""

    method: str
    target: str
    read: Callable[[int, Any], _T]
    body: Any = None
    patience: float = 0.0

    def encoded(self) -> bytes | None:
        """Return the body as JSON."""
        return None if self.body is None else json.dumps(self.body).encode()

    def answer(self, status: int, data: bytes) -> _T:
        """Read the answer; raises what the agent said was wrong."""
        try:
            value = json.loads(data) if data else None
        except ValueError:
            raise ControlError(f"the answer to {self.target} is not JSON", status=status) from None
        return self.read(status, value)


def _raise(status: int, value: Any) -> None:
    if status < 400:
        return
    problem = value if isinstance(value, dict) else {}
    kind = str(problem.get("type", "")).removeprefix(_PREFIX)
    words = str(problem.get("detail") or problem.get("title") or f"status {status}")
    if kind in _ERRORS:
        raise _ERRORS[kind](words)
    raise ControlError(words, status=status, kind=kind)


def _whole(status: int, value: Any) -> Any:
    _raise(status, value)
    return value


def _found(status: int, value: Any) -> bool:
    """Return False for a registration that does not exist: an answer, not an error."""
    if status == 404:
        return False
    _raise(status, value)
    return True


def _path(*parts: str) -> str:
    """Build a path; whatever a part contains, a slash included, stays within that part."""
    # Proxies would take a part of dots alone for a step in the folder tree.
    quoted = (quote(part, safe="~") if part.strip(".") else "%2E" * len(part) for part in parts)
    return "/v1/" + "/".join(quoted)


def get(*parts: str, **query: str | None) -> Asked[Any]:
    """Ask for the object at a path."""
    given = {name: value for name, value in query.items() if value is not None}
    target = _path(*parts) + (f"?{urlencode(given)}" if given else "")
    return Asked("GET", target, _whole)


def queues(key: str, routing_key: str | None) -> Asked[list[tuple[str, str | None]]]:
    """Ask for the hosts of a key."""

    def read(status: int, value: Any) -> list[tuple[str, str | None]]:
        _raise(status, value)
        return [(queue, host) for queue, host in value["queues"]]

    return Asked("GET", get("queues", key, routing_key=routing_key).target, read)


def listed(what: str) -> Asked[list[dict[str, Any]]]:
    """Ask for a list: members, topics, registrations."""

    def read(status: int, value: Any) -> list[dict[str, Any]]:
        _raise(status, value)
        return list(value[what])

    return Asked("GET", _path(what), read)


def config() -> Asked[dict[str, Any]]:
    """Ask for the configuration in use."""

    def read(status: int, value: Any) -> dict[str, Any]:
        _raise(status, value)
        return {setting["name"]: setting["value"] for setting in value["settings"]}

    return Asked("GET", _path("config"), read)


def register(
    topic: str,
    host: str,
    metadata: Mapping[str, Any] | None,
    ttl: float | None,
    draining: bool,
) -> Asked[dict[str, Any]]:
    """Register, or renew. Raises RegistrationError for what the agent would refuse."""
    check_registration(topic, host)
    body = {"metadata": checked_metadata(repr(topic), metadata), "ttl": ttl, "draining": draining}
    return Asked("PUT", _path("registrations", topic, host), _whole, body)


def unregister(topic: str, host: str) -> Asked[bool]:
    """End a registration."""
    return Asked("DELETE", _path("registrations", topic, host), _found)


def said(topic: str, host: str, what: str) -> Asked[bool]:
    """Say something of a registration: ack, failure, expire."""
    return Asked("POST", _path("registrations", topic, host, what), _found)


def drain(topic: str | None, host: str | None, draining: bool) -> Asked[int]:
    """Drain a registration, or with neither the node."""

    def read(status: int, value: Any) -> int:
        _raise(status, value)
        return int(value["changed"])

    if (topic is None) != (host is None):
        raise RegistrationError("drain takes a topic and its host, or neither for the whole node")
    path = _path("drain") if topic is None else _path("registrations", topic, host or "", "drain")
    return Asked("POST", path, read, {"draining": draining})


def forget(name: str) -> Asked[None]:
    """Forget a dead member."""
    return Asked("DELETE", _path("members", name), _whole)


def join(seeds: tuple[str, ...], wait: float) -> Asked[dict[str, Any]]:
    """Add seeds."""
    body = {"seeds": list(seeds), "wait": wait}
    return Asked("POST", _path("join"), _whole, body, wait + _SLACK)


def leave() -> Asked[dict[str, Any]]:
    """Leave, and end the agent."""
    return Asked("POST", _path("leave"), _whole, None, _LEAVE + _SLACK)


def set_log_level(level: str) -> Asked[Any]:
    """Change the level of the log."""
    return Asked("PUT", _path("log-level"), _whole, {"level": level})


def watch(
    kinds: tuple[str, ...], topics: tuple[str, ...], members: tuple[str, ...]
) -> dict[str, str]:
    """Return the query of a watch."""
    chosen = {"kind": kinds, "topic": topics, "member": members}
    return {name: ",".join(values) for name, values in chosen.items() if values}
