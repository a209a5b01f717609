"""Programs and backends written for the originals: what they call, and what they touch.

The calls are those of the RPC layer over ZeroMQ: a service registers each key that it listens on,
and ends by what it subscribed to.
"""

from __future__ import annotations

import pytest

from gossipmm.core.values.types import HostState
from gossipmm.errors import RegistrationError
from gossipmm.matchmaker import (
    DirectBinding,
    DirectExchange,
    Exchange,
    FanoutBinding,
    HeartbeatMatchMakerBase,
    MatchMakerBase,
    MatchMakerException,
    MatchMakerLocalhost,
    MatchMakerRing,
    TopicBinding,
)
from tests.matchmaker.classical import HOST, call, run_service
from tests.matchmaker.helpers import gossip, hosts_of, live

RING = {"compute": [HOST, "host-b"], "zmq_replies": [HOST]}


# -- a service -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "matchmaker", [MatchMakerRing(RING), MatchMakerLocalhost(HOST)], ids=["ring", "localhost"]
)
def test_a_service_runs_with_a_matchmaker_that_registers_nothing(
    matchmaker: MatchMakerBase,
) -> None:
    run_service(matchmaker)


def test_a_service_registers_once_whichever_of_its_keys_it_names() -> None:
    """``register("compute.h", "h")`` was refused, so that no service could even start."""
    mm, _, agent = gossip()
    ended = run_service(mm)
    assert [call for call in agent.calls if call[0] == "register"] == [
        ("register", "compute", HOST, None, None)
    ] * 3
    assert ended == [True, False]
    assert (agent.own, mm.heartbeats) == ({}, ())
    assert mm.queues("compute") == mm.queues("fanout~compute") == []


@pytest.mark.parametrize("call", ["register", "unregister"])
@pytest.mark.parametrize("key", ["compute.b", "fanout~compute.b", "fanout.compute.b"])
def test_a_key_of_another_host_is_refused(call: str, key: str) -> None:
    mm, _, agent = gossip()
    with pytest.raises(RegistrationError, match="contains a dot, which separates"):
        getattr(mm, call)(key, "a")
    assert agent.calls == []


def test_a_host_with_dots_is_named_whole_in_its_key() -> None:
    mm, _, agent = gossip()
    mm.register("compute.a.example.org", "a.example.org")
    assert list(agent.own) == [("compute", "a.example.org")]
    with pytest.raises(RegistrationError, match="contains a dot, which separates"):
        mm.register("compute.a.example.org", "a")


# -- a backend of its own ------------------------------------------------------------------


class Store:
    """As much of a Redis as the original backend used: sets, and keys that expire."""

    def __init__(self) -> None:
        self.sets: dict[str, set[str]] = {}
        self.keys: set[str] = set()

    def sadd(self, name: str, member: str) -> None:
        self.sets.setdefault(name, set()).add(member)

    def srem(self, name: str, member: str) -> None:
        self.sets.get(name, set()).discard(member)

    def smembers(self, name: str) -> set[str]:
        return set(self.sets.get(name, ()))

    def expire(self, key: str) -> bool:
        return key in self.keys


class StoreTopicExchange(Exchange):
    def __init__(self, matchmaker: StoreMatchMaker) -> None:
        self.matchmaker = matchmaker

    def run(self, key: str) -> list[tuple[str, str | None]]:
        for member in sorted(self.matchmaker.store.smembers(key)):
            if self.matchmaker.is_alive(key, member):
                return [(member, member.split(".", 1)[1])]
        return []


class StoreFanoutExchange(StoreTopicExchange):
    def run(self, key: str) -> list[tuple[str, str | None]]:
        topic = key.split("~", 1)[1]
        members = sorted(self.matchmaker.store.smembers(topic))
        good = [member for member in members if self.matchmaker.is_alive(topic, member)]
        return [(member, member.split(".", 1)[1]) for member in good]


