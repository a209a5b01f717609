"""What is logged, for readers that want more of it than the log itself has (``gossipmm monitor``).

Each reader has a level of its own. While one wants more than the log, loggers are lowered to that,
and the handlers that there are go on writing what they wrote before. A reader has a bounded room;
lines that do not fit are left out, counted, and told in their place.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import trio

from gossipmm.sidecar.ops.logs import EVENTS, fields_of

__all__ = ("LEVELS", "TAP", "Reader", "Tap")

#: Levels by the names that people give them.
LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
#: Lines that may wait for one reader: a second of an agent that logs each of 1,000 deaths.
ROOM: Final = 1000


class Reader:
    """The lines of one reader; open it with ``with``, in a Trio run. Offered to by any thread."""

    def __init__(self, tap: Tap, level: int, room: int) -> None:
        self._tap = tap
        #: Lines below it are not for this reader.
        self.level = level
        self._room = room
        self._lines: deque[dict[str, Any]] = deque()
        self._left_out = 0
        self._woken = False
        self._lock = threading.Lock()
        self._news = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def __enter__(self) -> Self:
        self._tap.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tap.discard(self)

    def offer(self, level: int, line: dict[str, Any]) -> None:
        """Take a line, if this reader wants it and there is room."""
        if level < self.level:
            return
        with self._lock:
            if len(self._lines) >= self._room:
                self._left_out += 1
                return
            self._lines.append(line)
            woken, self._woken = self._woken, True
        if not woken:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._wake)

    def _wake(self) -> None:
        self._news.set()

    async def wait(self) -> None:
        """Wait until there are lines."""
        await self._news.wait()

    def take(self) -> tuple[list[dict[str, Any]], int]:
        """Return the lines that wait, and how many behind them were left out."""
        with self._lock:
            self._news, self._woken = trio.Event(), False
            lines, self._lines = list(self._lines), deque()
            left_out, self._left_out = self._left_out, 0
        return lines, left_out


class Tap:
    """A logger of this process, its readers, and its level."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._readers: list[Reader] = []
        self._handler = _Handler(self)
        self._filter = _AsBefore(self)
        #: Levels of the logger while it is lowered: the one it has by itself, and the lower one.
        self._own = self._lowered = logging.NOTSET

    @property
    def level(self) -> int:
        """The level of the log itself."""
        if self._is_lowered() and self._own:
            return self._own
        above = self._logger.parent if self._is_lowered() else self._logger
        return above.getEffectiveLevel() if above is not None else logging.WARNING

    def set_level(self, level: int) -> None:
        """Change the level of the log itself."""
        self._raise()
        self._logger.setLevel(level)
        self._lower()

    @property
    def readers(self) -> int:
        """Number of readers at the moment."""
        return len(self._readers)

    def open(self, level: int, *, room: int = ROOM) -> Reader:
        """Return a reader of what is logged at a level, to be used as a context manager."""
        return Reader(self, level, room)

    def add(self, reader: Reader) -> None:
        """Offer lines to a reader from now on."""
        self._raise()
        self._readers = [*self._readers, reader]
        self._lower()

    def discard(self, reader: Reader) -> None:
        """Offer nothing more to a reader; loggers are as they were before the last one came."""
        self._raise()
        self._readers = [each for each in self._readers if each is not reader]
        self._lower()

    def tell(self, record: logging.LogRecord) -> None:
        """Offer a record to all readers."""
        line = fields_of(record)
        for reader in self._readers:
            reader.offer(record.levelno, line)

    def was_written(self, record: logging.LogRecord) -> bool:
        """Return whether a record would have been logged without readers."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None and logger is not self._logger:
            if logger.level:
                return True  # a level of its own, which nobody lowered
            logger = logger.parent
        return logger is None or record.levelno >= self.level

    def _is_lowered(self) -> bool:
        # Whoever sets a level meanwhile means it.
        return bool(self._lowered) and self._logger.level == self._lowered

    def _lower(self) -> None:
        """Let through what the readers want, and no handler write more of it than before."""
        if not self._readers:
            return
        self._logger.addHandler(self._handler)
        wanted = min(reader.level for reader in self._readers)
        if wanted < self.level:
            self._own, self._lowered = self._logger.level, wanted
            self._logger.setLevel(wanted)
            for handler in self._handlers():
                handler.addFilter(self._filter)

    def _raise(self) -> None:
        if self._is_lowered():
            self._logger.setLevel(self._own)
        self._lowered = logging.NOTSET
        self._logger.removeHandler(self._handler)
        for handler in self._handlers():
            handler.removeFilter(self._filter)

    def _handlers(self) -> list[logging.Handler]:
        """Return all handlers that write what this logger lets through, but the tap's own."""
        found: list[logging.Handler] = []
        logger: logging.Logger | None = self._logger
        while logger is not None:
            found += [each for each in logger.handlers if each is not self._handler]
            logger = logger.parent if logger.propagate else None
        return found


class _Handler(logging.Handler):
    """Hands each record to a tap. Events of an agent are told by its own stream of events."""

    def __init__(self, tap: Tap) -> None:
        super().__init__()
        self._tap = tap

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != EVENTS:
            try:
                self._tap.tell(record)
            except Exception:
                self.handleError(record)


class _AsBefore(logging.Filter):
    """Keeps from a handler what it would not have been given without readers."""

    def __init__(self, tap: Tap) -> None:
        super().__init__()
        self._tap = tap

    def filter(self, record: logging.LogRecord) -> bool:
        return self._tap.was_written(record)


#: Of all agents in this process: they log to one logger.
TAP: Final = Tap(logging.getLogger("gossipmm"))
