"""Hosts as processes, and threads that call them, for the test and for the story."""

from __future__ import annotations

import faulthandler
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import zmq

from gossipmm import HostState, MatchMakerGossip
from tests.processes.program import DEADLINE, environment, until
from tests.processes.zmq_rpc.rpc import Attempt, LostError, NobodyError, Rpc

#: Seconds after which a call is given up: far beyond the millisecond that one takes, for machines
#: that do many other things, too.
TIMEOUT = 2.0


class Host:
    """A host's process."""

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self.name = name
        command = [sys.executable, "-m", "tests.processes.zmq_rpc.host"]
        self.process = subprocess.Popen(
            [*command, json.dumps({**fields, "name": name})],
            env=environment(PYTHONFAULTHANDLER="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def told(self, event: str) -> dict[str, Any]:
        """Wait for a line. A host that does not tell it shows on stderr where its threads are."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.process.send_signal(signal.SIGABRT)
                self.process.wait()
                raise AssertionError(f"{self.name} did not tell {event!r}") from None
            if not line:
                raise AssertionError(f"{self.name} ended, exit status {self.process.wait()}")
            told: dict[str, Any] = json.loads(line)
            if told["event"] == event:
                return told

    def close(self) -> None:
        """Kill it if it is still there."""
        self.process.kill()
        self.process.wait()
        self._reader.join(DEADLINE)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


class Load:
    """Threads that call without a pause worth mentioning, each with an Rpc of its own."""

    def __init__(self, cluster: Cluster, threads: int, report: bool) -> None:
        self._stop = threading.Event()
        self._cluster = cluster
        self.rpcs = [cluster.rpc(report=report) for _ in range(threads)]
        self.answers: list[dict[str, str]] = []
        self.nobody = 0
        self.failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._work, args=pair, daemon=True)
            for pair in enumerate(self.rpcs)
        ]

    def start(self) -> None:
        """Begin to call."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the calls under way end. Raises what a call should not, and if one does not end."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(DEADLINE)
        if self.failures:
            raise self.failures[0]
        if any(thread.is_alive() for thread in self._threads):
            faulthandler.dump_traceback(all_threads=True)
            raise AssertionError(f"a call did not end within {DEADLINE:g} s: see stderr")

    def _work(self, thread: int, rpc: Rpc) -> None:
        try:
            with rpc:
                number = 0
                while not self._stop.wait(0.001):
                    number += 1
                    try:
                        self.answers.append(
                            rpc.call("compute", "work", number=f"{thread}-{number}")
                        )
                    except LostError:
                        pass  # in the list of attempts
                    except NobodyError:
                        self.nobody += 1
        except BaseException as exc:
            self.failures.append(exc)

    def attempts(self, outcome: str = "", host: str = "", after: float = 0.0) -> list[Attempt]:
        """What was tried, of an outcome, at a host, and begun after a time; all by default."""
        return [
            attempt
            for rpc in self.rpcs
            for attempt in list(rpc.attempts)
            if outcome in ("", attempt.outcome)
            and host in ("", attempt.host)
            and attempt.began > after
        ]

    def answered(self) -> Counter[str]:
        """How many calls each host answered."""
        return Counter(attempt.host for attempt in self.attempts("answered"))

    def wait_answered(self, host: str, more: int = 50) -> None:
        """Wait until a host has answered some more calls."""
        wanted = self.answered()[host] + more
        until(lambda: self.answered()[host] >= wanted, f"{more} more calls answered by {host}")

    def wait_all_beyond(self, moment: float) -> None:
        """Wait until each thread has ended a call that it began after a moment."""
        until(
            lambda: all(rpc.attempts and rpc.attempts[-1].began > moment for rpc in self.rpcs),
            "all threads call on",
        )


class Cluster:
    """Some hosts, and this process beside them, which calls."""

    def __init__(
        self, matchmaker: MatchMakerGossip, context: zmq.Context[Any], fields: Mapping[str, Any]
    ) -> None:
        self.matchmaker = matchmaker
        self.hosts: dict[str, Host] = {}
        self._context = context
        address, port = matchmaker.bound
        self._fields = {**fields, "join": [f"{address}:{port}"]}

    def start(self, *names: str) -> None:
        """Start hosts, or start them again, and wait until they are in this process's picks."""
        for name in names:
            if name in self.hosts:
                self.hosts[name].close()
            self.hosts[name] = Host(name, self._fields)
        for name in names:
            self.hosts[name].told("ready")
        for name in names:
            self.wait_state(name, HostState.LIVE)

    def kill(self, name: str) -> float:
        """Kill a host with SIGKILL; return when."""
        self.hosts[name].process.kill()
        return time.monotonic()

    def freeze(self, name: str) -> None:
        """Stop a host where it stands: its kernel still takes what is sent to it."""
        self.hosts[name].process.send_signal(signal.SIGSTOP)

    def drain(self, name: str) -> None:
        """Send SIGTERM, and wait until the host says that it is draining."""
        self.hosts[name].process.terminate()
        self.hosts[name].told("draining")

    def state(self, name: str) -> HostState | None:
        """Return what this process's agent holds of a host; None: it is in no lookup."""
        found = self.matchmaker.lookup(f"compute.{name}")
        states = {host.host: host.state for host in (*found.hosts, *found.others)}
        return states.get(name)

    def wait_state(self, name: str, *states: HostState | None) -> float:
        """Wait until this process's agent knows a host to be in one of the states; when."""
        until(lambda: self.state(name) in states, f"{name} is {states}")
        return time.monotonic()

    def rpc(self, *, report: bool = True) -> Rpc:
        """Return a caller."""
        return Rpc(self.matchmaker, self._context, timeout=TIMEOUT, report=report)

    @contextmanager
    def load(self, threads: int = 4, *, report: bool = True) -> Iterator[Load]:
        """Call in some threads until the block ends."""
        load = Load(self, threads, report)
        load.start()
        try:
            yield load
        finally:
            load.stop()


@contextmanager
def cluster(*names: str, **fields: Any) -> Iterator[Cluster]:
    """Start hosts; all are killed at the end. ``fields`` are the agents' configuration."""
    # A short leave: at the end nobody is left to confirm this process's own.
    fields = {"preset": "local", "bind": "127.0.0.1:0", "leave_timeout": 0.5, **fields}
    with zmq.Context() as context, MatchMakerGossip(**fields, name="caller") as matchmaker:
        hosts = Cluster(matchmaker, context, fields)
        try:
            hosts.start(*names)
            yield hosts
        finally:
            for host in hosts.hosts.values():
                host.close()
