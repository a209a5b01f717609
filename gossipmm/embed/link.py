"""One child process with an agent, and the two sockets to it.

One carries questions and answers. The other carries nothing: the child holds its end, so that it
ends when the child does, however that dies. A green thread can wait for that as well; for a process
it cannot.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

from gossipmm.embed.outcome import Outcome
from gossipmm.embed.pipe import Lines, PipeError, dump, error_from
from gossipmm.errors import MatchMakerException, StartError

__all__ = ("PATIENCE", "Link", "LinkEndedError")

#: Seconds after which an unresponsive child is given up.
PATIENCE = 10.0
_READ = 65536


class LinkEndedError(Exception):
    """There is no answer: the child has ended, or was given up."""


class Link:
    """A child process. Calls of several threads take turns."""

    def __init__(self, python: str) -> None:
        """Start the process. Raises StartError."""
        self._lock = threading.Lock()
        self._asking: set[int] = set()
        self._lines = Lines()
        self._asked = 0
        #: Why this side gave it up; empty: it did not.
        self.given_up = ""
        #: Done with the exit status when the process has ended.
        self.dead: Outcome[int] = Outcome()
        ours, theirs = socket.socketpair()
        life, held = socket.socketpair()
        with theirs, held:
            try:
                self.process = subprocess.Popen(
                    # -P: files in the working directory must not be imported.
                    [python, "-P", "-m", "gossipmm.embed.child_process"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    pass_fds=[held.fileno()],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            except BaseException as exc:
                ours.close()
                life.close()
                if isinstance(exc, OSError):
                    raise StartError(
                        f"the agent's process cannot be started with {python}: {exc.strerror}: "
                        "give another Python as ChildMatchMaker(python=...)"
                    ) from None
                raise
        ours.settimeout(PATIENCE)
        self._socket: socket.socket | None = ours
        self._life = life

    # -- asking ----------------------------------------------------------------------------

    def ask(self, call: str, *args: Any, **options: Any) -> Any:
        """Ask the child, and return or raise its answer. Raises LinkEndedError."""
        me = threading.get_ident()
        if me in self._asking:
            raise MatchMakerException(
                f"{call}: this call interrupted another one of this thread, and would wait for it: "
                "in a signal handler call close() only"
            )
        self._asking.add(me)  # before the lock is taken: a signal may come between the two
        try:
            with self._lock:
                self._asked = number = self._asked + 1
                self._send(dump({"id": number, "call": call, "args": args, "options": options}))
                reply = self._receive(number)
        finally:
            self._asking.discard(me)
        if "error" in reply:
            raise error_from(reply)
        return reply["result"]

    def _send(self, line: bytes) -> None:
        sock = self._socket
        if sock is None:
            raise LinkEndedError
        try:
            sock.sendall(line)
        except OSError:
            raise LinkEndedError from None
        except BaseException:
            # A green thread was killed here, possibly half way through the line.
            self._give_up("a call to it was interrupted half way")
            raise

    def _receive(self, number: int) -> dict[str, Any]:
        while True:
            try:
                for reply in self._lines:
                    # Older answers are for calls whose green thread was killed while it waited.
                    if reply["id"] == number and reply.keys() & {"result", "error"}:
                        return reply
            except PipeError as exc:
                self._give_up(str(exc))
                raise LinkEndedError from None
            sock = self._socket
            if sock is None:
                raise LinkEndedError
            try:
                data = sock.recv(_READ)
            except TimeoutError:
                self._give_up(f"it did not answer for {PATIENCE:g} s")
                raise LinkEndedError from None
            except OSError:
                data = b""
            if not data:
                raise LinkEndedError
            self._lines.feed(data)

    # -- ending ----------------------------------------------------------------------------

    def _give_up(self, why: str) -> None:
        self.given_up = self.given_up or why
        self.hang_up()
        self.process.kill()

    def hang_up(self) -> None:
        """Close the socket, which tells the child to leave and wakes whoever waits for it."""
        sock, self._socket = self._socket, None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def watch(self) -> int:
        """Wait until the process has ended, and return its exit status. For one thread."""
        with self._life, suppress(OSError):
            self._life.recv(1)
        self.hang_up()
        status = self.process.wait()
        self.dead.set_result(status)
        return status

    def how(self) -> str:
        """Say how it ended."""
        if self.given_up:
            return self.given_up
        status = self.dead.result() if self.dead.done() else self.process.returncode
        if status is not None and status < 0:
            with suppress(ValueError):
                return f"killed by {signal.Signals(-status).name}"
        return f"exit status {status}"

    def discard(self) -> None:
        """End a child that nobody watches, at once."""
        self.hang_up()
        self.process.kill()
        self.watch()

    def end(self, patience: float) -> None:
        """Let the child leave, and wait until ``watch`` saw its end; kill it after ``patience``."""
        self.hang_up()
        if not self.dead.wait(patience):
            self.process.kill()
            self.dead.wait(PATIENCE)

    def let_go(self) -> None:
        """Let go of the sockets in a forked child: they would keep the agent from ending.

        The descriptors are replaced, not closed: their objects, and any loop that these belong to,
        are the parent's.
        """
        for sock in (self._socket, self._life):
            descriptor = sock.fileno() if sock is not None else -1
            if descriptor >= 0:
                nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
                os.dup2(nothing, descriptor, inheritable=False)
                os.close(nothing)
