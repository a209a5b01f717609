"""The two agents that ``beside_serf`` compares: how each is started, told things, and understood.

An agent says on its standard output when its own list of members changes: ours as JSON, Serf as
lines of its log, written by the library at that moment. (Serf's event handlers are told a second
or more later, because the agent gathers events; they are not what is measured.) All lines of both
are read by one thread of the program that measures, which stamps each with its own clock.
"""

from __future__ import annotations

import base64
import json
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from gossipmm import keyfile
from gossipmm.core.sealing.keyring import Keyring
from tests.namespaces import Host
from tests.processes.program import environment

__all__ = (
    "KINDS",
    "Kind",
    "Node",
    "Notice",
    "Ours",
    "Reader",
    "Serf",
    "ours_notices",
    "serf_notices",
)

PORT = 7946
#: up: this agent is started; alive: it lists somebody as usable; out: it no longer does;
#: dead: it holds somebody dead; left: it knows that somebody left; changed: it knows a change.
What = Literal["up", "alive", "out", "dead", "left", "changed"]

_SERF_EVENT = re.compile(r"serf: EventMember(Join|Failed|Leave|Update): (\S+)")
_SERF_WHATS: dict[str, tuple[What, ...]] = {
    "Join": ("alive",),
    "Failed": ("out", "dead"),
    "Leave": ("out", "left"),
    "Update": ("changed",),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What an agent said of a member, and when that was read (monotonic seconds)."""

    what: What
    who: str
    at: float = 0.0


def serf_notices(line: str, me: str) -> list[tuple[What, str]]:
    """Read a line that ``serf agent`` printed: (what, member)."""
    if line.startswith("==> Serf agent running"):
        return [("up", me)]
    found = _SERF_EVENT.search(line)
    if found is None:
        return []
    return [(what, found[2]) for what in _SERF_WHATS[found[1]]]


def ours_notices(line: str, me: str) -> list[tuple[What, str]]:
    """Read a line that ``gossipmm agent -o json`` printed: (what, member)."""
    try:
        told = json.loads(line)
    except ValueError:
        return []
    match told.get("event"):
        case "started":
            return [("up", me)]
        case "member_died":
            return [("dead", told["name"])]
        case "member_left":
            return [("left", told["name"])]
        case "host_changed":
            live = told["state"] == "live"
            if told["topic"] == "compute":
                return [("alive" if live else "out", told["host"])]
            return [("changed", told["host"])] if live else []
    return []


class Kind(Protocol):
    """One of the two, with what all of its agents share."""

    name: str
    #: The signal on which it leaves.
    leave: signal.Signals

    def command(self, name: str, host: Host, address: str, seed: str) -> list[str]:
        """Return the words that start an agent; ``seed``: an address, or empty."""

    def change(self, node: Node, number: int) -> float | None:
        """Make an agent change what it tells of itself; return since when, None: ask its output."""

    def notices(self, line: str, me: str) -> list[tuple[What, str]]:
        """Read a line."""


class Ours:
    """``gossipmm agent`` as people run it: default settings, a control socket."""

    name = "ours"
    leave = signal.SIGINT

    def __init__(self, folder: Path, *, encrypted: bool) -> None:
        self._folder = folder
        self._sealing = ["--insecure"]
        if encrypted:
            path = folder / "keys.json"
            keyfile.create(path, Keyring((keyfile.generate(),)))
            self._sealing = ["--keyring", str(path)]

    def command(self, name: str, host: Host, address: str, seed: str) -> list[str]:
        words = [*host.prefix, sys.executable, "-m", "gossipmm", "agent", "--name", name]
        words += ["--bind", f"{address}:{PORT}", "--register", "compute", "-o", "json", "--ask"]
        words += ["--control", str(self._folder / f"{name}.sock"), *self._sealing]
        return [*words, *(["--join", f"{seed}:{PORT}"] if seed else [])]

    def change(self, node: Node, number: int) -> float | None:
        began = time.monotonic()
        node.say(f"register change-{number}")
        return began

    def notices(self, line: str, me: str) -> list[tuple[What, str]]:
        return ours_notices(line, me)


class Serf:
    """Debian's ``serf agent``: default settings, but retries of the join every second, not 30 s."""

    name = "serf"
    leave = signal.SIGINT

    def __init__(self, folder: Path, *, encrypted: bool) -> None:
        key = base64.b64encode(bytes(range(32))).decode()
        self._sealing = [f"-encrypt={key}"] if encrypted else []

    def command(self, name: str, host: Host, address: str, seed: str) -> list[str]:
        words = [*host.prefix, "serf", "agent", f"-node={name}", f"-bind={address}:{PORT}"]
        words += ["-rpc-addr=127.0.0.1:7373", *self._sealing]
        return [*words, *([f"-retry-join={seed}", "-retry-interval=1s"] if seed else [])]

    def change(self, node: Node, number: int) -> float | None:
        command = [*node.host.prefix, "serf", "tags", "-set", f"change={number}"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return None  # starting that command took most of the time

    def notices(self, line: str, me: str) -> list[tuple[What, str]]:
        return serf_notices(line, me)


KINDS = (Ours, Serf)


class Node:
    """A running agent and what it said. Its host: a namespace of its own."""

    def __init__(self, kind: Kind, name: str, host: Host, address: str, seed: str) -> None:
        self.name, self.host, self.kind, self.address = name, host, kind, address
        self.notices: list[Notice] = []
        self._words = kind.command(name, host, address, seed)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            self._words,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def first(self, what: What, who: str, since: float = 0.0) -> float | None:
        """Return when it first said that, after a time; None: it has not."""
        for notice in list(self.notices):
            if notice.at >= since and (notice.what, notice.who) == (what, who):
                return notice.at
        return None

    def alive(self) -> dict[str, float]:
        """Return whom it lists as usable, each with when that began."""
        found: dict[str, float] = {}
        for notice in list(self.notices):
            if notice.what == "alive":
                found.setdefault(notice.who, notice.at)
            elif notice.what == "out":
                found.pop(notice.who, None)
        return found

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Reader:
    """Reads what all agents print, in one thread, and stamps each line as it comes."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._ended = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, nodes: Sequence[Node]) -> None:
        """Read these, too."""
        with self._lock:
            for node in nodes:
                assert node.process.stdout is not None
                self._selector.register(node.process.stdout, selectors.EVENT_READ, [node, b""])

    def close(self) -> None:
        """Stop reading."""
        self._ended = True
        self._thread.join(10)
        self._selector.close()

    def _run(self) -> None:
        while not self._ended:
            # What is registered meanwhile, from the other thread, epoll sees at the next look.
            for key, _ in self._selector.select(0.05):
                at = time.monotonic()
                with self._lock:
                    self._read(key, at)

    def _read(self, key: selectors.SelectorKey, at: float) -> None:
        stream: Any = key.fileobj
        data = stream.read1(65536)
        if not data:
            self._selector.unregister(stream)
            stream.close()
            return
        node, rest = key.data
        *lines, key.data[1] = (rest + data).split(b"\n")
        for line in lines:
            for what, who in node.kind.notices(line.decode(errors="replace"), node.name):
                node.notices.append(Notice(what, who, at))
