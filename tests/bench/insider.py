"""An insider against real agents on loopback: what it costs them, and whether anybody dies of it.

    python -m tests.bench.insider burst  --seconds 10 --bytes 10e6    # S1: a host up and down
    python -m tests.bench.insider flips  --seconds 30 --bytes 932     # S7: 10,000 hosts that drain
    python -m tests.bench.insider tables --seconds 30 --bytes 115e3   # S7: pages, ever new ones
    python -m tests.bench.insider lies   --count 1000000              # S2, S3, S7, S8: all at once
    python -m tests.bench.insider lies   --count 1000000 --encrypted

Three honest agents run as processes; the insider is a real member, in this process, whose address
is proved and whose every exchange is honest. Beside that it sends its attack to one of them, from
its own address. The agent under attack tells each second: its counters and memory, by how much a
timer of 10 ms was late at most, and for how long anybody was suspected. Lookups are asked for over
its control socket, as a program asks, ten times a second; the slowest counts. They wait for this
process as well: on a busy machine run ``none`` beside, which sends nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any
from unittest.mock import patch

import cbor2

from gossipmm.client import Client
from gossipmm.config import Config
from gossipmm.core.identity.keys import Identity
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.node import Node
from gossipmm.core.sealing.envelope import CoseEnvelope, PlainEnvelope
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.core.values.types import Address, NodeState, make_generation
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, encode_page_zero
from gossipmm.keyfile import create, generate
from tests.bench.flood import Agent
from tests.bench.insider_lies import ATTACKS, Lie

#: Hosts of the topic that flips move: as many registrations as one member may have.
HOSTS = 10_000


class Insider(threading.Thread):
    """A member of the cluster that also says what it should not."""

    def __init__(
        self,
        name: str,
        target: Address,
        ring: Keyring | None,
        hosts: int = 0,
        *,
        config: Config | None = None,
        identity: Identity | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.target = target
        self.address: Address = self.sock.getsockname()
        self.rng = random.Random(1)
        self.config = config or Config.preset("local")
        self.identity = identity
        self.node = Node(
            self.config,
            name=name,
            addresses=(self.address,),
            generation=make_generation(int(time.time() * 1000), self.rng),
            rng=self.rng,
            now=time.monotonic(),
            envelope=CoseEnvelope(ring, "gossipmm", random.SystemRandom())
            if ring
            else PlainEnvelope(),
            wall_ms=int(time.time() * 1000) if identity is not None else None,
            identity=identity,
        )
        for number in range(hosts):
            self.node.register("many", f"host-{number}", now=time.monotonic())
        self.node.join([target], time.monotonic())
        self.sent = self.sent_bytes = 0
        self._lies: Lie = iter(())
        self._rate = self._most = 0.0
        self._began = 0.0
        self.done = threading.Event()
        self._over = False
        self._lock = threading.Lock()

    # -- what an attack is made of -----------------------------------------------------------------

    @property
    def key(self) -> int:
        """Its own key."""
        return self.key_of(self.node.name, self.node.generation)

    def key_of(self, name: str, generation: int) -> int:
        """Return the key of a life of a name."""
        return wire.record_key(self.config.cluster, name, generation)

    def victims(self) -> list[Any]:
        """Return everybody else."""
        return [member for member in self.node.members() if member.name != self.node.name]

    def frame(self, rows: bytes = b"", sender: int = 0, **options: Any) -> bytes:
        """Return a NEWS of its own."""
        given = {int(name[1:]): value for name, value in options.items()}
        return wire.encode(
            wire.cluster_tag(self.config.cluster),
            wire.NEWS,
            sender or self.key,
            0,
            0,
            self.node.table.fingerprint,
            self.node.heartbeat,
            0,
            rows,
            cbor2.dumps(given) if given else b"",
        )

    def page_zero(self, state: NodeState, version: int) -> Page:
        """Return its page 0."""
        node = self.node
        return encode_page_zero(node.name, node.generation, version, state, node.addresses, {})

    # -- its life ----------------------------------------------------------------------------------

    def attack(self, lies: Lie, *, rate: float, most: float) -> None:
        """Begin to send: at most ``rate`` bytes a second, and until ``most`` seconds are over."""
        with self._lock:
            self._lies, self._rate, self._began = lies, rate, time.monotonic()
            self._most = most

    def run(self) -> None:
        """Live, and lie."""
        self.sock.settimeout(0.002)
        while not self._over:
            with suppress(TimeoutError, BlockingIOError, ConnectionError):
                while True:
                    data, source = self.sock.recvfrom(2048)
                    self.node.receive_datagram(data, source, time.monotonic())
                    self.sock.settimeout(0)
            with self._lock:
                more = self._lie()
            self.sock.settimeout(0.0 if more else 0.002)
            while self.node.next_timer() <= (now := time.monotonic()):
                self.node.handle_timer(now)
            for data, address in self.node.datagrams_to_send():
                with suppress(OSError):
                    self.sock.sendto(data, address)
            while self.node.next_event() is not None:
                pass

    def _lie(self) -> bool:
        """Send what is due, at most a few dozen; return whether more is."""
        if not self._began or self.done.is_set():
            return False
        elapsed = time.monotonic() - self._began
        for _ in range(64):
            if self._rate and self.sent_bytes >= self._rate * elapsed and elapsed < self._most:
                return False
            lie = next(self._lies, None)
            if lie is None or elapsed >= self._most:
                self.done.set()
                return False
            if not lie:
                return False
            data = self.node._parts.envelope.seal(lie, self.target, time.monotonic())
            with suppress(OSError):
                self.sock.sendto(data, self.target)
                self.sent += 1
                self.sent_bytes += len(data)
        return True

    def close(self) -> None:
        """End it."""
        self._over = True
        self.join(10)
        self.sock.close()


# -- one run ---------------------------------------------------------------------------------------


class Lookups(threading.Thread):
    """Asks an agent over its control socket, as a program does; keeps how long each answer took."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._over = threading.Event()
        self.took: list[float] = []

    def run(self) -> None:
        """Ask ten times a second."""
        with Client(self._path, timeout=30) as client:
            while not self._over.wait(0.1):
                began = time.monotonic()
                client.queues("compute")
                self.took.append(time.monotonic() - began)

    def close(self) -> None:
        """End it."""
        self._over.set()
        self.join(30)


