"""The thread that acknowledges registrations, and the lock that it shares with their changes.

A signal handler that closes the matchmaker, or a fork, can meet both at any moment.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from gossipmm.errors import AgentClosedError, AgentLostError, ForkedError

__all__ = ("Beating", "Changing", "Heart", "annotated")

_log = logging.getLogger(__name__)

#: The notes that a round adds to an error.
_WHILE, _OTHERS = "while acknowledging ", " other registrations also failed"


class Changing:
    """A reentrant lock that a forked child finds free, whichever thread held it before the fork."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pid = os.getpid()
        #: Thread -> how often it holds the lock, or is about to.
        self._inside: dict[int, int] = {}

    def mine(self) -> bool:
        """Return whether this thread holds it: code that a signal handler interrupted, perhaps."""
        return threading.get_ident() in self._inside

    def acquire(self, timeout: float = -1) -> bool:
        """Take it; False when ``timeout`` seconds passed before."""
        me = threading.get_ident()
        depth = self._inside.get(me, 0)
        if self._pid != os.getpid():
            self._renew(me, depth)
        # Written down first: a signal that comes between the two must see it.
        self._inside[me] = depth + 1
        taken = False
        try:
            taken = self._lock.acquire(timeout=timeout)
        finally:
            if not taken:
                self._left(me, depth)
        return taken

    def release(self) -> None:
        """Give it back."""
        me = threading.get_ident()
        self._lock.release()
        self._left(me, self._inside.get(me, 1) - 1)

    def _left(self, me: int, depth: int) -> None:
        if depth:
            self._inside[me] = depth
        else:
            self._inside.pop(me, None)

    def _renew(self, me: int, depth: int) -> None:
        """Replace it in a forked child, held as often as the thread that forked held it."""
        lock = threading.RLock()
        for _ in range(depth):
            lock.acquire()
        self._lock, self._pid = lock, os.getpid()
        self._inside = {me: depth} if depth else {}

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()


class Beating(Protocol):
    """What a heart beats for."""

    @property
    def _pause(self) -> float:
        """The seconds to the next round."""

    def _send_heartbeats(self, stopped: Callable[[], bool]) -> None:
        """Acknowledge every registration once."""


class Heart(threading.Thread):
    """Run the heartbeat, in a daemon thread: a program that forgets it still ends.

    It does not keep its matchmaker from being collected, and ends when that is.
    """

    def __init__(self, matchmaker: Beating) -> None:
        super().__init__(name="gossipmm-heartbeat", daemon=True)
        self._stopped = False
        # A lock, not an event: waking must not wait, whatever a signal or a collection interrupts.
        self._gate = threading.Lock()
        self._gate.acquire()
        self._matchmaker = weakref.ref(matchmaker, lambda _: self.nudge())

    def run(self) -> None:
        """Beat until stopped."""
        pause: float | None = 0.0
        while pause is not None and not self._stopped:
            pause = self._round()
            if pause is not None:
                self._gate.acquire(timeout=pause)

    def _round(self) -> float | None:
        """Acknowledge everything once; the seconds to the next round, or None: there is none."""
        matchmaker = self._matchmaker()
        if matchmaker is None:
            return None
        try:
            matchmaker._send_heartbeats(lambda: self._stopped)
        except ForkedError:
            return None
        except AgentClosedError as exc:
            if not isinstance(exc, AgentLostError):
                return None
            if not exc.returns:
                _log.error("the heartbeat ends, and nothing registered here is renewed: %s", exc)
                return None
        except (Exception, SystemExit):
            # In a thread SystemExit ends nothing but the thread, in silence.
            _log.warning("a heartbeat round failed; the next one follows", exc_info=True)
        return matchmaker._pause

    def nudge(self) -> None:
        """Begin the next round now."""
        with suppress(RuntimeError):  # it is about to begin already
            self._gate.release()

    def stop(self) -> None:
        """Let no further acknowledgement begin."""
        self._stopped = True
        self.nudge()

    def wait(self, timeout: float) -> None:
        """Wait until the acknowledgement under way has ended (``timeout`` seconds at most)."""
        if threading.current_thread() is not self and self.ident is not None:
            self.join(timeout)
            if self.is_alive():
                _log.warning("an acknowledgement still runs %g s after stop_heartbeat", timeout)


def annotated(error: Exception, what: str = "", others: int = 0) -> Exception:
    """Note on an error what was being acknowledged, or how many others failed.

    Replaces the notes of an earlier round: a backend may raise the same object each time.
    """
    notes = [note for note in getattr(error, "__notes__", ()) if not note.endswith(_OTHERS)]
    if what:
        notes = [note for note in notes if not note.startswith(_WHILE)]
    error.__notes__ = [*notes, f"{_WHILE}{what}" if what else f"{others}{_OTHERS}"]
    return error
