"""One cluster of real agents, and what ``beside_serf`` measures on it.

Each agent runs on a host of its own, a network namespace at one switch. Bytes and packets are
counted there by nftables, from the IP header on, as the simulator counts them (28 bytes above each
datagram); ARP is not. CPU is user + system time of the process, which on Linux is measured, not
sampled; waking up is a voluntary context switch of any of its threads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.beside_serf_nodes import Kind, Node, Reader, What
from tests.namespaces import Host, Net, cut

__all__ = ("Cluster", "Usage", "cpu", "memory", "wakeups")

#: Seconds that anything may take: Serf retries the failed every 30 s, one at a time.
LIMIT = 240.0
COUNT = """
table ip count {
  chain out {
    type filter hook output priority 0
    oifname "eth0" counter
  }
}
"""
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu(stat: str) -> float:
    """Read user and system seconds from the text of ``/proc/<pid>/stat``."""
    fields = stat.rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(rollup: str) -> tuple[float, float]:
    """Read RSS and PSS in MiB from the text of ``/proc/<pid>/smaps_rollup``."""
    lines = (line.split() for line in rollup.splitlines() if line.endswith(" kB"))
    found = {words[0]: int(words[1]) / 1024 for words in lines}
    return found["Rss:"], found["Pss:"]


def wakeups(status: str) -> int:
    """Read the voluntary context switches from the text of ``/proc/<pid>/task/<tid>/status``."""
    for line in status.splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    return 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What an agent has used so far."""

    at: float
    bytes: int
    packets: int
    cpu: float
    wakeups: int

    @classmethod
    def of(cls, node: Node) -> Usage:
        """Look at an agent."""
        process = Path(f"/proc/{node.process.pid}")
        counted = node.host.counted()
        return cls(
            at=time.monotonic(),
            bytes=counted.bytes,
            packets=counted.packets,
            cpu=cpu((process / "stat").read_text()),
            wakeups=sum(
                wakeups((task / "status").read_text()) for task in (process / "task").iterdir()
            ),
        )


