"""Agents as processes: ``gossipmm agent`` on loopback, watched through what it prints.

Waiting is bounded polling: a condition, looked at every few milliseconds, until a deadline that is
far beyond what the condition needs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

GOSSIPMM = [sys.executable, "-m", "gossipmm"]
#: Seconds until a condition must hold: for machines that do many other things, too.
DEADLINE = 30.0


def environment(**more: str) -> dict[str, str]:
    """Return the environment without what the user has set for gossipmm."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GOSSIPMM_")}
    more = {"GOSSIPMM_CONTROL": "none", **more}  # sockets of their own, where a test wants one
    return {**kept, "GOSSIPMM_CONFIG": "", "PYTHONUNBUFFERED": "1", **more}


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*GOSSIPMM, *arguments],
        env=environment(**environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE + 30,
        check=False,
    )


def until(
    holds: Callable[[], Any],
    what: str,
    seconds: float = DEADLINE,
    *,
    show: Callable[[], str] = lambda: "",
) -> Any:
    """Poll until a condition gives something true; return it. ``show``: said if it never does."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s: not {what} {show()}")
        time.sleep(0.01)


def ended(process: int) -> bool:
    """Return whether a process is gone, or only waits for its parent to notice."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Program:
    """One ``gossipmm agent``. ``lines``: what it printed on stdout and stderr, so far.

    ``prefix``: words before the command, of a program that becomes it (``tests/namespaces.py``).
    """

    def __init__(
        self,
        name: str,
        *arguments: str,
        as_json: bool = True,
        bind: str = "",
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = name
        command = [*prefix, *GOSSIPMM, "agent", "--name", name, "--preset", "local"]
        command += ["--leave-on-eof"]
        command += ["--bind", bind or "127.0.0.1:0", *(["-o", "json"] if as_json else [])]
        self.process = subprocess.Popen(
            [*command, *arguments],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        with stream:
            for line in stream:
                lines.append(line.decode().rstrip("\n"))

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it told as JSON."""
        return [json.loads(line) for line in list(self.lines)]

    def told(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the events of a kind with these fields."""
        return [
            line
            for line in self.events
            if line.get("event") == event
            and all(line.get(key) == value for key, value in fields.items())
        ]

    @property
    def address(self) -> str:
        """The address that it is bound to; waits until it told."""
        found = until(lambda: self.told("started") or self.gone(), f"{self.name} started")
        return str(found[0]["bound"])

    def gone(self) -> None:
        """Raise if it ended."""
        code = self.process.poll()
        assert code is None, f"{self.name} ended, exit status {code}: {self.errors}"

    def say(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def ask(self, question: str) -> Any:
        """Ask (of an agent that prints JSON)."""

        def all_answers() -> list[dict[str, Any]]:
            self.gone()
            return [line for line in self.events if line.get("asked") == question]

        before = len(all_answers())
        self.say(question)

        def answers() -> list[dict[str, Any]]:
            return all_answers()[before:]

        return until(answers, f"an answer of {self.name} to {question!r}")[0]["answer"]

    def hosts(self, key: str) -> list[str]:
        """Ask for the hosts of a key."""
        return [host for _, host in self.ask(f"queues {key}")["queues"]]

    def statuses(self) -> dict[str, str]:
        """Ask for the members and how they are."""
        return {row["name"]: row["status"] for row in self.ask("members")}

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end and for all that it printed."""
        code = self.process.wait(DEADLINE)
        for reader in self._readers:
            reader.join(DEADLINE)
        return code

    def show(self, last: int = 60) -> None:
        """Print the end of what it said: pytest shows that when the test failed."""
        for line in [*self.lines[-last:], *self.errors[-last:]]:
            print(f"{self.name} {self.process.pid}: {line}")

    def close(self) -> None:
        """Kill it if it is still there."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        for reader in self._readers:
            reader.join(DEADLINE)


@contextmanager
def programs() -> Iterator[Callable[..., Program]]:
    """Give a function that starts agents; kill all that are left at the end."""
    started: list[Program] = []

    def start(name: str, *arguments: str, **options: Any) -> Program:
        program = Program(name, *arguments, **options)
        started.append(program)
        return program

    try:
        yield start
    finally:
        for program in started:
            program.close()
            program.show()
