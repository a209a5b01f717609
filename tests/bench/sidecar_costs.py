"""What a sidecar costs and how soon it answers: a real ``gossipmm agent`` with its control socket.

    python -m tests.bench.sidecar_costs --members 100 --watchers 200 --seconds 60

The other members are real cores on real UDP sockets in this process (as in ``agent_costs``). Told:
memory when idle; lookups on one connection, one after the other; then watchers follow while
registrations change: how long after a registration was asked for each watcher has it (the request
itself is in that, and the members' work with ``--members 100``: this process does it, too), and the
memory before and after. One more watcher never reads.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from gossipmm.client import Client
from tests.bench.agent_costs import Swarm, rss

#: Registration changes a second while watchers follow.
_CHURN = 10.0
_WATCH = b"GET /v1/watch?kind=host_changed HTTP/1.1\r\nhost: localhost\r\n\r\n"


class Watchers:
    """Connections that follow host changes; ``seen`` has (host, when each watcher had it)."""

    def __init__(self, path: str, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.seen: dict[tuple[str, str], list[float]] = {}
        self.sockets = []
        for _ in range(count):
            self.sockets.append(follow(path))
            self._selector.register(self.sockets[-1], selectors.EVENT_READ, [])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.1):
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                now = time.perf_counter()
                if not data:
                    self._selector.unregister(key.fileobj)
                    continue
                key.data.append((now, data))  # read later: 200 watchers share this thread

    def close(self) -> dict[tuple[str, str], list[float]]:
        """End it; return when each watcher had each (host, state)."""
        self._over.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            self._note(key.data)
        for one in self.sockets:
            one.close()
        return self.seen

    def _note(self, received: list[tuple[float, bytes]]) -> None:
        rest = b""
        for now, data in received:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"data: ") and b'"churn-' in line:
                    event = json.loads(line[6:])
                    name = event["host"], event["state"]
                    self.seen.setdefault(name, []).append(now)


def follow(path: str) -> socket.socket:
    """Open a connection that asks for events."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.connect(path)
    one.sendall(_WATCH)
    return one


def spread(values: list[float]) -> str:
    """Median, p99 and maximum in milliseconds."""
    values = sorted(values)
    marks = ((0.5, "median"), (0.99, "p99"), (1.0, "max"))
    return ", ".join(f"{word} {1000 * values[int(q * (len(values) - 1))]:.2f}" for q, word in marks)


def lookups(client: Client, seconds: float) -> list[float]:
    """Seconds that each of as many lookups as fit took."""
    took = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        client.queues("compute")
        took.append(time.perf_counter() - begin)
    return took


def churn(client: Client, seconds: float) -> dict[str, float]:
    """Register and unregister hosts; return when each was registered."""
    began: dict[str, float] = {}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        host = f"churn-{time.monotonic_ns()}"
        began[host] = time.perf_counter()
        client.register("churn", host)
        time.sleep(1 / _CHURN)
        client.unregister("churn", host)
    time.sleep(1.0)
    return began


def measure(options: argparse.Namespace, agent: Any, path: str) -> None:
    """Print everything."""
    print(f"idle at {options.members} members: {rss(agent.pid):.1f} MB RSS", flush=True)
    with Client(path) as client:
        took = lookups(client, 5.0)
        print(f"{len(took) / 5:.0f} lookups/s on one connection, ms: {spread(took)}", flush=True)
        stuck = follow(path)
        watchers = Watchers(path, options.watchers)
        churn(client, 2.0)
        before = rss(agent.pid)
        began = churn(client, options.seconds)
        after = rss(agent.pid)
        seen = watchers.close()
        stuck.close()
        took = [when - at for host, at in began.items() for when in seen.get((host, "live"), [])]
        print(
            f"{options.watchers} watchers, {options.seconds:g} s of churn: {len(took)} of "
            f"{len(began) * options.watchers} changes seen, ms: {spread(took)}; "
            f"{before:.1f} MB before, {after:.1f} MB after"
        )


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    swarm = Swarm(options.members - 1)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "agent.sock")
        command = [sys.executable, "-m", "gossipmm", "agent", "--name", "measured"]
        command += ["--bind", "127.0.0.1:0", "--join", swarm.seed, "--control", path]
        agent = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "GOSSIPMM_CONFIG": ""},
        )
        served = threading.Event()

        def serve() -> None:
            while not served.is_set():
                swarm.run(0.5)

        try:
            swarm.run(8.0)
            others = threading.Thread(target=serve)
            others.start()
            try:
                measure(options, agent, path)
            finally:
                served.set()
                others.join()
        finally:
            agent.terminate()
            swarm.run(0.5)
            agent.wait(10)


if __name__ == "__main__":
    main()
