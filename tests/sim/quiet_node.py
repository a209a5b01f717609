"""A core that says only what a test lets it say, and keeps what it hears: for the network alone."""

from __future__ import annotations

from math import inf

from gossipmm.config import Config
from gossipmm_sim.engine.cluster import Cluster
from gossipmm_sim.engine.host import Host
from tests.sim.fake_node import FakeNode


class QuietNode(FakeNode):
    """Has no timers; ``instead`` is what it sends once it hears that a send failed."""

    def __init__(self, config, **keywords):
        super().__init__(config, **keywords)
        self.heard_from = []
        self.failures = []
        self.instead = []

    def receive_datagram(self, data, source, now):
        self.heard_from.append((data, source))

    def next_timer(self):
        return inf

    def send_failed(self, address, now, size=0):
        self.failures.append(address)
        self.out, self.instead = [*self.out, *self.instead], []


def hosts(count: int, **keywords) -> list[Host]:
    """Give so many hosts of a network on which nobody says anything, not booted yet."""
    cluster = Cluster(count, core=QuietNode, latency="constant(0.001)", config=Config(), **keywords)
    return cluster.hosts


def boot(hosts: list[Host]) -> None:
    """Start them all."""
    hosts[0].cluster.boot()


def say(sender: Host, target, data: bytes = b"x", wait: float = 0.01) -> None:
    """Let a core send one datagram, and let it arrive."""
    sender.core.out.append((data, target))
    sender.pump()
    sender.cluster.advance(wait)


def heard(host: Host) -> list:
    """Take what a host has heard since it was asked last: (bytes, source) pairs."""
    found, host.core.heard_from = host.core.heard_from, []
    return found
