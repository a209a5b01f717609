"""A site: hosts at one switch, an agent on each, and what all of them answer.

Agents run as people run them: a fixed port, the preset ``lan``, a control socket.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.namespaces import Host, Net, Switch
from tests.processes.program import DEADLINE, Program, programs, run, until

PORT = 7946


class Site:
    """Hosts and agents of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.net = Net()
        self.switch: Switch

    def __enter__(self) -> Self:
        self._stack.enter_context(self.net)
        self._start = self._stack.enter_context(programs())
        self.switch = self.net.switch()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, value, traceback)

    def host(self, name: str, *addresses: str, switch: Switch | None = None) -> Host:
        """Connect a host, under addresses with prefix length."""
        return self.net.host(name, switch or self.switch, *addresses)

    def agent(self, host: Host, *arguments: str, bind: str = "0.0.0.0") -> Program:
        """Start the agent of a host, which registers ``compute`` for it."""
        return self._start(
            host.name,
            *("--preset", "lan", "--insecure", "--register", "compute"),
            *("--control", str(self.control(host))),
            *arguments,
            bind=f"{bind}:{PORT}",
            prefix=host.prefix,
        )

    def control(self, host: Host) -> Path:
        """The control socket of a host's agent: files are shared by all namespaces."""
        return self._folder / f"{host.name}.sock"

    def status(self, host: Host) -> tuple[int, str]:
        """Run ``gossipmm status --check``: the exit status, and what it said."""
        done = run("status", "--check", "--control", str(self.control(host)))
        return done.returncode, done.stdout + done.stderr


def seed(address: str) -> tuple[str, str]:
    """Return the arguments that name a seed."""
    literal = f"[{address}]" if ":" in address else address
    return "--join", f"{literal}:{PORT}"


def complete(programs: Iterable[Program], seconds: float = DEADLINE, key: str = "compute") -> None:
    """Wait until the lookup of everybody has everybody. Raises AssertionError."""
    everybody = list(programs)
    names = sorted(program.name for program in everybody)
    end = time.monotonic() + seconds
    for program in everybody:
        until(
            lambda program=program: sorted(program.hosts(f"fanout~{key}")) == names,
            f"{len(names)} hosts in the lookup of {program.name}",
            max(0.0, end - time.monotonic()),
        )


def lasting(holds: Any, what: str, seconds: float) -> None:
    """Look for so long that something stays true. Raises AssertionError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert holds(), f"no longer: {what}"
        time.sleep(0.1)
