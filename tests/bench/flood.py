"""A flood of hostile datagrams against a real agent on loopback: what it rejects, at what cost.

    python -m tests.bench.flood --core                        # the receive path alone
    python -m tests.bench.flood --count 10000000              # a real process, all sources unproved
    python -m tests.bench.flood --count 1000000 --encrypted --rate 1e9   # every one is looked at

Three agents run as processes; the flood goes to one of them, from ``--sources`` addresses of
127.0.0.0/8 with many ports. What is sent is of all kinds: junk, real datagrams damaged, another
cluster's, another key's. ``--rate`` is the agent's ``source_rate``: by default most is dropped
unread; with 1e9 everything is read. Each second the agent tells its counters, its memory, how long
lookups take, and whether it still exchanges with its honest members.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from gossipmm.config import Config
from gossipmm.core.node import Node
from gossipmm.core.sealing.envelope import CoseEnvelope, PlainEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.types import make_generation
from gossipmm.keyfile import create

CORPUS = Path(__file__).parent.parent / "fuzz" / "corpus" / "decoder"
_RING = Keyring((Key(b"\x07", bytes(range(32))),))
_FORGED = Keyring((Key(b"\x07", bytes(range(1, 33))),))

_AGENT = """
import json, logging, os, sys, time
from contextlib import AsyncExitStack
import trio
import gossipmm
from gossipmm.config import Config

PAGE = os.sysconf("SC_PAGE_SIZE")

class Errors(logging.Handler):
    count = 0
    def emit(self, record):
        self.count += record.levelno >= logging.ERROR

errors = Errors()
logging.getLogger("gossipmm").addHandler(errors)

class Looks:
    # How late a timer of 10 ms is, and for how long each member is suspected.
    def __init__(self):
        self.late = self.longest = 0.0
        self.since = {}

    async def run(self, agent):
        due = trio.current_time()
        while True:
            due += 0.01
            await trio.sleep_until(due)
            now = trio.current_time()
            self.late, due = max(self.late, now - due), now
            suspected = {view.name for view in agent.members() if view.status.label == "suspect"}
            self.since = {name: self.since.get(name, now) for name in suspected}
            for began in self.since.values():
                self.longest = max(self.longest, now - began)

    def take(self):
        late, self.late = self.late, 0.0
        return {"late": late, "suspected": self.longest}

def picture(agent, node):
    begin = time.perf_counter()
    # Few where it is watched how late timers are.
    count = 1000 if agent.config.control == "none" else 10
    for _ in range(count):
        agent.queues("fanout~compute")
    lookup = (time.perf_counter() - begin) / count
    with open("/proc/self/statm") as file:
        rss = int(file.read().split()[1]) * PAGE
    stats = node.stats
    return {
        "at": time.monotonic(), "cpu": time.process_time(), "rss": rss, "lookup": lookup,
        "received": stats.received_datagrams, "answered": stats.probes_answered,
        "suspicions": stats.suspicions, "deaths": stats.deaths,
        "sent_bytes": stats.sent_bytes, "received_bytes": stats.received_bytes,
        "dropped": {reason.value: count for reason, count in stats.dropped.items()},
        "members": {view.name: view.status.label for view in node.members()},
        "hosts": len(agent.queues("fanout~compute")),
        "many": len(view.entries) if (view := agent.table.topics.get("many")) else 0,
        "generations": {view.name: view.generation for view in node.members()},
        "keys": [kid.hex() for kid in agent.keys.status().keys],
        "errors": errors.count,
        "turns": agent._driver.stats.turns.as_dict(),
    }

async def main():
    config = Config.preset("local", **json.loads(sys.argv[1]))
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(gossipmm.open_agent(config))
        if config.control != "none":
            from gossipmm.sidecar.serve import open_sidecar
            await stack.enter_async_context(open_sidecar(agent))
        nursery = await stack.enter_async_context(trio.open_nursery())
        looks = Looks()
        if config.control != "none":
            nursery.start_soon(looks.run, agent)
        node = agent._driver.node
        print(json.dumps({"bound": node.addresses[0]}), flush=True)
        while True:
            await trio.sleep(float(sys.argv[2]))
            print(json.dumps(picture(agent, node) | looks.take()), flush=True)

