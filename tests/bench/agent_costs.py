"""What one idle agent costs: CPU and memory, as a real process among many members.

    python -m tests.bench.agent_costs --members 100 --seconds 30

One agent runs in a process of its own, embedded as in an RPC host; the other members are real
cores on real UDP sockets in this process (their cost is not counted). CPU is user + system time of
the agent's process over the measured span, after everybody has joined; wake-ups are its voluntary
context switches. It starts from bytecode, as an installed package does: compiling the sources at
the start leaves 1.5 MB behind.

Beside it runs a program of Trio alone, which sends and answers as many datagrams and does nothing
with them: what no agent on Trio can be below, on this machine and at this hour.
"""

from __future__ import annotations

import argparse
import os
import random
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from gossipmm.config import Config
from gossipmm.core.node import Node
from gossipmm.core.values.types import make_generation

_AGENT = """
import sys
import trio
import gossipmm
from gossipmm.config import Config

async def main():
    config = Config(name="measured", bind="127.0.0.1:0", join=(sys.argv[1],), register=("compute",))
    async with gossipmm.open_agent(config) as agent:
        print("ready", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""

#: Each second it sends a datagram to a socket that sends it back, and sends one back itself.
_BARE = """
import sys
import trio

async def main():
    port = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await port.bind(("127.0.0.1", 0))
    print(port.getsockname()[1], flush=True)

    async def answer():
        while True:
            data, source = await port.recvfrom(2048)
            if data.startswith(b"question"):
                await port.sendto(data, source)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        while True:
            await trio.sleep(1.0)
            await port.sendto(b"x" * 45, ("127.0.0.1", int(sys.argv[1])))

trio.run(main)
"""


class Beside:
    """The program of Trio alone, and the socket that it talks to."""

    def __init__(self) -> None:
        self._port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._port.bind(("127.0.0.1", 0))
        self._port.settimeout(0.1)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BARE, str(self._port.getsockname()[1])], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self._there = ("127.0.0.1", int(self._process.stdout.readline()))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def _talk(self) -> None:
        asked = time.monotonic()
        while not self._ended.is_set():
            if time.monotonic() - asked >= 1.0:
                asked = time.monotonic()
                self._port.sendto(b"question" * 6, self._there)
            with suppress(TimeoutError):
                data, source = self._port.recvfrom(2048)
                if not data.startswith(b"question"):
                    self._port.sendto(data, source)

    def close(self) -> None:
        """End both."""
        self._ended.set()
        self._thread.join()
        self._process.terminate()
        self._process.wait(10)
        self._port.close()


class Swarm:
    """Members on real sockets of 127.0.0.1, driven by one selector."""

    def __init__(self, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._nodes: list[tuple[Node, socket.socket]] = []
        seed = None
        for index in range(count):
            port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            port.bind(("127.0.0.1", 0))
            port.setblocking(False)
            address = port.getsockname()
            rng = random.Random(index)
            node = Node(
                Config(join=("127.0.0.1:1",) if seed else ()),
                name=f"member-{index:04d}",
                addresses=(address,),
                generation=make_generation(int(time.time() * 1000), rng),
                rng=rng,
                now=time.monotonic(),
            )
            node.register("compute", f"host-{index:04d}", now=time.monotonic())
            if seed is not None:
                node.join([seed], time.monotonic())
            seed = seed or address
            self._selector.register(port, selectors.EVENT_READ, (node, port))
            self._nodes.append((node, port))
        self.seed = f"{seed[0]}:{seed[1]}" if seed else ""

    def run(self, seconds: float) -> None:
        """Serve all members for so long."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            wait = min(node.next_timer() for node, _ in self._nodes) - now
            for key, _ in self._selector.select(max(0.0, min(wait, end - now))):
                self._receive(*key.data)
            now = time.monotonic()
            for node, port in self._nodes:
                if node.next_timer() <= now:
                    node.handle_timer(now)
                for data, address in node.datagrams_to_send():
                    port.sendto(data, address)
                while node.next_event() is not None:
                    pass

    @staticmethod
    def _receive(node: Node, port: socket.socket) -> None:
        for _ in range(64):
            try:
                data, source = port.recvfrom(2048)
            except OSError:
                return
            node.receive_datagram(data, source, time.monotonic())

    def known(self) -> int:
        """Live members that the first one knows, itself included."""
        return self._nodes[0][0].table.live_count()


def _cpu(process: int) -> float:
    """User and system seconds used so far, by all threads."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def rss(process: int) -> float:
    """Resident memory in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def wakeups(process: int) -> int:
    """How often it slept, and was woken."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])


def main() -> None:
    """Measure, and print two lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    swarm = Swarm(options.members - 1)
    bytecode = tempfile.TemporaryDirectory()
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode.name, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-c", "import gossipmm.agent"], env=environ, check=True)
    agent = subprocess.Popen(
        [sys.executable, "-c", _AGENT, swarm.seed], stdout=subprocess.PIPE, env=environ
    )
    beside = Beside()
    try:
        swarm.run(8.0)
        before = [(_cpu(one), wakeups(one)) for one in (agent.pid, beside.pid)]
        swarm.run(options.seconds)
        after = [(_cpu(one), wakeups(one)) for one in (agent.pid, beside.pid)]
        (used, woken), (least, bare_woken) = [
            ((one[0] - two[0]) / options.seconds, (one[1] - two[1]) / options.seconds)
            for one, two in zip(after, before, strict=True)
        ]
        known = swarm.known()
        print(
            f"{known} members: {100 * used:.3f} % of a core, {woken:.2f} wake-ups/s, "
            f"{rss(agent.pid):.1f} MB RSS, over {options.seconds:g} s\n"
            f"Trio alone: {100 * least:.3f} % of a core, {bare_woken:.2f} wake-ups/s, "
            f"{rss(beside.pid):.1f} MB RSS; the agent takes {used / least:.2f} times its CPU"
        )
    finally:
        beside.close()
        agent.terminate()
        swarm.run(0.5)
        agent.wait(10)
        bytecode.cleanup()
    if known != options.members:
        sys.exit(f"only {known} of {options.members} members were known at the end")


if __name__ == "__main__":
    main()
