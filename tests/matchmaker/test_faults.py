"""The faults of the classical matchmakers, each with a test that would have caught it."""

from __future__ import annotations

import threading

import pytest

from gossipmm.core.values.types import HostState
from gossipmm.errors import AgentClosedError
from gossipmm.matchmaker import FanoutRingExchange, HeartbeatMatchMakerBase, MatchMakerRing
from tests.matchmaker.helpers import gossip, hosts_of, live


class Backend(HeartbeatMatchMakerBase):
    """The smallest backend: a set."""

    def __init__(self) -> None:
        super().__init__(heartbeat_interval=0.001)
        self.alive: set[str] = set()
        self.rounds = threading.Semaphore(0)

    def backend_register(self, key: str, key_host: str) -> None:
        self.alive.add(key_host)

    def backend_unregister(self, key: str, key_host: str) -> None:
        self.alive.discard(key_host)

    def ack_alive(self, key: str, host: str) -> None:
        self.alive.add(f"{key}.{host}")
        self.rounds.release()


def test_unregistering_one_topic_keeps_the_hosts_other_topics() -> None:
    """The heartbeat base kept one set of hosts, and ``unregister`` took the host out of it.

    A program with two topics that gave up one of them could then not start its heartbeat, and
    the other topic expired although its host served it.
    """
    backend = Backend()
    backend.register("compute", "host-a")
    backend.register("network", "host-a")
    backend.unregister("compute", "host-a")
    assert backend.hosts == {"host-a"}
    assert backend.heartbeats == (("network", "host-a"),)
    backend.alive.clear()
    backend.send_heartbeats()
    assert backend.alive == {"network.host-a"}
    backend.start_heartbeat()
    backend.stop_heartbeat()

    mm, _, _ = gossip()
    mm.register("compute", "host-a")
    mm.register("network", "host-a")
    mm.unregister("compute", "host-a")
    assert hosts_of(mm.queues("network")) == ["host-a"]
    assert mm.queues("compute") == []


def test_acknowledging_an_expired_registration_registers_it_again() -> None:
    """``ack_alive`` looked up the topic of an expired host under the wrong key: KeyError.

    So a host that had paused for longer than its time to live never came back.
    """
    mm, _, agent = gossip()
    mm.register("compute", "host-a", metadata={"zone": "z1"}, ttl=30.0)
    agent.forget("compute", "host-a")
    assert mm.queues("compute") == []
    assert mm.ack_alive("compute", "host-a") is True
    assert hosts_of(mm.queues("compute")) == ["host-a"]
    assert agent.own["compute", "host-a"] == ({"zone": "z1"}, 30.0)
    agent.forget("compute", "host-a")
    mm.send_heartbeats()
    assert hosts_of(mm.queues("compute")) == ["host-a"]


def test_registrations_may_change_during_a_heartbeat_round() -> None:
    """A round walked the live dict of registrations while other threads wrote to it.

    "RuntimeError: dictionary changed size during iteration" ended the heartbeat for good, and
    with it, one time to live later, every registration of the process.
    """

    class Registering(Backend):
        def ack_alive(self, key: str, host: str) -> None:
            super().ack_alive(key, host)
            if not self.hosts >= {"late-19"}:
                self.register(key, f"late-{len(self.hosts) - 1}")
            self.unregister("short", "host-a")

    backend = Registering()
    backend.register("short", "host-a")
    backend.register("compute", "host-a")
    backend.send_heartbeats()
    backend.start_heartbeat()
    for _ in range(200):
        assert backend.rounds.acquire(timeout=10.0)
    backend.stop_heartbeat()
    assert ("short", "host-a") not in backend.heartbeats


def test_a_dead_host_is_out_while_another_one_keeps_its_topic_alive() -> None:
    """The Redis one kept a topic's hosts in one set that lived as long as any of them did.

    And it tested a host's expired key for a time to live of -1, where the server answers -2: it
    handed dead hosts out for ever.
    """
    mm, table, _ = gossip({"compute": live("a", "dead")})
    table.set("compute", live("a"))
    assert [hosts_of(mm.queues("compute")) for _ in range(4)] == [["a"]] * 4
    assert hosts_of(mm.queues("fanout~compute")) == ["a"]
    assert mm.queues("compute.dead") == []
    assert mm.is_alive("compute", "dead") is False


def test_a_lookup_asks_nobody_and_works_while_the_agent_does_not() -> None:
    """A Redis lookup took one round trip and one more for each member, and failed with the server.

    Here a lookup makes no call at all, so an agent that is stuck, or raises, changes nothing.
    """
    mm, _, agent = gossip({"compute": live(*(f"host-{i}" for i in range(50)))})
    agent.fails_with = AgentClosedError()
    assert len(mm.queues("fanout~compute")) == 50
    assert len(mm.queues("compute")) == 1
    assert len(mm.queues("compute.host-3")) == 1
    assert len(mm.queues("compute", routing_key="k")) == 1
    assert mm.is_alive("compute", "host-3")
    assert agent.calls == []


@pytest.mark.parametrize("kind", ["ring", "gossip"])
def test_a_fanout_is_a_list(kind: str) -> None:
    """The fanout exchange returned a lazy map object: empty when it was walked a second time."""
    mm = (
        MatchMakerRing({"compute": ["a", "b"]})
        if kind == "ring"
        else gossip({"compute": live("a", "b")})[0]
    )
    result = mm.queues("fanout~compute")
    assert type(result) is list
    assert list(result) == list(result) == [("fanout~compute.a", "a"), ("fanout~compute.b", "b")]
    assert type(FanoutRingExchange({"t": ["a"]}).run("fanout~t")) is list


def test_a_topic_with_an_empty_list_in_the_ring_is_nobody() -> None:
    """The round robin of the original walked a cycle of no hosts: StopIteration out of queues."""
    mm = MatchMakerRing({"compute": []})
    assert mm.queues("compute") == []
    assert mm.queues("fanout~compute") == []


def test_a_suspected_host_is_still_somebody() -> None:
    """A late heartbeat made a host vanish outright; here it is used while there is none better."""
    mm, _, _ = gossip({"compute": {"a": HostState.SUSPECT}})
    assert hosts_of(mm.queues("compute")) == ["a"]
