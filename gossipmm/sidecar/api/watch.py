"""Events for many watchers, from one ring: a slow one delays nobody, and none costs memory.

Every event is encoded once, into a ring of the last ``ROOM``. A watcher is a position in that ring:
200 of them are 200 integers. One that falls a whole ring behind is told so and dropped; one that
does not read at all is cut off by the connection (``SEND_TIMEOUT``).

Each event has an id, ``<this life of the sidecar>-<number>``. A watcher that names the last one it
saw (``Last-Event-ID``, or ``?since=``) continues behind it; the first message, ``hello``, says
whether that was possible. If it was not, read the members and topics again, and go on.

The first event is delivered at once, the following ones are gathered for ``GATHER`` seconds, so
that a burst costs each watcher one send.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
import trio

from gossipmm.agent import Agent
from gossipmm.agent.event_json import as_json
from gossipmm.core.values.events import Event
from gossipmm.errors import AgentClosedError, WatchOverflowError
from gossipmm.sidecar.http.messages import Sender
from gossipmm.text.events import as_line

__all__ = ("Hub", "Wanted", "message")

#: Events kept for watchers that are behind or come back: about half a megabyte at most.
ROOM = 2048
#: Seconds for which further events are gathered after one was delivered.
GATHER = 0.02
#: Seconds of silence after which a comment line shows that the connection lives.
KEEP_ALIVE = 15.0
#: Events in one send, so that a slow reader has time for it.
_BATCH = 256
#: Simultaneous watchers.
MAX_WATCHERS = 1024

_log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """Which events a watcher wants; empty: all."""

    kinds: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()


class _Told(NamedTuple):
    """An event in the ring."""

    kind: str
    topic: str | None
    member: str | None
    data: bytes


class Hub:
    """The ring, and the watchers that wait for its next event."""

    def __init__(self, agent: Agent, wall: Callable[[float], float], *, room: int = ROOM) -> None:
        self._agent = agent
        self._wall = wall
        self._life = secrets.token_hex(4)
        self._ring: deque[_Told] = deque(maxlen=room)
        #: Number of the next event.
        self._next = 1
        self._news = trio.Event()
        self._waiting = trio.Event()
        self._closing = ""
        #: Is told each event as well.
        self.also: Callable[[Event], None] = lambda _: None
        #: Watchers at the moment, and those dropped so far because they were too slow.
        self.watchers = 0
        self.dropped = 0

    @property
    def event_id(self) -> str:
        """Id of the last event told."""
        return f"{self._life}-{self._next - 1}"

    async def run(self) -> None:
        """Gather events until the agent ends or this is cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._publish)
            with suppress(AgentClosedError):
                await self._gather()
            nursery.cancel_scope.cancel()

    async def _gather(self) -> None:
        while True:
            with self._agent.watch(buffer=16_384) as watch:
                try:
                    async for event in watch:
                        self.tell(event)
                    return
                except WatchOverflowError:
                    # After so long a standstill the ring is useless as well: start over.
                    self._life = secrets.token_hex(4)

    def tell(self, event: Event) -> None:
        """Put an event into the ring."""
        fields = as_json(event)
        fields["time"] = self._wall(fields.pop("at"))
        fields["text"] = as_line(event, self._agent.name)
        kind = fields["event"]
        head = f"id: {self._life}-{self._next}\n"
        self._ring.append(
            _Told(kind, fields.get("topic"), fields.get("name"), message(kind, fields, head))
        )
        self._next += 1
        self._waiting.set()
        self.also(event)

    def close(self, reason: str) -> None:
        """End every watcher, saying why."""
        self._closing = reason
        self._news.set()

    async def _publish(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting = trio.Event()
            self._news.set()
            self._news = trio.Event()
            await trio.sleep(GATHER)

    # -- one watcher ---------------------------------------------------------------------------

    async def serve(self, send: Sender, since: str | None, wanted: Wanted) -> None:
        """Send events to one watcher until it is dropped or everything ends."""
        place = self._place(since)
        resumed = since is not None and place is not None
        if place is None:
            place = self._next
        self.watchers += 1
        try:
            first = {
                "node": self._agent.name,
                "event_id": f"{self._life}-{place - 1}",
                "resumed": resumed,
            }
            await send(message("hello", first, "retry: 1000\n"))
            await self._follow(send, self._life, place, wanted)
        finally:
            self.watchers -= 1

    async def _follow(self, send: Sender, life: str, place: int, wanted: Wanted) -> None:
        while True:
            oldest = self._next - len(self._ring)
            if place < oldest or life != self._life:
                self.dropped += 1
                reason = f"more than {len(self._ring)} events behind: read all anew, watch again"
                _log.warning("a watcher was dropped: it was %s", reason.partition(":")[0])
                return await send(message("dropped", {"reason": reason}))
            # A ring is a deque: reaching the last few from its right end costs little.
            until = min(place + _BATCH, self._next)
            found = [self._ring[number - self._next] for number in range(place, until)]
            place = until
            data = b"".join(told.data for told in found if _matches(told, wanted))
            if data:
                await send(data)
            elif self._closing:
                return await send(message("closing", {"reason": self._closing}))
            if place == self._next and not self._closing:
                news = False
                with trio.move_on_after(KEEP_ALIVE):
                    await self._news.wait()
                    news = True
                if not news:
                    await send(b": nothing new\n\n")

    def _place(self, since: str | None) -> int | None:
        """Return the number of the event after ``since``; None when that is unknown here."""
        life, _, number = (since or "").rpartition("-")
        if life != self._life or not number.isascii() or not number.isdigit():
            return None
        place = int(number[:18]) + 1
        return place if self._next - len(self._ring) <= place <= self._next else None


def message(kind: str, fields: dict[str, Any], head: str = "") -> bytes:
    """Format a server-sent event; its JSON contains no line breaks."""
    return f"{head}event: {kind}\ndata: ".encode() + msgspec.json.encode(fields) + b"\n\n"


def _matches(told: _Told, wanted: Wanted) -> bool:
    if wanted.kinds and told.kind not in wanted.kinds:
        return False
    if wanted.topics or wanted.members:
        return told.topic in wanted.topics or told.member in wanted.members
    return True
