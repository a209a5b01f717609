"""The classical order of calls, opening, closing, forking, and what the agent is told."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from gossipmm.config import Config
from gossipmm.errors import (
    AgentClosedError,
    BindError,
    ConfigError,
    ForkedError,
    MatchMakerException,
    RegistrationError,
)
from gossipmm.matchmaker import MatchMakerGossip, OwnedAgent, table_matchmaker
from tests.matchmaker.helpers import FakeAgent, FakeTable, OwnFake, gossip, hosts_of, live


def acks(agent: FakeAgent) -> list[tuple[Any, ...]]:
    return [call for call in agent.calls if call[0] in {"renew", "ack_alive"}]


def test_the_classical_order_of_calls() -> None:
    mm = OwnFake(name="host-a")
    mm.register("compute", "host-a")
    mm.start_heartbeat()
    assert mm.queues("compute") == [("compute.host-a", "host-a")]
    mm.stop_heartbeat()
    assert mm.unregister("compute", "host-a") is True
    assert mm.unregister("compute", "host-a") is False
    assert mm.queues("compute") == []
    mm.close()
    (agent,) = mm.opened
    assert agent.closed.is_set()
    assert agent.calls[0] == ("start",)


def test_building_opens_nothing_and_the_first_call_opens_one() -> None:
    mm = OwnFake(name="x")
    assert not hasattr(mm, "opened")
    threads = [threading.Thread(target=mm.queues, args=("compute",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert len(mm.opened) == 1
    mm.close()


def test_with_opens_and_closes() -> None:
    with OwnFake(name="x") as mm:
        assert len(mm.opened) == 1
        assert mm.wait_joined(1.0) is True
    assert mm.opened[0].closed.is_set()
    mm.close()


def test_an_agent_that_does_not_open_can_be_tried_again() -> None:
    class Busy(OwnFake):
        tries = 0

        def open_agent(self, config: Config) -> OwnedAgent:
            self.tries += 1
            if self.tries == 1:
                raise BindError("127.0.0.1:7946 is in use")
            return super().open_agent(config)

    mm = Busy(name="x")
    with pytest.raises(BindError):
        mm.register("compute", "a")
    assert mm.heartbeats == ()
    mm.register("compute", "a")
    assert hosts_of(mm.queues("compute")) == ["a"]
    mm.close()


CALLS = {
    "queues": lambda mm: mm.queues("compute"),
    "queues with a routing key": lambda mm: mm.queues("compute", routing_key="k"),
    "lookup": lambda mm: mm.lookup("compute"),
    "is_alive": lambda mm: mm.is_alive("compute", "a"),
    "ring": lambda mm: mm.ring(),
    "register": lambda mm: mm.register("compute", "b"),
    "unregister": lambda mm: mm.unregister("compute", "a"),
    "ack_alive": lambda mm: mm.ack_alive("compute", "a"),
    "report_failure": lambda mm: mm.report_failure("compute", "a"),
    "expire": lambda mm: mm.expire("compute", "a"),
    "drain": lambda mm: mm.drain(),
    "send_heartbeats": lambda mm: mm.send_heartbeats(),
    "start_heartbeat": lambda mm: mm.start_heartbeat(),
    "wait_joined": lambda mm: mm.wait_joined(0.0),
    "open": lambda mm: mm.open(),
    "bound": lambda mm: mm.bound,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("own", [True, False], ids=["own agent", "given agent"])
def test_use_after_close_is_an_error_of_our_own(call: Any, own: bool) -> None:
    mm = OwnFake(name="x") if own else gossip()[0]
    mm.register("compute", "a")
    mm.start_heartbeat()
    mm.close()
    mm.stop_heartbeat()
    with pytest.raises(AgentClosedError, match="was closed") as caught:
        call(mm)
    assert isinstance(caught.value, MatchMakerException)
    assert mm.heartbeats == (("compute", "a"),)


def test_closing_a_matchmaker_over_an_agent_leaves_the_agent_open() -> None:
    mm, _, agent = gossip()
    mm.close()
    assert not agent.closed.is_set()


def test_bound_is_the_own_agents_address() -> None:
    with OwnFake(name="x") as mm:
        assert mm.bound == mm.opened[0].bound
    with pytest.raises(MatchMakerException, match="did not open its agent"):
        _ = gossip()[0].bound


def test_closing_one_that_was_never_opened_opens_nothing() -> None:
    mm = OwnFake(name="x")
    mm.close()
    assert not hasattr(mm, "opened")
    with pytest.raises(AgentClosedError):
        mm.queues("compute")


def test_the_heartbeat_ends_when_the_agent_is_closed_under_it() -> None:
    mm, _, agent = gossip()
    mm.register("compute", "a")
    mm.heartbeat_interval = 0.001
    mm.start_heartbeat()
    heart = mm._heart
    assert heart is not None
    agent.closed.set()
    heart.join(10.0)
    assert not heart.is_alive()


def _in_child(call: Any, mm: MatchMakerGossip, results: Any) -> None:
    try:
        call(mm)
        results.put((os.getpid(), "no error", ""))
    except Exception as exc:
        results.put((os.getpid(), type(exc).__name__, str(exc)))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_use_in_a_forked_child_is_an_error_of_our_own(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mm = gossip({"compute": live("a")})[0]
    mm.register("compute", "a")
    monkeypatch.setattr(table_matchmaker, "_forks", 1)
    with pytest.raises(ForkedError, match=f"in process {os.getpid()}, before the fork") as caught:
        call(mm)
    assert isinstance(caught.value, MatchMakerException)
    monkeypatch.undo()
    assert mm.queues("compute") == [("compute.a", "a")]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_fork_is_noticed_and_its_parent_goes_on() -> None:
    mm = OwnFake(name="x")
    mm.register("compute", "a")
    mm.start_heartbeat()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    seen = []
    for call in (CALLS["queues"], CALLS["register"], lambda mm: mm.close()):
        child = context.Process(target=_in_child, args=(call, mm, results))
        child.start()
        seen.append(results.get(timeout=20.0))
        child.join(20.0)
        assert child.exitcode == 0
    assert [name for _, name, _ in seen] == ["ForkedError", "ForkedError", "no error"]
    assert hosts_of(mm.queues("compute")) == ["a"]
    mm.close()


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_one_that_was_built_but_not_opened_before_a_fork_works_in_the_child() -> None:
    mm = OwnFake(name="x")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_in_child, args=(CALLS["register"], mm, results))
    child.start()
    assert results.get(timeout=20.0)[1] == "no error"
    child.join(20.0)


# -- what the agent is told ----------------------------------------------------------------


def test_register_tells_metadata_and_time_to_live() -> None:
    mm, _, agent = gossip()
    metadata = {"zone": "z1"}
    mm.register("compute", "a", metadata=metadata, ttl=3.0)
    metadata["zone"] = "changed by the caller"
    agent.forget("compute", "a")
    mm.ack_alive("compute", "a")
    assert agent.own == {("compute", "a"): ({"zone": "z1"}, 3.0)}
    mm.register("compute", "a")
    assert agent.own == {("compute", "a"): (None, None)}


def test_ack_alive_renews_an_own_registration_and_vouches_for_another_nodes() -> None:
    mm, table, agent = gossip()
    mm.register("compute", "a")
    table.set("network", live("b"))
    agent.calls.clear()
    assert mm.ack_alive("compute", "a") is True
    assert mm.ack_alive("network", "b") is True
    assert mm.ack_alive("network", "c") is False
    assert agent.calls == [
        ("renew", "compute", "a"),
        ("ack_alive", "network", "b"),
        ("ack_alive", "network", "c"),
    ]


def test_what_queues_returned_can_be_handed_back() -> None:
    mm, _, agent = gossip({"compute": live("b.example.org")})
    for key in ("compute", "compute.b.example.org", "fanout~compute"):
        ((queue, host),) = mm.queues(key)
        assert host is not None
        assert mm.ack_alive(queue, host) is True
        assert mm.report_failure(queue, host) is True
        assert mm.expire(queue, host) is True
        assert mm.is_alive(queue, host) is True
    assert {call[1:] for call in agent.calls} == {("compute", "b.example.org")}


def test_drain_is_passed_on() -> None:
    mm, _, agent = gossip()
    mm.register("compute", "a")
    assert mm.drain() == 1
    assert mm.drain("compute", "a", draining=False) == 1
    assert agent.calls[-2:] == [("drain", None, None, True), ("drain", "compute", "a", False)]


def test_an_agent_that_refuses_leaves_the_registration_as_it_was() -> None:
    mm, _, agent = gossip()
    mm.register("compute", "a", ttl=9.0)
    agent.fails_with = RegistrationError("too large")
    for host in ("a", "b"):
        with pytest.raises(RegistrationError, match="too large"):
            mm.register("compute", host, metadata={"much": "x" * 9999})
    agent.fails_with = None
    assert mm.heartbeats == (("compute", "a"),)
    agent.forget("compute", "a")
    mm.send_heartbeats()
    assert agent.own == {("compute", "a"): (None, 9.0)}


@pytest.mark.parametrize("ttl", [0, -1.0, float("nan"), float("inf")])
def test_a_time_to_live_that_is_none_is_refused(ttl: float) -> None:
    mm, _, agent = gossip()
    with pytest.raises(RegistrationError, match="ttl"):
        mm.register("compute", "a", ttl=ttl)
    assert agent.calls == []


def test_the_heartbeat_keeps_up_with_the_shortest_time_to_live() -> None:
    mm, _, _ = gossip()
    mm.register("compute", "a")
    assert mm._pause == mm.heartbeat_interval
    mm.register("compute", "b", ttl=0.3)
    assert mm._pause == pytest.approx(0.1)
    mm.unregister("compute", "b")
    assert mm._pause == mm.heartbeat_interval


def test_a_shorter_time_to_live_does_not_wait_for_the_round_under_way() -> None:
    mm, _, agent = gossip()
    mm.heartbeat_interval = 3600.0
    mm.register("compute", "a")
    mm.start_heartbeat()
    renewed = threading.Event()
    original = agent.renew

    def renew(topic: str, host: str) -> bool:
        if ("renew", topic, host) in agent.calls and host == "b":
            renewed.set()
        return original(topic, host)

    agent.renew = renew  # type: ignore[method-assign]
    mm.register("compute", "b", ttl=0.01)
    assert renewed.wait(10.0)
    mm.stop_heartbeat()


# -- configuration -------------------------------------------------------------------------


def test_keywords_are_the_fields_of_the_configuration() -> None:
    mm = MatchMakerGossip(name="host-a", join=["seed:7946"], preset="wan", fanout=3)
    assert mm._config == Config.preset("wan", name="host-a", join=("seed:7946",), fanout=3)


def test_a_whole_configuration_can_be_given() -> None:
    config = Config(name="x")
    assert MatchMakerGossip(config=config)._config is config
    with pytest.raises(TypeError, match="not both"):
        MatchMakerGossip(config=config, name="y")


def test_a_wrong_keyword_is_named() -> None:
    with pytest.raises(ConfigError, match="keywords: nmae: is not a field"):
        MatchMakerGossip(nmae="x")
    with pytest.raises(ConfigError, match="join: 'seed:7946' is not a list of strings"):
        MatchMakerGossip(join="seed:7946")


def test_file_and_environment_are_read_without_keywords_and_not_beside_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "gossipmm.toml"
    path.write_text('name = "from-the-file"\nfanout = 5\n')
    monkeypatch.setenv("GOSSIPMM_CONFIG", str(path))
    monkeypatch.setenv("GOSSIPMM_NAME", "from-the-environment")
    assert MatchMakerGossip()._config == Config(name="from-the-environment", fanout=5)
    assert MatchMakerGossip(helpers=2)._config == Config(helpers=2)
    table = FakeTable()
    assert MatchMakerGossip.over(table, FakeAgent(table))._config == Config()


def test_what_was_drained_is_made_again_as_it_was() -> None:
    """After its time to live it came back into picks: the drain was forgotten."""
    mm, _, agent = gossip()
    mm.register("compute", "a", ttl=3.0)
    mm.register("compute", "b", {"zone": "z"}, ttl=3.0, draining=True)
    mm.drain("compute", "a")
    for host in ("a", "b"):
        agent.forget("compute", host)
        mm.ack_alive("compute", host)
    assert agent.draining == {("compute", "a"), ("compute", "b")}
    mm.undrain("compute")
    agent.forget("compute", "b")
    mm.ack_alive("compute", "b")
    assert agent.draining == {("compute", "a")}


def test_metadata_may_be_given_by_its_place() -> None:
    """``register(key, host, metadata)`` worked on every face but the matchmaker."""
    mm, _, agent = gossip()
    mm.register("compute", "a", {"zone": "z1"})
    assert agent.own == {("compute", "a"): ({"zone": "z1"}, None)}