trio.run(main)
"""


class Agent:
    """One agent in a process of its own, that tells a picture of itself now and then."""

    def __init__(self, every: float, **fields: Any) -> None:
        fields = {"bind": "127.0.0.1:0", "register": ["compute"], "control": "none", **fields}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _AGENT, json.dumps(fields), str(every)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        first = json.loads(self.process.stdout.readline())
        self.address: tuple[str, int] = tuple(first["bound"])
        self.pictures: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.pictures.append(json.loads(line))

    def fresh(self) -> dict[str, Any]:
        """Wait for a picture that is taken after now. Raises when the agent ends."""
        now = time.monotonic()
        while not self.pictures or self.pictures[-1]["at"] < now:
            if self.process.poll() is not None:
                raise RuntimeError(f"the agent ended with {self.process.returncode}")
            time.sleep(0.01)
        return self.pictures[-1]

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        self._reader.join()


def hostile(count: int = 2000, seed: int = 1) -> list[bytes]:
    """Datagrams that must be refused: junk, damaged ones, foreign ones, forged ones."""
    rng = random.Random(seed)
    real = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    forger = CoseEnvelope(_FORGED, "gossipmm", rng)
    made: list[bytes] = []
    for index in range(count):
        data = bytearray(rng.choice(real))
        shape = index % 5
        if shape == 0:
            made.append(rng.randbytes(rng.randrange(1, 1400)))
        elif shape == 1:
            made.append(bytes(data[: rng.randrange(len(data))]))
        elif shape == 2:
            data[3:7] = rng.randbytes(4)
            made.append(bytes(data))
        elif shape == 3:
            made.append(bytes(data) + b"\0")
        else:
            made.append(forger.seal(bytes(data), ("127.0.0.1", 1), 0.0))
    return made


def core(seconds: float, *, encrypted: bool, rate: float) -> float:
    """Datagrams that the core alone rejects in a second of one CPU."""
    rng = random.Random(1)
    node = Node(
        Config(source_rate=rate),
        name="a",
        addresses=(("127.0.0.1", 1),),
        generation=make_generation(10**12, rng),
        rng=rng,
        now=0.0,
        envelope=CoseEnvelope(_RING, "gossipmm", rng) if encrypted else PlainEnvelope(),
    )
    flood = hostile()
    sources = [(f"127.0.0.{n}", 1000 + n) for n in range(2, 10)]
    done, begin, cpu = 0, time.perf_counter(), time.process_time()
    while (now := time.perf_counter()) - begin < seconds:
        for index, data in enumerate(flood):
            node.receive_datagram(data, sources[index % 8], now)
        done += len(flood)
        assert node.datagrams_to_send() == []
    assert sum(node.stats.dropped.values()) == done
    return done / (time.process_time() - cpu)


def flood(
    count: int, *, encrypted: bool, rate: float, sources: int, every: float
) -> dict[str, Any]:
    """Send so many datagrams to a real agent; return what it told at the end and meanwhile."""
    fields: dict[str, Any] = {"source_rate": rate}
    with tempfile.TemporaryDirectory() as folder:
        if encrypted:
            create(f"{folder}/keys.json", _RING)
            fields["keyring"] = f"{folder}/keys.json"
        agents: list[Agent] = []
        try:
            target = Agent(every, name="target", **fields)
            agents.append(target)
            seed = f"{target.address[0]}:{target.address[1]}"
            agents += [Agent(60.0, name=n, join=[seed], **fields) for n in ("b", "c")]
            deadline = time.monotonic() + 20
            while len((first := target.fresh())["members"]) < 3 or first["hosts"] < 3:
                assert time.monotonic() < deadline, f"not joined: {first}"
            return _measure(count, target, first, sources)
        finally:
            for agent in agents:
                agent.close()


def _measure(count: int, target: Agent, first: dict[str, Any], sources: int) -> dict[str, Any]:
    bad = hostile()
    ports = []
    for index in range(sources):
        port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        port.bind((f"127.0.0.{1 + index}", 0))
        port.connect(target.address)
        ports.append(port)
    sent, begin = 0, time.monotonic()
    try:
        while sent < count:
            port = ports[sent // 50 % sources]
            for index in range(50):
                port.send(bad[(sent + index) % len(bad)])
            sent += 50
    finally:
        for port in ports:
            port.close()
    took = time.monotonic() - begin
    last = target.fresh()
    pictures = [picture for picture in target.pictures if picture["at"] >= first["at"]]
    dropped = Counter(last["dropped"])
    dropped.subtract(first["dropped"])
    rejected = sum(dropped.values())
    cpu, span = last["cpu"] - first["cpu"], last["at"] - first["at"]
    # A flood of a moment may have met no exchange at all: it goes on with them after it, too.
    deadline = time.monotonic() + 20
    while (after := target.fresh())["answered"] == last["answered"]:
        if time.monotonic() > deadline:
            break
    return {
        "sent": sent,
        "seconds": round(took, 2),
        "received": last["received"] - first["received"],
        "rejected": rejected,
        "rejected_per_second": round(rejected / took),
        "rejected_per_cpu_second": round(rejected / cpu),
        "cpu_share": round(cpu / span, 2),
        "by_reason": {reason: number for reason, number in dropped.items() if number},
        "rss_first_mb": round(first["rss"] / 1e6, 1),
        "rss_most_mb": round(max(p["rss"] for p in pictures) / 1e6, 1),
        "rss_last_mb": round(after["rss"] / 1e6, 1),
        "lookup_us_first": round(first["lookup"] * 1e6, 2),
        "lookup_us_most": round(max(p["lookup"] for p in pictures) * 1e6, 2),
        "exchanges_answered": last["answered"] - first["answered"],
        "exchanges_answered_per_second": round((last["answered"] - first["answered"]) / span, 2),
        "exchanges_answered_after": after["answered"] - last["answered"],
        "suspicions": after["suspicions"],
        "deaths": after["deaths"],
        "members": after["members"],
        "hosts": min(p["hosts"] for p in pictures),
        "sent_by_agent_bytes": last["sent_bytes"] - first["sent_bytes"],
    }


def main() -> None:
    """Read the arguments, print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=Config().source_rate)
    parser.add_argument("--sources", type=int, default=8)
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--core", action="store_true", help="the receive path alone, in process")
    options = parser.parse_args()
    if options.core:
        for encrypted in (False, True):
            for rate in (1e9, Config().source_rate):
                found = core(3.0, encrypted=encrypted, rate=rate)
                print(
                    json.dumps({"encrypted": encrypted, "rate": rate, "per_second": round(found)})
                )
        return
    found = flood(
        options.count,
        encrypted=options.encrypted,
        rate=options.rate,
        sources=options.sources,
        every=1.0,
    )
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