class StoreMatchMaker(HeartbeatMatchMakerBase):
    """Written as one for the original was: its own hosts, members named ``topic.host``."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts = set()
        self.store = Store()
        self.add_binding(FanoutBinding(), StoreFanoutExchange(self))
        self.add_binding(DirectBinding(), DirectExchange())
        self.add_binding(TopicBinding(), StoreTopicExchange(self))

    def ack_alive(self, key: str, host: str) -> None:
        if not self.store.expire(f"{key}.{host}"):
            self.register(key, host)

    def is_alive(self, topic: str, host: str) -> bool:
        if host in self.store.keys:
            return True
        self.expire(topic, host)
        return False

    def expire(self, topic: str, host: str) -> None:
        self.store.keys.discard(host)
        self.store.srem(topic, host)

    def backend_register(self, key: str, key_host: str) -> None:
        self.store.sadd(key, key_host)
        self.store.keys.add(key_host)

    def backend_unregister(self, key: str, key_host: str) -> None:
        self.store.srem(key, key_host)
        self.store.keys.discard(key_host)


def test_a_service_runs_with_a_backend_written_for_the_original() -> None:
    mm = StoreMatchMaker()
    run_service(mm)
    assert (mm.store.sets, mm.store.keys) == ({"compute": set()}, set())


def test_a_backend_written_for_the_original_resolves_and_expires() -> None:
    mm = StoreMatchMaker()
    for host in ("a", "b.example.org"):
        mm.register("compute", host)
    assert call(mm, "fanout~compute") == ["a", "b.example.org"]
    assert call(mm, "compute") == ["a"]
    mm.store.keys.discard("compute.a")
    assert call(mm, "compute") == ["b.example.org"]
    mm.send_heartbeats()
    assert call(mm, "fanout~compute") == ["a", "b.example.org"]


def test_a_backend_may_keep_the_hosts_itself() -> None:
    """``hosts.add()`` was lost, because each look made a new set, and ``hosts = set()`` raised."""
    mm = StoreMatchMaker()
    with pytest.raises(MatchMakerException):
        mm.start_heartbeat()
    mm.hosts.add("told-otherwise")
    mm.start_heartbeat()  # as the original, which asked for hosts alone
    mm.stop_heartbeat()
    mm.register("compute", "a")
    assert mm.hosts == {"a", "told-otherwise"}
    assert mm.hosts | {"b"} == {"a", "b", "told-otherwise"}
    assert sorted(mm.hosts) == ["a", "told-otherwise"]
    assert (len(mm.hosts), "a" in mm.hosts, repr(sorted(mm.hosts))) == (
        *(2, True),
        repr(["a", "told-otherwise"]),
    )
    mm.hosts.discard("told-otherwise")
    mm.unregister("compute", "a")
    assert not mm.hosts
    mm.hosts = {"x"}
    assert mm.hosts == {"x"}


def test_a_backend_may_write_its_registrations_itself() -> None:
    """``host_topic`` was missing: AttributeError."""
    mm = StoreMatchMaker()
    mm.register("compute", "a")
    assert mm.host_topic == {("compute", "a"): "a"}
    mm.host_topic["network", "b"] = "b"
    mm.send_heartbeats()
    assert mm.store.keys == {"compute.a", "network.b"}
    assert mm.hosts == {"a", "b"}
    mm.host_topic = {}
    assert (mm.heartbeats, mm.hosts) == ((), set())


def test_bindings_are_a_list_of_four() -> None:
    """They were a tuple of triples, which no program that looked at them could read."""
    mm = MatchMakerBase()
    binding, exchange = TopicBinding(), DirectExchange()
    mm.bindings.append((binding, exchange, False, False))
    mm.add_binding(binding, exchange)
    assert mm.bindings == [(binding, exchange, False, False), (binding, exchange, False, True)]


# -- hosts as the backends named them ------------------------------------------------------


@pytest.mark.parametrize("host", ["a.example.org", "compute.a.example.org"])
def test_a_host_may_be_named_with_its_topic(host: str) -> None:
    """The Redis one asked ``is_alive(topic, "topic.host")``: always False here."""
    mm, _, agent = gossip({"compute": live("a.example.org")})
    for key in ("compute", "compute.a.example.org", "fanout~compute"):
        assert mm.is_alive(key, host) is True
        assert mm.ack_alive(key, host) is True
        assert mm.report_failure(key, host) is True
        assert mm.expire(key, host) is True
    assert {call[1:] for call in agent.calls} == {("compute", "a.example.org")}
    assert mm.is_alive("network", host) is False


def test_a_host_that_is_really_called_so_is_meant() -> None:
    mm, _, agent = gossip({"compute": live("compute.a") | {"a": HostState.STALE}})
    assert mm.is_alive("compute", "compute.a") is True
    mm.report_failure("compute", "compute.a")
    mm.register("network", "network.a")
    mm.ack_alive("network", "network.a")
    assert agent.calls[0] == ("report_failure", "compute", "compute.a")
    assert agent.calls[-1] == ("renew", "network", "network.a")


def test_an_own_registration_is_acknowledged_by_the_long_name() -> None:
    mm, _, agent = gossip()
    mm.register("compute", "a")
    agent.forget("compute", "a")
    assert mm.ack_alive("compute", "compute.a") is True
    assert hosts_of(mm.queues("compute")) == ["a"]
