"""The agents of the demo: child processes that print JSON and answer questions.

Each is ``gossipmm agent --output json --leave-on-eof``: it lives no longer than the pipe to it, so
that even a demo that is killed leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import trio

__all__ = ("Child", "Children", "TroubleError", "now")

#: Lines of a child's stderr that are kept, to be shown when it fails.
_KEPT = 20


class TroubleError(Exception):
    """The demo did not go as it should; the message says what is missing."""


def now() -> float:
    """Return core time: the same clock as the children's, on one machine."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Child:
    """One agent, as its output describes it."""

    def __init__(self, name: str, process: trio.Process) -> None:
        self.name = name
        self.process = process
        #: (topic, host) -> (state, core time at which it took it).
        self.hosts: dict[tuple[str, str], tuple[str, float]] = {}
        #: (topic, host) -> core time at which it left the answers.
        self.gone: dict[tuple[str, str], float] = {}
        #: Every event, in order.
        self.events: list[dict[str, Any]] = []
        #: Its address, and the core time at which it started, once it has said so.
        self.bound = ""
        self.began = 0.0
        self.answers: deque[Any] = deque()
        self.errors: deque[str] = deque(maxlen=_KEPT)

    def take(self, line: dict[str, Any]) -> None:
        """Take a line that it printed."""
        if "asked" in line:
            self.answers.append(line["answer"])
            return
        self.events.append(line)
        if line["event"] == "started":
            self.bound, self.began = line["bound"], line["at"]
        elif line["event"] == "host_changed":
            key = (line["topic"], line["host"])
            if line["state"] is None:
                self.hosts.pop(key, None)
                self.gone[key] = line["at"]
            else:
                self.hosts[key] = (line["state"], line["at"])

    def event(self, kind: str, since: float, **fields: Any) -> dict[str, Any] | None:
        """Return the first such event at or after core time ``since``."""
        for event in self.events:
            matches = event["event"] == kind and event["at"] >= since
            if matches and all(event[key] == value for key, value in fields.items()):
                return event
        return None


class Children:
    """All of them. ``nursery`` runs the readers; ``end`` kills whoever is left."""

    def __init__(self, nursery: trio.Nursery, cluster: str) -> None:
        self._nursery = nursery
        self._cluster = cluster
        self._news = trio.Event()
        self.living: dict[str, Child] = {}
        self._all: list[Child] = []

    async def start(self, name: str, topics: Sequence[str], join: str = "") -> Child:
        """Start an agent on a free port; returns before it runs."""
        command = [sys.executable, "-m", "gossipmm", "agent", "--name", name]
        command += ["--cluster", self._cluster, "--preset", "local", "--bind", "127.0.0.1:0"]
        command += ["--output", "json", "--leave-on-eof", "--control", "none"]
        for topic in topics:
            command += ["--register", topic]
        if join:
            command += ["--join", join]
        # The user's own configuration is not the demo's.
        environ = {key: value for key, value in os.environ.items() if key[:9] != "GOSSIPMM_"}
        process = await trio.lowlevel.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environ, "GOSSIPMM_CONFIG": ""},
            start_new_session=True,  # Ctrl-C is for the demo, which then ends them itself
        )
        child = self.living[name] = Child(name, process)
        self._all.append(child)
        self._nursery.start_soon(self._read, child)
        self._nursery.start_soon(self._read_errors, child)
        return child

    async def until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until the children told what makes ``holds`` true. Raises TroubleError."""
        with trio.move_on_after(seconds):
            while not holds():
                self._check()
                self._news = trio.Event()
                await self._news.wait()
        if not holds():
            raise TroubleError(f"after {seconds:g} s: not {what}")

    async def ask(self, child: Child, question: str) -> Any:
        """Ask a running agent; returns the value of its answer."""
        child.answers.clear()
        assert child.process.stdin is not None
        try:
            await child.process.stdin.send_all(f"{question}\n".encode())
        except trio.BrokenResourceError:
            raise TroubleError(f"{child.name} cannot be asked: it ended") from None
        await self.until(lambda: bool(child.answers), 5.0, f"an answer of {child.name}")
        return child.answers.popleft()

    async def kill(self, child: Child) -> float:
        """End it without warning; returns when (core time)."""
        del self.living[child.name]
        at = now()
        child.process.send_signal(signal.SIGKILL)
        await child.process.wait()
        return at

    async def leave(self) -> None:
        """Let all leave gracefully and end. Raises TroubleError for one that does not."""
        leaving, self.living = list(self.living.values()), {}
        for child in leaving:
            child.process.send_signal(signal.SIGTERM)
        for child in leaving:
            with trio.move_on_after(5.0):
                await child.process.wait()
            if child.process.returncode != 0:
                raise TroubleError(
                    f"{child.name} did not leave: exit status {child.process.returncode}"
                )

    async def end(self) -> None:
        """Kill and reap every process that is left, whatever happened."""
        with trio.CancelScope(shield=True):
            for child in self._all:
                if child.process.returncode is None:
                    child.process.kill()
                await child.process.wait()
        self._nursery.cancel_scope.cancel()

    def _check(self) -> None:
        for child in self.living.values():
            code = child.process.returncode
            if code is None:
                code = child.process.poll()
            if code is not None:
                words = " / ".join(child.errors) or "it printed nothing"
                raise TroubleError(f"{child.name} ended by itself, exit status {code}: {words}")

    async def _read(self, child: Child) -> None:
        assert child.process.stdout is not None
        rest = b""
        async for data in child.process.stdout:
            *lines, rest = (rest + bytes(data)).split(b"\n")
            for line in lines:
                child.take(json.loads(line))
            self._news.set()
        await child.process.wait()
        self._news.set()

    async def _read_errors(self, child: Child) -> None:
        assert child.process.stderr is not None
        rest = b""
        async for data in child.process.stderr:
            *lines, rest = (rest + bytes(data)).split(b"\n")
            child.errors.extend(line.decode(errors="replace") for line in lines)
