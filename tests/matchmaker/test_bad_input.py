"""What a program may hand in by mistake: a clear error of our own, and nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.errors import ConfigError, InvalidKeyError, MatchMakerException, RegistrationError
from gossipmm.matchmaker import (
    HeartbeatMatchMakerBase,
    MatchMakerBase,
    MatchMakerGossip,
    StubExchange,
    TopicBinding,
)
from tests.matchmaker.helpers import gossip, live


@pytest.mark.parametrize("host", [None, 7, ["a"], b"a"])
@pytest.mark.parametrize("call", ["ack_alive", "report_failure", "expire", "is_alive"])
def test_a_host_that_is_no_string_is_said_to_be_none(call: str, host: Any) -> None:
    """A list was "unhashable", and None, what a stub exchange gives as host, silently unknown."""
    mm, _, agent = gossip({"compute": live("a")})
    with pytest.raises(InvalidKeyError, match="host must be a string, not"):
        getattr(mm, call)("compute", host)
    assert agent.calls == []


@pytest.mark.parametrize("routing_key", [7, ["a"], 1.5])
def test_a_routing_key_is_a_string_or_bytes(routing_key: Any) -> None:
    """The hash function said "object supporting the buffer API required"."""
    mm, _, _ = gossip({"compute": live("a")})
    with pytest.raises(InvalidKeyError, match=r"routing key must be a string or bytes, not \w+: "):
        mm.queues("compute", routing_key=routing_key)
    good: Any
    for good in ("", b"", bytearray(b"x"), "\ud800"):
        assert mm.queues("compute", routing_key=good) == [("compute.a", "a")]


@pytest.mark.parametrize("ttl", ["5", True, 0, -1.0, float("nan"), float("inf"), [5]])
def test_a_time_to_live_is_a_number_of_seconds(ttl: Any) -> None:
    mm, _, agent = gossip()
    with pytest.raises(RegistrationError, match="ttl must be a finite number of seconds"):
        mm.register("compute", "a", ttl=ttl)
    assert agent.calls == []
    assert mm.heartbeats == ()


@pytest.mark.parametrize("metadata", ["zone", ["zone"], 7, {"zone"}])
def test_metadata_is_a_map(metadata: Any) -> None:
    """``dict("zone")`` said "dictionary update sequence element #0 has length 1"."""
    mm, _, agent = gossip()
    with pytest.raises(RegistrationError, match="metadata of 'compute' must be a map, not"):
        mm.register("compute", "a", metadata=metadata)
    assert agent.calls == []
    assert mm.heartbeats == ()


@pytest.mark.parametrize("interval", [0, -1.0, float("nan"), float("inf"), 1e300, "5", True])
def test_a_heartbeat_interval_is_a_number_of_seconds_that_can_be_waited(interval: Any) -> None:
    """With infinity the heartbeat's thread died of an OverflowError in its first pause."""
    for build in (HeartbeatMatchMakerBase, lambda i: MatchMakerGossip(heartbeat_interval=i)):
        with pytest.raises(ConfigError, match="heartbeat_interval: .* is not"):
            build(interval)


def test_a_configuration_is_a_config() -> None:
    """A dict was taken until something asked it for its ring_file: AttributeError."""
    with pytest.raises(TypeError, match=r"config: a gossipmm.Config, not dict.*\*\*fields"):
        MatchMakerGossip(config={"name": "a"})  # type: ignore[arg-type]


def test_bindings_and_exchanges_are_objects_not_their_classes() -> None:
    """``add_binding(TopicBinding, ...)`` failed at the first lookup: missing argument 'key'."""
    matchmaker = MatchMakerBase()
    pair: Any
    for pair in ((TopicBinding, StubExchange()), (TopicBinding(), StubExchange)):
        with pytest.raises(TypeError, match=r"not the class \w+: write \w+\(\)"):
            matchmaker.add_binding(*pair)
    assert matchmaker.bindings == []


def test_heartbeats_before_any_registration_and_what_may_follow() -> None:
    mm, _, agent = gossip()
    for _ in range(2):
        with pytest.raises(MatchMakerException, match="register a host before start_heartbeat"):
            mm.start_heartbeat()
    mm.stop_heartbeat()
    mm.send_heartbeats()
    assert agent.calls == []
    mm.register("compute", "a.example.org")
    mm.start_heartbeat()
    mm.stop_heartbeat()
    assert mm.queues("compute") == [("compute.a.example.org", "a.example.org")]
