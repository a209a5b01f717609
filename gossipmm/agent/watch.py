"""Events for watchers: one bounded channel each, and nobody waits for a slow one.

A watcher that falls a whole buffer behind is dropped and told: it reads what was buffered, and then
``WatchOverflowError``. It should read the members again and open another watch.
"""

from __future__ import annotations

from typing import Self

import trio

from gossipmm.agent.driver import IoStats
from gossipmm.core.values.events import Event
from gossipmm.core.values.wanted import Wanted
from gossipmm.errors import WatchOverflowError

__all__ = ("Wanted", "Watch", "Watchers")


class Watch:
    """The events of an agent from the moment it was opened; an async iterator.

    Ends when the agent closes, and with WatchOverflowError when this reader was too slow. Close it
    with ``with``, or forget it: an agent keeps at most its buffer.
    """

    def __init__(self, watchers: Watchers, wanted: Wanted, buffer: int) -> None:
        self._watchers = watchers
        self._wanted = wanted
        self._buffer = buffer
        self._lagged = False
        self._send, self._receive = trio.open_memory_channel[Event](buffer)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            if self._lagged:
                raise self._dropped() from None
            raise StopAsyncIteration from None
        except trio.ClosedResourceError:
            raise StopAsyncIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching. Idempotent; a task that waits for an event ends its loop."""
        self._watchers.discard(self)
        self._send.close()
        self._receive.close()

    def take(self) -> tuple[list[Event], bool]:
        """Take what has happened since, without waiting; and whether no more will come.

        Raises WatchOverflowError behind the last event of a watcher that was dropped.
        """
        found: list[Event] = []
        try:
            while True:
                found.append(self._receive.receive_nowait())
        except trio.WouldBlock:
            return found, False
        except (trio.EndOfChannel, trio.ClosedResourceError):
            if self._lagged and not found:
                raise self._dropped() from None
            return found, not self._lagged

    def _dropped(self) -> WatchOverflowError:
        return WatchOverflowError(
            f"this watcher was dropped: it was more than {self._buffer} events behind"
        )

    def offer(self, event: Event) -> bool:
        """Take an event; False: there was no room, and this watcher has ended."""
        if not self._wanted.takes(event):
            return True
        try:
            self._send.send_nowait(event)
        except trio.WouldBlock:
            self._lagged = True
            self._send.close()
            return False
        except trio.BrokenResourceError:
            return False
        return True

    def end(self) -> None:
        """Let the reader finish what is buffered and then stop."""
        self._send.close()


class Watchers:
    """The watchers of one agent; counts in ``stats`` those that were dropped."""

    def __init__(self, stats: IoStats) -> None:
        self._open: set[Watch] = set()
        self._stats = stats

    def open(self, wanted: Wanted, buffer: int) -> Watch:
        """Begin to watch."""
        watch = Watch(self, wanted, buffer)
        self._open.add(watch)
        return watch

    def discard(self, watch: Watch) -> None:
        """Forget a watcher."""
        self._open.discard(watch)

    def tell(self, event: Event) -> None:
        """Offer an event to all; never waits."""
        for watch in [watch for watch in self._open if not watch.offer(event)]:
            self._open.discard(watch)
            self._stats.watchers_dropped += 1

    def end(self) -> None:
        """Tell all that no more events will come."""
        for watch in self._open:
            watch.end()
        self._open.clear()
