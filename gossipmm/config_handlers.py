"""Programs of a configuration: ``[[on]]``, which run when something happens, and ``[[query]]``.

[[on]]
event = ["host_changed"]
topic = ["web"]
run = ["/usr/local/bin/reload-proxy"]

[[query]]
name = "uptime"
run = ["/usr/bin/uptime"]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gossipmm.config_tables import (
    Reader,
    as_table,
    between,
    fields_of,
    refuse,
    tables,
    text,
    texts,
    whole,
)
from gossipmm.config_values import Given
from gossipmm.names import OWN_QUERIES, why_not_name

__all__ = ("Handler", "QueryHandler", "handlers", "query_handlers")


class Handler(NamedTuple):
    """A program, and the events that it is told. Lists may hold ``*``, as in names of files."""

    #: The program and its arguments; no shell.
    run: tuple[str, ...] = ()
    #: Kinds of events, as ``gossipmm watch`` shows them; empty: all.
    event: tuple[str, ...] = ()
    #: Only events of these topics, or of these members; empty: all.
    topic: tuple[str, ...] = ()
    member: tuple[str, ...] = ()
    #: Only changes of a host to these states (``gone``: to none at all); empty: all.
    state: tuple[str, ...] = ()
    #: Only user events of these names (``gossipmm event send NAME``); empty: all.
    user_event: tuple[str, ...] = ()
    #: Shown in logs; empty: the program's name.
    name: str = ""
    #: It runs once nothing more came for so many seconds, and at the latest ``within`` so many: a
    #: rack that comes back is one run. Serf waits for 1 and 3.
    quiet: float = 1.0
    within: float = 5.0
    #: Seconds that a run may take.
    timeout: float = 30.0
    #: How often a run that failed is tried again, with the same events.
    retry: int = 0

    def as_table(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a file has it."""
        return as_table(self, self._field_defaults)

    @property
    def label(self) -> str:
        """What it is called in logs."""
        return self.name or self.run[0].rpartition("/")[2]


def handlers(given: Given) -> tuple[Handler, ...]:
    """Read all handlers. Raises ConfigError."""
    return tuple(map(_handler, tables(given, "on")))


def _handler(given: Given) -> Handler:
    found = fields_of(given, _HANDLER)
    if "run" not in found:
        raise refuse(given, 'does not say what runs: give it run = ["/path/of/program"]')
    handler = Handler(**found)
    if handler.quiet > handler.within:
        why = f"quiet {handler.quiet:g} is more than within {handler.within:g}"
        raise refuse(given, why)
    return handler


class QueryHandler(NamedTuple):
    """A program that answers queries of a name with what it prints."""

    #: The name of the queries, and the program with its arguments; no shell.
    name: str = ""
    run: tuple[str, ...] = ()
    #: Seconds that a run may take; the end of the query ends it as well.
    timeout: float = 10.0

    def as_table(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a file has it."""
        return as_table(self, self._field_defaults)


def query_handlers(given: Given) -> tuple[QueryHandler, ...]:
    """Read all programs that answer queries. Raises ConfigError."""
    found = tuple(map(_query_handler, tables(given, "query")))
    for number, one in enumerate(found):
        if any(other.name == one.name for other in found[:number]):
            raise refuse(given, f"two programs answer query {one.name!r}: one has to do it")
    return found


def _query_handler(given: Given) -> QueryHandler:
    found = fields_of(given, _QUERY)
    for field, example in (("name", '"uptime"'), ("run", '["/usr/bin/uptime"]')):
        if field not in found:
            raise refuse(given, f"does not say its {field}: give it {field} = {example}")
    handler = QueryHandler(**found)
    if reason := why_not_name("name of a query", handler.name):
        raise refuse(given, reason)
    if handler.name in OWN_QUERIES:
        raise refuse(given, f"query {handler.name!r} is answered by every node itself")
    return handler


def _program(given: Given) -> tuple[str, ...]:
    if isinstance(given.value, str):
        raise refuse(given, f'is a list, not a line for a shell: write ["{given.value}"]')
    found = texts(given)
    if not found[0].startswith("/"):
        # It is looked up in no PATH: whose that is depends on how the agent was started.
        raise refuse(given, f"{found[0]!r} is not a path from the root, such as /usr/bin/logger")
    if any("\0" in item for item in found):
        raise refuse(given, "has a zero byte")
    return found


def _patterns(given: Given) -> tuple[str, ...]:
    if isinstance(given.value, str):
        return (text(given),)
    return texts(given)


_HANDLER: Mapping[str, Reader] = {
    "run": _program,
    "event": _patterns,
    "topic": _patterns,
    "member": _patterns,
    "state": _patterns,
    "user_event": _patterns,
    "name": text,
    "quiet": between(0.0, 3600.0),
    "within": between(0.0, 3600.0),
    "timeout": between(0.1, 3600.0),
    "retry": whole(0, 100),
}
_QUERY: Mapping[str, Reader] = {
    "name": text,
    "run": _program,
    "timeout": between(0.1, 60.0),
}
