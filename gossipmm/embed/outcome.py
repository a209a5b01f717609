"""A result that is set once, by one thread, and waited for by others, without a lock of ours.

``concurrent.futures.Future`` has a condition, which a signal handler may find held by the very code
that it interrupted, and a forked child by a thread that it does not have. Here each step is one
operation of a dict or a list, which no signal and no fork divides, and whoever waits does so on a
lock that nobody else knows. So any thread may ask, set and wait at any moment, a signal handler
also while the code that it interrupted does the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Generic, TypeVar

__all__ = ("Outcome",)

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_BEGAN, _CANCELLED = "began", "cancelled"


class Outcome(Generic[_T]):
    """What a call will return or raise. The first end counts; later ones are ignored."""

    def __init__(self) -> None:
        #: (value, error), once there is one; under the only key 0.
        self._end: dict[int, tuple[Any, BaseException | None]] = {}
        #: Whether the call began, or was cancelled before that; under the only key 0.
        self._fate: dict[int, str] = {}
        self._calls: list[Callable[[Outcome[_T]], object]] = []

    # -- for whoever makes it --------------------------------------------------------------

    def begin(self) -> bool:
        """Return whether the call may begin: nobody cancelled it."""
        return self._fate.setdefault(0, _BEGAN) == _BEGAN

    def set_result(self, value: _T) -> bool:
        """End with a value; False: it had ended."""
        return self._finish((value, None))

    def set_exception(self, error: BaseException) -> bool:
        """End with an error; False: it had ended."""
        return self._finish((None, error))

    def _finish(self, end: tuple[Any, BaseException | None]) -> bool:
        first = self._end.setdefault(0, end) is end
        self._tell()
        return first

    # -- for whoever waits -----------------------------------------------------------------

    def cancel(self) -> bool:
        """Keep the call from beginning; False: it has begun."""
        if self._fate.setdefault(0, _CANCELLED) == _BEGAN:
            return False
        self._finish((None, CancelledError()))
        return True

    def done(self) -> bool:
        """Return whether it has ended."""
        return bool(self._end)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it ends; False when ``timeout`` seconds passed before."""
        if not self._end:
            gate = threading.Lock()
            gate.acquire()
            self.add_done_callback(lambda _: gate.release())
            gate.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        return bool(self._end)

    def result(self, timeout: float | None = None) -> _T:
        """Return or raise how it ended. Raises TimeoutError when ``timeout`` seconds passed."""
        if not self.wait(timeout):
            raise TimeoutError
        value, error = self._end[0]
        if error is not None:
            try:
                raise error
            finally:
                del error  # else the traceback refers to itself
        found: _T = value
        return found

    def exception(self) -> BaseException | None:
        """Return the error that it ended with; None: a value, or it has not ended."""
        end = self._end.get(0)
        return end[1] if end is not None else None

    def add_done_callback(self, call: Callable[[Outcome[_T]], object]) -> None:
        """Have ``call(self)`` made when it ends, in the thread that ends it; at once if it has."""
        self._calls.append(call)
        if self._end:
            self._tell()

    def _tell(self) -> None:
        """Make each call that waits. Two threads may be here at once; each call is made by one."""
        while self._calls:
            with suppress(IndexError):
                call = self._calls.pop()
                try:
                    call(self)
                except Exception:
                    _log.exception("a callback at the end of a call failed")