def wait(holds: Callable[[], object], what: str, seconds: float = LIMIT) -> None:
    """Wait until something holds. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:g} s: not {what}")
        time.sleep(0.05)  # the times are those of the lines, not of this look


class Cluster:
    """``nodes`` agents of a kind. Every measure returns figures by name."""

    def __init__(self, kind: Kind, nodes: int) -> None:
        self._kind, self._size = kind, nodes
        self._stack = ExitStack()
        self._nodes: list[Node] = []
        self._changes = 0

    def __enter__(self) -> Self:
        net = self._stack.enter_context(Net())
        self._switch = net.switch()
        self._hosts = [self._host(net, number) for number in range(1, self._size + 1)]
        self._reader = Reader()
        self._stack.callback(self._reader.close)
        self._stack.callback(self._kill)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, value, traceback)

    def _host(self, net: Net, number: int) -> Host:
        host: Host = net.host(
            f"n{number:03d}", self._switch, f"10.9.{number // 250}.{number % 250 + 1}/16"
        )
        # One segment is one packet, and is counted as one.
        host.ip("link", "set", "eth0", "gso_max_segs", "1")
        host.nft(COUNT)
        return host

    def _kill(self) -> None:
        for node in self._nodes:
            node.kill()

    # -- measures --------------------------------------------------------------------------

    def join(self) -> dict[str, float]:
        """Start one agent, then all others at once with that one as their seed."""
        first, *others = self._hosts
        self._start(first, "")
        wait(lambda: self._nodes[0].first("up", self._nodes[0].name), "the first one started")
        seed = self._nodes[0].address
        for host in others:
            self._start(host, seed)
        self._all_alive()
        complete = max(max(node.alive().values()) for node in self._nodes)
        up = [node.first("up", node.name) or 0.0 for node in self._nodes]
        began = self._nodes[1].began
        return {
            "start_ms": 1000 * (up[0] - self._nodes[0].began),
            "join_s": complete - began,
            "join_after_last_ms": 1000 * (complete - max(up)),
        }

    def idle(self, settle: float, span: float) -> dict[str, float]:
        """Let all rest, then count for some time; means over all agents."""
        time.sleep(settle)
        before = [Usage.of(node) for node in self._nodes]
        time.sleep(span)
        used = [(old, Usage.of(node)) for old, node in zip(before, self._nodes, strict=True)]
        sizes = [
            memory(Path(f"/proc/{node.process.pid}/smaps_rollup").read_text())
            for node in self._nodes
        ]

        def mean(of: Callable[[Usage], float]) -> float:
            return sum((of(new) - of(old)) / (new.at - old.at) for old, new in used) / len(used)

        return {
            "idle_bytes_per_s": mean(lambda usage: usage.bytes),
            "idle_packets_per_s": mean(lambda usage: usage.packets),
            "idle_cpu_percent": 100 * mean(lambda usage: usage.cpu),
            "idle_wakeups_per_s": mean(lambda usage: usage.wakeups),
            "rss_mib": sum(rss for rss, _ in sizes) / len(sizes),
            "pss_mib": sum(pss for _, pss in sizes) / len(sizes),
        }

    def change(self) -> dict[str, float]:
        """Change one agent; how long until half of the others know, and all."""
        self._changes += 1
        one = self._nodes[self._changes % self._size]
        since = time.monotonic()
        asked = self._kind.change(one, self._changes)
        times = self._told("changed", one.name, self._nodes, since)
        own = times.pop(one.name)
        began = own if asked is None else asked
        later = sorted(1000 * (at - began) for at in times.values())
        return {"change_median_ms": later[len(later) // 2], "change_last_ms": later[-1]}

    def heal(self, split: float) -> dict[str, float]:
        """Cut the network into halves for some time; how long until all list all again."""
        half = self._size // 2
        self._switch.rules(*cut(self._hosts[:half], self._hosts[half:]))
        time.sleep(split)
        lists = [len(node.alive()) for node in self._nodes]
        if max(lists) > self._size - half:
            raise TimeoutError(f"the cut was not seen by all in {split:g} s: {lists}")
        self._switch.rules()
        began = time.monotonic()
        self._all_alive()
        complete = max(max(node.alive().values()) for node in self._nodes)
        return {"heal_s": complete - began}

    def crash(self) -> dict[str, float]:
        """Kill one agent; how long until the last of the others holds it dead."""
        victim = self._nodes.pop()
        began = time.monotonic()
        victim.process.kill()
        dead = self._told("dead", victim.name, self._nodes, began)
        out = self._told("out", victim.name, self._nodes, began)
        victim.kill()
        return {
            "crash_out_s": max(out.values()) - began,
            "crash_first_s": min(dead.values()) - began,
            "crash_dead_s": max(dead.values()) - began,
        }

    def leave(self) -> dict[str, float]:
        """Let one agent leave; how long from the signal until no other lists it."""
        leaver = self._nodes.pop()
        began = time.monotonic()
        leaver.process.send_signal(self._kind.leave)
        out = self._told("out", leaver.name, self._nodes, began)
        leaver.process.wait(LIMIT)
        leaver.kill()
        crashed = [node.first("dead", leaver.name, began) for node in self._nodes]
        return {
            "leave_ms": 1000 * (max(out.values()) - began),
            "leave_as_crash": float(sum(at is not None for at in crashed)),
        }

    # -- parts -----------------------------------------------------------------------------

    def _start(self, host: Host, seed: str) -> None:
        number = len(self._nodes) + 1
        address = f"10.9.{number // 250}.{number % 250 + 1}"
        node = Node(self._kind, host.name, host, address, seed)
        self._nodes.append(node)
        self._reader.add([node])

    def _all_alive(self) -> None:
        names = {node.name for node in self._nodes}
        wait(lambda: all(node.alive().keys() == names for node in self._nodes), "all list all")

    def _told(self, what: What, who: str, nodes: Sequence[Node], since: float) -> dict[str, float]:
        def all_told() -> bool:
            return all(node.first(what, who, since) is not None for node in nodes)

        wait(all_told, f"{who} {what} for all")
        return {node.name: node.first(what, who, since) or 0.0 for node in nodes}
