"""Messages between a program and the agent in its child process: one JSON object per line.

    {"id": 7, "call": "register", "args": ["compute", "host-a", null], "options": {"ttl": 30.0}}
    {"id": 7, "result": null}
    {"id": 8, "error": "RegistrationError", "message": "topic 'a.b' contains a dot ..."}

The first line a child reads is its configuration, as the call "open". Nothing here blocks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from gossipmm import errors
from gossipmm.config import Config
from gossipmm.config_tables import plain
from gossipmm.core.values.types import HostEntry, HostState, TopicView
from gossipmm.embed.plain import PipeError
from gossipmm.settings import load_config

__all__ = (
    "Lines",
    "PipeError",
    "config_from",
    "config_to",
    "dump",
    "error_from",
    "error_to",
    "view_from",
    "view_to",
)


class Lines:
    """Turns bytes into whole lines, decoded. An interrupted reader loses nothing.

    Raises PipeError for a line that is not an object with a number as its id.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self._buffer += data

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            yield _message(line)


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict) or type(message.get("id")) is not int:
        shown = line[:60].decode("ascii", "replace")
        raise PipeError(f"it said something that is not a JSON object with an id: {shown!r}")
    return message


def dump(message: Mapping[str, Any]) -> bytes:
    """Return a message as its line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def config_to(config: Config) -> dict[str, Any]:
    """Return a configuration as plain values."""
    return {field.name: plain(getattr(config, field.name)) for field in fields(Config)}


def config_from(values: Mapping[str, Any]) -> Config:
    """Build the configuration again, from these values alone. Raises ConfigError."""
    return load_config(environ={"GOSSIPMM_CONFIG": ""}, **values)


def view_to(view: TopicView) -> list[Any]:
    """Return a view as plain values."""
    entries = [
        [
            *(entry.host, int(entry.state), entry.nodes, dict(entry.metadata)),
            *(entry.since, entry.heard, entry.zone),
        ]
        for entry in view.entries.values()
    ]
    return [view.topic, list(view.picks), list(view.fanout), entries, view.stale, view.weighted]


def view_from(values: list[Any]) -> TopicView:
    """Build the view again. Raises PipeError."""
    try:
        topic, picks, fanout, entries, stale, weighted = values
        return TopicView(
            topic,
            tuple(picks),
            tuple(fanout),
            {
                host: HostEntry(topic, host, HostState(state), tuple(nodes), metadata, *more)
                for host, state, nodes, metadata, *more in entries
            },
            stale,
            weighted,
        )
    except (TypeError, ValueError) as exc:
        raise PipeError(
            f"the agent's process answered a topic that cannot be read: {exc}"
        ) from None


def error_to(exc: Exception) -> dict[str, Any]:
    """Return an error by name and message."""
    told: dict[str, Any] = {"error": type(exc).__name__, "message": str(exc)}
    if isinstance(exc, (errors.QueryRateError, errors.UserEventRateError)):
        told["retry_after"] = exc.retry_after
    return told


def error_from(message: Mapping[str, Any]) -> Exception:
    """Build the error again: one of ours by its own class, any other as RuntimeError."""
    name, text = message["error"], str(message.get("message", ""))
    if name in errors.__all__:
        error: Exception = getattr(errors, name)(text)
        if isinstance(error, (errors.QueryRateError, errors.UserEventRateError)):
            error.retry_after = float(message.get("retry_after", 1.0))
        return error
    return RuntimeError(f"in the agent's process: {name}: {text}")