def measure(
    attack: str,
    *,
    seconds: float,
    rate: float,
    count: int,
    encrypted: bool,
    every: float = 1.0,
) -> dict[str, Any]:
    """Run an attack; return what the agent under attack told, at its worst and afterwards.

    It tells that each ``every`` seconds; after the attack it has three times as long to catch up.
    """
    ring = Keyring((generate(),)) if encrypted else None
    with ExitStack() as stack:
        # It hears of its own lies, too, because of which an honest member begins another life.
        stack.enter_context(patch.object(OwnGenerations, "renew", lambda *_, **__: None))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        fields: dict[str, Any] = {}
        if ring is not None:
            for name in ("a", "b", "c"):
                create(f"{folder}/{name}.json", ring)

        def start(name: str, *seeds: Address, pause: float = 60.0) -> Agent:
            keys = {"keyring": f"{folder}/{name}.json"} if ring is not None else {}
            join = [f"{host}:{port}" for host, port in seeds]
            agent = Agent(pause, name=name, join=join, control=f"{folder}/{name}", **keys, **fields)
            stack.callback(agent.close)
            return agent

        target = start("a", pause=every)
        start("b", target.address)
        start("c", target.address)
        hosts = HOSTS if attack == "flips" else 0
        insider = Insider("x", target.address, ring, hosts)
        insider.start()
        stack.callback(insider.close)
        wanted = {"a": "alive", "b": "alive", "c": "alive", "x": "alive"}
        _until(target, lambda seen: seen["members"] == wanted and seen["many"] == hosts)
        lookups = Lookups(f"{folder}/a")
        lookups.start()
        stack.callback(lookups.close)
        first = target.fresh()
        generator = ATTACKS[attack](insider)
        if count:
            generator = (lie for lie, _ in zip(generator, range(count), strict=False))
        insider.attack(generator, rate=rate, most=seconds)
        began = time.monotonic()
        assert insider.done.wait(seconds + 60), "the attack did not end"
        took = time.monotonic() - began
        last = target.fresh()
        while (
            target.fresh()["at"] < last["at"] + 3 * every
        ):  # what it was behind with, it catches up
            pass
        after = target.fresh()
        pictures = [seen for seen in target.pictures if seen["at"] > first["at"]]
        return _figures(insider, took, first, after, pictures, sorted(lookups.took))


def _until(target: Agent, holds: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds(seen := target.fresh()):
        assert time.monotonic() < deadline, f"not joined: {seen}"


def _figures(
    insider: Insider,
    took: float,
    first: dict[str, Any],
    after: dict[str, Any],
    pictures: list[dict[str, Any]],
    lookups: list[float],
) -> dict[str, Any]:
    span = after["at"] - first["at"]
    return {
        "sent": insider.sent,
        "sent_bytes_per_second": round(insider.sent_bytes / took),
        "seconds": round(took, 1),
        "received": after["received"] - first["received"],
        "dropped": {
            reason: number - first["dropped"].get(reason, 0)
            for reason, number in after["dropped"].items()
            if number > first["dropped"].get(reason, 0)
        },
        "cpu_share": round((after["cpu"] - first["cpu"]) / span, 2),
        "late_ms_most": round(max(seen["late"] for seen in pictures) * 1e3, 1),
        "lookup_ms_median": round(lookups[len(lookups) // 2] * 1e3, 1) if lookups else None,
        "lookup_ms_most": round(lookups[-1] * 1e3, 1) if lookups else None,
        "suspected_s_most": round(max(seen["suspected"] for seen in pictures), 2),
        "suspicions": after["suspicions"] - first["suspicions"],
        "deaths": after["deaths"] - first["deaths"],
        "members": after["members"],
        "generations": "kept" if after["generations"] == first["generations"] else "changed",
        "keys": after["keys"],
        "rss_first_mb": round(first["rss"] / 1e6, 1),
        "rss_most_mb": round(max(seen["rss"] for seen in pictures) / 1e6, 1),
        "rss_last_mb": round(after["rss"] / 1e6, 1),
        "sent_by_agent_bytes": after["sent_bytes"] - first["sent_bytes"],
        "errors": after["errors"],
        "turns": after["turns"],
    }


def main() -> None:
    """Read the arguments, print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("attack", choices=ATTACKS)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--bytes", type=float, default=0.0, help="a second; 0: as fast as it goes")
    parser.add_argument("--count", type=int, default=0, help="datagrams; 0: until the time is over")
    parser.add_argument("--encrypted", action="store_true")
    given = parser.parse_args()
    found = measure(
        given.attack,
        seconds=given.seconds,
        rate=given.bytes,
        count=given.count,
        encrypted=given.encrypted,
    )
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
