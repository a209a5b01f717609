"""Server-sent events, from lines to values (the parts of the WHATWG format that the agent uses)."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from gossipmm.client.asked import path, problem
from gossipmm.client.http11 import AnswerReader, request
from gossipmm.errors import ControlError

if TYPE_CHECKING:
    from gossipmm.client.event_types import LogLine, WatchedEvent

__all__ = ("EventReader", "Following", "Monitoring")


#: What every line of a log has.
_OF_A_LINE = {"time", "level", "logger", "message"}
#: Seconds between tries to reach an agent again, doubling.
_AGAIN, _AGAIN_MOST = 0.2, 5.0


_T = TypeVar("_T")


class _Stream(ABC, Generic[_T]):
    """A stream of server-sent events, without any input or output."""

    #: The agent sends a comment every 15 s: silence for so many seconds means that it is gone.
    SILENCE = 45.0

    def __init__(self) -> None:
        self._answer = AnswerReader()
        self._rest = b""
        self._pause = _AGAIN

    @abstractmethod
    def _target(self) -> str:
        """Return what to ask for on a new connection."""

    @abstractmethod
    def _take(self, line: bytes) -> _T | None:
        """Take a line; return what it completes, if it does. Raises ControlError."""

    def request(self) -> bytes:
        """Return what to send on a new connection."""
        self._answer, self._rest = AnswerReader(), b""
        return request("GET", self._target(), None)

    def feed(self, data: bytes) -> Iterator[_T]:
        """Take what was received; yields what is in it. Raises ControlError."""
        self._answer.feed(data)
        for part in self._answer.body():
            self._rest += part
            if self._answer.status == 200:
                *lines, self._rest = self._rest.split(b"\n")
                for line in lines:
                    event = self._take(line)
                    if event is not None:
                        self._pause = _AGAIN
                        yield event
        if self.over and self._answer.status != 200:
            try:
                value = json.loads(self._rest)
            except (ValueError, RecursionError):
                value = None  # the status says what there is to say
            error, _ = problem(self._answer.status, value)
            raise error

    @property
    def over(self) -> bool:
        """True once this connection brings no more."""
        return self._answer.complete

    def pause(self) -> float:
        """Return how many seconds to wait before the next connection."""
        now, self._pause = self._pause, min(2 * self._pause, _AGAIN_MOST)
        return now


class Following(_Stream["WatchedEvent"]):
    """A watch, over as many connections as it takes; each goes on behind the last event."""

    def __init__(
        self,
        kinds: Collection[str],
        topics: Collection[str],
        members: Collection[str],
        since: str | None,
    ) -> None:
        super().__init__()
        chosen = {"kind": kinds, "topic": topics, "member": members}
        self._query = {name: ",".join(values) for name, values in chosen.items() if values}
        self._reader = EventReader(since)

    def _target(self) -> str:
        return path("watch", **self._query, since=self._reader.last)

    def _take(self, line: bytes) -> WatchedEvent | None:
        return self._reader.take(line)


class Monitoring(_Stream["LogLine"]):
    """The lines of an agent's log, over one connection."""

    def __init__(self, level: str) -> None:
        super().__init__()
        self._level = level

    def _target(self) -> str:
        return path("monitor", level=self._level)

    def _take(self, line: bytes) -> LogLine | None:
        """Each line of the log is one line of data here."""
        if not line.startswith(b"data:"):
            return None
        try:
            value = json.loads(line[5:])
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict) or not value.keys() >= _OF_A_LINE:
            raise ControlError(
                f"what answers there is not an agent: {line[:80]!r} is not a line of a log"
            )
        return cast("LogLine", value)


class EventReader:
    """Takes lines; gives an event at its end. ``last`` is the id to resume behind."""

    def __init__(self, last: str | None = None) -> None:
        self.last = last
        self._kind = ""
        self._data: list[str] = []

    def take(self, data: bytes) -> WatchedEvent | None:
        """Take a line without its end; return the event that it completes, if it does.

        Raises ControlError for what no agent says.
        """
        try:
            return self._take(data.decode())
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ControlError(
                f"what answers there is not an agent: no event can be made of {data[:80]!r}"
            ) from None

    def _take(self, line: str) -> WatchedEvent | None:
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
            last = event["event_id"]
            if not isinstance(last, str):
                raise TypeError  # it would be asked for when the watch goes on
            self.last = last
        return cast("WatchedEvent", event)
