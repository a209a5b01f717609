"""Server-sent events, from lines to values (the parts of the WHATWG format that the agent uses)."""

from __future__ import annotations

import json
from typing import Any

__all__ = ("EventReader",)


class EventReader:
    """Takes lines; gives an event at its end. ``last`` is the id to resume behind."""

    def __init__(self, last: str | None = None) -> None:
        self.last = last
        self._kind = ""
        self._data: list[str] = []

    def take(self, line: str) -> dict[str, Any] | None:
        """Take a line without its end; return the event that it completes, if it does."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                self._kind = value
            elif name == "data":
                self._data.append(value)
            elif name == "id":
                self.last = value
            return None
        kind, data = self._kind, "\n".join(self._data)
        self._kind, self._data = "", []
        if not data:
            return None
        event: dict[str, Any] = {"event": kind, **json.loads(data)}
        if kind == "hello":
            self.last = event["event_id"]
        return event
