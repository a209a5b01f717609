"""What one datagram costs the core, with 100 members in the table.

    pytest tests/bench/test_bench_core.py --benchmark-enable

Goal: an exchange datagram received and answered in 20 us at the median. The
times include draining ``datagrams_to_send`` and ``next_event``; each round is a new datagram.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gossipmm.core.node import Node
from gossipmm.core.values.types import Address, Registration
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, key_of
from tests.puppets import Puppet

MEMBERS = 100
ROUNDS = 3000
#: Seconds at the median, and how much slower a shared machine may be before this fails.
GOAL = 20e-6
SLACK = 3.0

Datagram = tuple[bytes, Address]


class Scene:
    """Node ``a`` in a cluster at rest, and what its members would say next."""

    def __init__(self) -> None:
        self.mesh = Mesh("a")
        self.node: Node = self.mesh["a"]
        self.puppets = self.mesh.puppets(*(f"x{index}" for index in range(MEMBERS - 1)))
        self.mesh.run(60)  # each has answered: its address is proved
        self.node.table.knows_gone = True  # else it asks for records again, now and then
        self.now = self.mesh.now
        self._turn = 0

    def next(self) -> Puppet:
        """The members in turn, each a little later and with a new heartbeat."""
        self._turn += 1
        self.now += 0.003
        puppet = self.puppets[self._turn % len(self.puppets)]
        puppet.heartbeat += 1
        return puppet

    def datagram(
        self, kind: int, **fields: Any
    ) -> Callable[[], tuple[tuple[bytes, Address, float], dict[str, Any]]]:
        """Make the arguments of one round: a datagram of the next member, with one row."""

        def setup() -> tuple[tuple[bytes, Address, float], dict[str, Any]]:
            puppet, other = self.next(), self.puppets[self._turn % 7]
            rows = wire.row(other.key, other.heartbeat, wire.ALIVE, 60)
            values = {"probe": self._turn * 8, "rows": rows, "known": self.node.heartbeat, **fields}
            if kind == wire.ACK:
                values["probe"] = self.ask(puppet)
            puppet._fingerprint = self.node.table.fingerprint
            data = puppet.frame(kind, key_of(self.node), **values)
            return (data, puppet.addresses[0], self.now), {}

        return setup

    def ask(self, puppet: Puppet) -> int:
        """Let the node ask the member; return the identity of its question."""
        node = self.node
        node._local.now = self.now
        member = node.table.by_name[puppet.name]
        probe = node._parts.probes.start(member, "round")
        assert probe is not None
        self.drain()
        return probe.identity

    def drain(self) -> int:
        sent = len(self.node.datagrams_to_send())
        while self.node.next_event() is not None:
            pass
        return sent

    def receive(self, data: bytes, source: Address, now: float) -> int:
        """What is measured."""
        self.node.receive_datagram(data, source, now)
        return self.drain()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def measure(benchmark: Any, scene: Scene, setup: Any, sent: int, goal: float) -> None:
    result = benchmark.pedantic(scene.receive, setup=setup, rounds=ROUNDS, warmup_rounds=50)
    assert result == sent
    if benchmark.stats is not None:
        assert benchmark.stats.stats.median <= goal * SLACK


def test_a_question_received_and_answered(benchmark: Any, scene: Scene) -> None:
    measure(benchmark, scene, scene.datagram(wire.SYN), 1, GOAL)
    assert scene.node.stats.dropped == {}


def test_an_answer_received(benchmark: Any, scene: Scene) -> None:
    answered = scene.node.stats.probes_answered
    measure(benchmark, scene, scene.datagram(wire.ACK), 0, GOAL)
    assert scene.node.stats.probes_answered > answered
    assert scene.node.stats.dropped == {}


def test_junk_refused(benchmark: Any, scene: Scene) -> None:
    junk = bytes(range(200))

    def setup() -> tuple[tuple[bytes, Address, float], dict[str, Any]]:
        scene.now += 0.003
        return (junk, ("192.0.2.1", 4711), scene.now), {}

    measure(benchmark, scene, setup, 0, GOAL / 4)


def test_one_changed_page_applied(benchmark: Any, scene: Scene) -> None:
    """A page of 20 registrations of which one changed, pushed by its owner."""
    entries = [Registration(f"topic-{n}", "host") for n in range(20)]

    def setup() -> tuple[tuple[bytes, Address, float], dict[str, Any]]:
        puppet = scene.next()
        changed = [*entries[:7], Registration("topic-7", "host", metadata={"v": scene._turn})]
        page = puppet.page(1, *changed, *entries[8:])
        options = {wire.OPT_PAGES: [page.raw]}
        data = puppet.frame(wire.NEWS, key_of(scene.node), options=options)
        return (data, puppet.addresses[0], scene.now), {}

    measure(benchmark, scene, setup, 0, 10 * GOAL)
    assert scene.node.stats.pages_accepted > 0
    assert scene.node.stats.dropped == {}
