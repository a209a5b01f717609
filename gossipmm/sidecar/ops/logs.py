"""Logs: text for people, one JSON object per line for programs; the core's events as records.

    logging.getLogger("gossipmm").addHandler(logs.handler(write_line, "json"))
    nursery.start_soon(logs.log_events, agent)

``gossipmm agent`` does this by itself, as ``log_format`` in its configuration says.

A JSON line has ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message`` and, where there was
one, ``exception``. The record of an event also has ``node`` (who logs), ``event`` (as in ``GET
/v1/watch``: ``member_died``) and that event's fields, under the same names as there. People's
queries use these names, so they are only ever added to (``tests/sidecar/test_logs.py``).

The library itself logs through ``logging.getLogger("gossipmm...")`` and prints nothing unless the
program that embeds it says where to.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gossipmm.agent.event_json import as_json
from gossipmm.core.values import events
from gossipmm.core.values.drained import DrainAsked
from gossipmm.core.values.events import Event
from gossipmm.core.values.user_events import UserEventsLost, UserEventsRefused
from gossipmm.errors import AgentClosedError, WatchOverflowError
from gossipmm.text.events import as_line
from gossipmm.text.terminal import printable

if TYPE_CHECKING:
    from gossipmm.agent import Agent

__all__ = (
    "EVENTS",
    "STYLES",
    "JsonFormatter",
    "LineHandler",
    "TextFormatter",
    "event_fields",
    "event_record",
    "fields_of",
    "formatter",
    "handler",
    "log_event",
    "log_events",
)

#: The logger of events; under ``gossipmm``, so that one level and one handler serve all.
EVENTS = "gossipmm.events"
#: Styles in which a log can be written.
STYLES = ("text", "json")
#: Attribute of a log record that holds further fields of a JSON line.
FIELDS = "gossipmm_fields"

#: Levels of events that are not INFO.
_LEVELS: dict[type, int] = {
    events.MemberDied: logging.WARNING,
    events.NameConflict: logging.ERROR,
    events.SourceDiffers: logging.WARNING,
    events.PathTrouble: logging.WARNING,
    events.RegistrationExpired: logging.WARNING,
    events.ServiceChanged: logging.WARNING,
    events.Isolated: logging.WARNING,
    events.SelfSlow: logging.WARNING,
    events.SelfImpaired: logging.WARNING,
    events.SelfSuspected: logging.WARNING,
    events.TableFull: logging.WARNING,
    events.NotAdmitted: logging.WARNING,
    events.NameClaimed: logging.WARNING,
    events.IdentityConflict: logging.ERROR,
    events.Equivocating: logging.ERROR,
    events.GenerationAhead: logging.WARNING,
    events.MemberCrashLooping: logging.WARNING,
    events.MemberImpaired: logging.WARNING,
    events.ForeignTraffic: logging.WARNING,
    events.KeyWanted: logging.WARNING,
    events.RotationUnordered: logging.WARNING,
    DrainAsked: logging.WARNING,
    UserEventsLost: logging.WARNING,
    UserEventsRefused: logging.WARNING,
}

_log = logging.getLogger(EVENTS)


async def log_events(agent: Agent, *, buffer: int = 16_384) -> None:
    """Log an agent's events until it ends. Start it in the agent's own Trio run."""
    with suppress(AgentClosedError):  # it may end with more events than the buffer holds
        while True:
            with agent.watch(buffer=buffer) as watch:
                try:
                    async for event in watch:
                        log_event(event, agent.name)
                except WatchOverflowError:
                    _log.warning("more than %d events at once: some were not logged", buffer)
                else:
                    return


def log_event(event: Event, node: str) -> None:
    """Log one event, as seen by ``node``."""
    level = _level(event)
    if _log.isEnabledFor(level) and (line := as_line(event, node)):
        fields = {"node": node, **event_fields(event)}
        _log.log(level, "%s", line, extra={FIELDS: fields})


def _level(event: Event) -> int:
    # The end of a warning is told as loudly as its beginning; a first start ends nothing.
    if isinstance(event, events.ServiceChanged) and event.before == "starting":
        return logging.INFO if event.state == "up" else logging.WARNING
    return _LEVELS.get(type(event), logging.INFO)


def event_record(event: Event, node: str) -> logging.LogRecord | None:
    """Return the record of an event, as seen by ``node``; None: it is not worth a line."""
    line = as_line(event, node)
    if not line:
        return None
    record = logging.LogRecord(EVENTS, _level(event), "", 0, "%s", (line,), None)
    setattr(record, FIELDS, {"node": node, **event_fields(event)})
    return record


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event's name and fields as a JSON line has them; its time is the line's."""
    fields = as_json(event)
    del fields["at"]
    return fields


def handler(write: Callable[[str], None], style: str = "text") -> logging.Handler:
    """Return a handler that writes each record as a line (without its end) by ``write``.

    ``write`` must not block: a stopped terminal would stop the gossip with it.
    """
    return LineHandler(write, formatter(style))


def formatter(style: str, *, dated: bool = True) -> logging.Formatter:
    """Return the formatter of a style; ``dated``: text has the date, not only the time of day."""
    return JsonFormatter() if style == "json" else TextFormatter(dated=dated)


class LineHandler(logging.Handler):
    """Hands each record, formatted, to a function that writes lines and never blocks."""

    def __init__(self, write: Callable[[str], None], formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a failure is reported on stderr and stops nobody."""
        try:
            self._write(self.format(record))
        except Exception:
            self.handleError(record)


class TextFormatter(logging.Formatter):
    """``13:19:00.123  warning: member b is dead: ...``; a traceback on further lines.

    With ``dated`` the date comes first, all of it in UTC. Text that others sent (names, topics) is
    escaped where it is not printable, so that nobody can write lines into the log.
    """

    def __init__(self, *, dated: bool = False) -> None:
        super().__init__()
        self._dated = dated

    def format(self, record: logging.LogRecord) -> str:
        """Return one record as text."""
        local = datetime.fromtimestamp(record.created)
        time = _time(record) if self._dated else f"{local:%H:%M:%S.%f}"[:-3]
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = f"{time}  {level}{printable(record.getMessage())}"
        trace = _trace(self, record)
        return f"{line}\n{trace}" if trace else line


class JsonFormatter(logging.Formatter):
    """One JSON object on one line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one record as JSON."""
        return json.dumps(fields_of(record), default=str)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return a record as a JSON line has it."""
    line: dict[str, Any] = {
        "time": _time(record),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    line.update(getattr(record, FIELDS, None) or {})
    trace = _trace(_PLAIN, record)
    if trace:
        line["exception"] = trace
    return line


#: Writes tracebacks.
_PLAIN = logging.Formatter()


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    return record.exc_text or ""
