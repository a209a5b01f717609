"""Printing that never holds up the agent.

A stopped terminal (Ctrl-S), or a pipe that nobody reads, blocks whoever writes to it. An agent that
blocks is dead to the others, so a thread writes, and what it cannot write in time is dropped and
counted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from functools import partial

from gossipmm.sidecar.ops.logs import LineHandler, TextFormatter

__all__ = ("Output",)

#: Lines that may wait.
_ROOM = 10_000
#: Seconds to write what waits, at the end.
_PATIENCE = 1.0


class Output:
    """Two files and one thread that writes to them: answers to ``out``, log lines to ``err``."""

    def __init__(
        self, out: int = 1, err: int = 2, formatter: logging.Formatter | None = None
    ) -> None:
        self._out = out
        self._err = err
        self._formatter = formatter or TextFormatter()
        self._lines: queue.Queue[tuple[int, str] | None] = queue.Queue(_ROOM)
        self._thread = threading.Thread(target=self._write, name="gossipmm output", daemon=True)
        self._thread.start()
        #: Lines that were dropped.
        self.dropped = 0
        #: Set once nobody can read the answers.
        self.broken = False

    def answer(self, line: str) -> None:
        """Print an answer, soon."""
        self._put(self._out, line)

    def log(self, line: str) -> None:
        """Print a line of the log, soon."""
        record = logging.LogRecord("gossipmm.cli", logging.INFO, "", 0, line, None, None)
        self._put(self._err, self._formatter.format(record))

    def handler(self) -> logging.Handler:
        """Return a handler for the library's loggers that prints as ``log`` does."""
        return LineHandler(partial(self._put, self._err), self._formatter)

    def close(self) -> None:
        """Write what waits, if that goes quickly."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_PATIENCE)
        self._thread.join(_PATIENCE)

    def _put(self, file: int, line: str) -> None:
        try:
            self._lines.put_nowait((file, line))
        except queue.Full:
            self.dropped += 1

    def _write(self) -> None:
        while (item := self._lines.get()) is not None:
            file, line = item
            data = f"{line}\n".encode(errors="replace")
            try:
                # Bypasses sys.stdout, its buffer and its lock: a daemon thread that held that lock
                # when the process ends would abort it.
                while data:
                    data = data[os.write(file, data) :]
            except OSError:
                self.broken = self.broken or file == self._out
