"""One host: a process that serves "compute" over ZeroMQ, with the agent in a thread of its own.

    python -m tests.processes.zmq_rpc.host '{"name": "host-a", "join": ["127.0.0.1:7946"]}'

The argument is the agent's configuration. Prints a line of JSON when it is ready. SIGTERM drains
it: it serves on until no request has come for a while, and leaves. It ends with its standard input,
too, so that none is left behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import zmq

from gossipmm import MatchMakerGossip
from tests.processes.zmq_rpc.rpc import Server

#: Seconds without a request after which a drained host ends: what was on its way has come.
QUIET = 0.5


class Counts:
    """What this host was asked to do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.worked: list[str] = []
        self.notes: list[str] = []

    def work(self, number: str) -> dict[str, str]:
        """Do something and say who did it."""
        self.worked.append(number)
        return {"host": self.name, "number": number}

    def note(self, text: str) -> None:
        """Keep a text."""
        self.notes.append(text)

    def counts(self) -> dict[str, list[str]]:
        """Tell everything."""
        return {"worked": self.worked, "notes": self.notes}


def tell(**fields: Any) -> None:
    """Tell whoever started this."""
    print(json.dumps(fields), flush=True)


def end_with_parent() -> None:
    """End at the end of standard input."""
    sys.stdin.read()
    os._exit(1)


def main(fields: dict[str, Any]) -> None:
    """Serve until SIGTERM."""
    name = fields["name"]
    draining = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: draining.set())
    threading.Thread(target=end_with_parent, daemon=True).start()
    counts = Counts(name)
    with zmq.Context() as context, MatchMakerGossip(**fields) as matchmaker:
        methods: dict[str, Callable[..., Any]] = {
            "work": counts.work,
            "note": counts.note,
            "counts": counts.counts,
        }
        server = Server(context, methods)
        matchmaker.wait_joined(10.0)
        matchmaker.register("compute", name, metadata={"rpc": server.address}, ttl=10.0)
        matchmaker.start_heartbeat()
        tell(event="ready", rpc=server.address)
        while not draining.is_set():
            server.serve(0.05)
        matchmaker.drain()
        tell(event="draining")
        while server.serve(QUIET):
            pass
        matchmaker.stop_heartbeat()
        server.close()
    tell(event="left", worked=len(counts.worked))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
