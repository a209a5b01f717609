"""Readers of the log of an agent over the control API, each at a level of its own.

Everything is a line of the log in its JSON form, what there is to say about the stream as well:
that it began, that lines were left out because the reader was too slow, that the agent ends.
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec
import trio

from gossipmm.core.values.events import Event
from gossipmm.sidecar.http.messages import Sender
from gossipmm.sidecar.ops.logs import FIELDS, event_record, fields_of
from gossipmm.sidecar.ops.tap import ROOM, TAP, Reader

__all__ = ("MOST", "Monitors")

#: Readers at once. Each has lines of its own, and one may lower the loggers.
MOST: Final = 16
#: Seconds of silence after which a comment shows that the connection lives, as of a watch.
KEEP_ALIVE: Final = 15.0
#: Logger of lines about the stream itself.
_NAME: Final = "gossipmm.monitor"
#: Lines in one send, so that a slow reader has time for it.
_BATCH: Final = 100


class Monitors:
    """Those that read the log of one agent."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._readers: dict[Reader, None] = {}
        self._closing = trio.Event()
        self._reason = ""

    @property
    def count(self) -> int:
        """Number of readers at the moment."""
        return len(self._readers)

    def tell(self, event: Event) -> None:
        """Take an event of the agent, which logs it for whoever reads its log."""
        if self._readers and (record := event_record(event, self._node)) is not None:
            line = fields_of(record)
            for reader in self._readers:
                reader.offer(record.levelno, line)

    def close(self, reason: str) -> None:
        """End every reader, saying why."""
        self._reason = reason
        self._closing.set()

    async def serve(self, send: Sender, level: int, *, room: int = ROOM) -> None:
        """Send lines to one reader until it goes, or the agent ends."""
        with TAP.open(level, room=room) as reader:
            self._readers[reader] = None
            try:
                shown, own = (logging.getLevelName(each).lower() for each in (level, TAP.level))
                await send(self._line(f"monitoring {self._node} at {shown}; its log is at {own}"))
                await self._follow(send, reader)
            finally:
                del self._readers[reader]

    async def _follow(self, send: Sender, reader: Reader) -> None:
        while True:
            # What is told while the agent ends is of interest, so closing is looked at first.
            over = self._closing.is_set()
            lines, left_out = reader.take()
            for begin in range(0, len(lines), _BATCH):
                part = lines[begin : begin + _BATCH]
                await send(b"".join(map(_message, part)))
            if left_out:
                words = f"{left_out} lines were left out here: their reader was too slow"
                await send(self._line(words, logging.WARNING, left_out=left_out))
            if over:
                return await send(self._line(self._reason))
            await self._wait(send, reader)

    async def _wait(self, send: Sender, reader: Reader) -> None:
        with trio.move_on_after(KEEP_ALIVE) as silence:
            async with trio.open_nursery() as nursery:

                async def until(wait: trio.Event | Reader) -> None:
                    await wait.wait()
                    nursery.cancel_scope.cancel()

                nursery.start_soon(until, self._closing)
                nursery.start_soon(until, reader)
        if silence.cancelled_caught:
            await send(b": nothing new\n\n")

    def _line(self, words: str, level: int = logging.INFO, **more: int) -> bytes:
        record = logging.LogRecord(_NAME, level, "", 0, "%s", (words,), None)
        setattr(record, FIELDS, {"node": self._node, **more})
        return _message(fields_of(record))


def _message(line: object) -> bytes:
    return b"event: log\ndata: " + msgspec.json.encode(line, enc_hook=str) + b"\n\n"
