"""``[[on]]``: programs that run when something happens, coalesced and bounded.

Serf runs its handlers in the loop that gossips: one that hangs stops everything. These are tasks of
their own: each runs once at a time and collects what happens meanwhile, and few run at once.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, Final

import trio

from gossipmm.config_handlers import Handler
from gossipmm.config_values import nearest
from gossipmm.core.values.events import KINDS, Event
from gossipmm.core.values.types import HostState
from gossipmm.core.values.user_events import UserEvent
from gossipmm.errors import ConfigError
from gossipmm.services import programs
from gossipmm.services.output import tail

__all__ = ("RESULTS", "Handlers", "check_handlers")

#: Handlers that run at once.
_AT_ONCE: Final = 4
#: What one run is told, at most; what does not fit is counted.
_EVENTS: Final = 256
_BYTES: Final = 262_144
#: Seconds before the first of several tries, and at most; doubled each time.
_AGAIN, _AGAIN_MAX = 1.0, 60.0
#: How a run ends.
RESULTS: Final = ("ok", "failed", "timeout")
#: Words for the states of hosts, and of services, that a filter may name.
_STATES = frozenset({"gone", "up", "removed", *(state.label for state in HostState)})

_log = logging.getLogger(__name__)
_NAMES = {kind: name for name, kind in KINDS.items()}


def check_handlers(handlers: Iterable[Handler]) -> None:
    """Refuse kinds of events and states that there are not. Raises ConfigError."""
    for number, handler in enumerate(handlers):
        for field, given, known in (
            ("event", handler.event, KINDS),
            ("state", handler.state, _STATES),
        ):
            for pattern in given:
                if not any(fnmatchcase(name, pattern) for name in known):
                    why = (
                        f"{pattern!r} is not among the {field}s there are{nearest(pattern, known)}"
                    )
                    raise ConfigError(why, path=f"on[{number}].{field}")


def _any(patterns: tuple[str, ...], value: object) -> bool:
    return isinstance(value, str) and any(fnmatchcase(value, one) for one in patterns)


def _state_of(event: Event) -> str | None:
    """Return the state that an event tells, as filters name it; None: it tells none."""
    if not hasattr(event, "state"):
        return None
    state = event.state
    return "gone" if state is None else state.label if isinstance(state, HostState) else str(state)


class _One:
    """One handler: what it has not been told yet."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.scope = trio.CancelScope()
        self.events: list[Event] = []
        self.dropped = 0
        self.first = self.last = 0.0
        self.news = trio.Event()

    def wants(self, event: Event) -> bool:
        handler = self.handler
        if handler.event and not _any(handler.event, _NAMES[type(event)]):
            return False
        if handler.state and not _any(handler.state, _state_of(event)):
            return False
        called = event.event_name if isinstance(event, UserEvent) else None
        if handler.user_event and not _any(handler.user_event, called):
            return False
        if handler.topic or handler.member:
            topic, name = getattr(event, "topic", None), getattr(event, "name", None)
            return _any(handler.topic, topic) or _any(handler.member, name)
        return True

    def take(self, event: Event) -> None:
        self.last = trio.current_time()
        if not self.events and not self.dropped:
            self.first = self.last
        if len(self.events) < _EVENTS:
            self.events.append(event)
        else:
            self.dropped += 1
        self.news.set()

    async def batch(self) -> tuple[list[Event], int]:
        """Wait until it is time to run; return what it is to be told, and how much is left out."""
        await self.news.wait()
        while True:
            due = min(self.last + self.handler.quiet, self.first + self.handler.within)
            if trio.current_time() >= due:
                break
            await trio.sleep_until(due)
        found, dropped = self.events, self.dropped
        self.events, self.dropped, self.news = [], 0, trio.Event()
        return found, dropped


class Handlers:
    """The handlers of one agent."""

    def __init__(
        self,
        node: str,
        *,
        as_json: Callable[[Event], dict[str, Any]],
        context: Callable[[], dict[str, str]],
    ) -> None:
        """``context``: where the agent's control API is, and the id of its last event."""
        self._node = node
        self._as_json = as_json
        self._context = context
        self._room = trio.Semaphore(_AT_ONCE)
        self._nursery: trio.Nursery | None = None
        self._ones: list[_One] = []
        #: Runs by ``RESULTS``.
        self.counts: Counter[str] = Counter()

    def tell(self, event: Event) -> None:
        """Take an event; never waits."""
        for one in self._ones:
            if one.wants(event):
                one.take(event)

    def replace(self, handlers: Iterable[Handler]) -> list[str]:
        """Have these from now on; returns in words what changed. One that is the same goes on."""
        before = {one.handler: one for one in self._ones}
        said = []
        self._ones = []
        for handler in dict.fromkeys(handlers):
            one = before.pop(handler, None)
            if one is None:
                one = _One(handler)
                said.append(f"on: {handler.label} added")
                if self._nursery is not None:
                    self._nursery.start_soon(self._serve, one)
            self._ones.append(one)
        for one in before.values():
            one.scope.cancel()
            said.append(f"on: {one.handler.label} ended")
        return said

    async def run(self) -> None:
        """Run them until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for one in self._ones:
                nursery.start_soon(self._serve, one)
            await trio.sleep_forever()

    async def _serve(self, one: _One) -> None:
        with one.scope:
            while True:
                events, dropped = await one.batch()
                stdin = self._stdin(events, dropped)
                wait = _AGAIN
                for again in range(one.handler.retry + 1):
                    if await self._run(one.handler, stdin, len(events)):
                        break
                    if again < one.handler.retry:
                        await trio.sleep(wait)
                        wait = min(2 * wait, _AGAIN_MAX)

    async def _run(self, handler: Handler, stdin: bytes, count: int) -> bool:
        context = self._context()
        env = programs.environment(GOSSIPMM_NODE=self._node, GOSSIPMM_COUNT=str(count), **context)
        async with self._room:
            ended = await programs.run(handler.run, within=handler.timeout, stdin=stdin, env=env)
        result = "timeout" if ended.late else "failed" if ended.reason else "ok"
        self.counts[result] += 1
        if ended.reason:
            last = (tail(ended.output).splitlines() or [""])[-1]
            words = f": {last}" if last else ""
            _log.warning("handler %s failed: %s%s", handler.label, ended.reason, words)
        return result == "ok"

    def _stdin(self, events: list[Event], dropped: int) -> bytes:
        """Return what a run reads: an object with the events, oldest first."""
        told: list[str] = []
        size = 0
        for number, event in enumerate(events):
            text = json.dumps(self._as_json(event), ensure_ascii=False)
            size += len(text.encode(errors="replace"))
            if size > _BYTES:
                dropped += len(events) - number
                break
            told.append(text)
        head = json.dumps(
            {
                "node": self._node,
                "event_id": self._context().get("GOSSIPMM_EVENT_ID", ""),
                "dropped": dropped,
            }
        )
        body = f'{head[:-1]}, "events": [{", ".join(told)}]}}\n'
        return body.encode(errors="replace")
