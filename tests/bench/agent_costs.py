"""What one idle agent costs: CPU, memory and bytes, as a real process among many members.

    python -m tests.bench.agent_costs --members 100 --seconds 30

One agent runs in a process of its own, embedded as in an RPC host; the other members are real
cores on real UDP sockets in this process (their cost is not counted). CPU is user + system time of
the agent's process over the measured span, after everybody has joined; wake-ups are its voluntary
context switches. It starts from bytecode, as an installed package does: compiling the sources at
the start leaves 1.5 MB behind.
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
import time
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
    """User and system seconds used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


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
    """Measure, and print one line."""
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
    try:
        swarm.run(8.0)
        before, slept = _cpu(agent.pid), wakeups(agent.pid)
        swarm.run(options.seconds)
        used = (_cpu(agent.pid) - before) / options.seconds
        woken = (wakeups(agent.pid) - slept) / options.seconds
        known = swarm.known()
        print(
            f"{known} members: {100 * used:.2f} % of a core, {woken:.2f} wake-ups/s, "
            f"{rss(agent.pid):.1f} MB RSS, over {options.seconds:g} s"
        )
    finally:
        agent.terminate()
        swarm.run(0.5)
        agent.wait(10)
        bytecode.cleanup()
    if known != options.members:
        sys.exit(f"only {known} of {options.members} members were known at the end")


if __name__ == "__main__":
    main()
