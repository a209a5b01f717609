"""The agent in a background thread, with real sockets on loopback."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from gossipmm.agent.state import load
from gossipmm.config import Config
from gossipmm.core.node import Node
from gossipmm.core.values.types import Status
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import AgentClosedError, BindError, ForkedError, RegistrationError
from gossipmm.matchmaker import LookupStatus, MatchMakerGossip
from tests.embed.helpers import SOON, config, run_python, thread_of, until


@pytest.fixture
def agent() -> Iterator[ThreadAgent]:
    thread = ThreadAgent(config("one"))
    thread.start()
    yield thread
    thread.close()


def test_two_agents_in_one_process_find_each_others_hosts(agent: ThreadAgent) -> None:
    one = MatchMakerGossip.over(agent.reader, agent)
    with MatchMakerGossip(config=config("two", agent.agent.bound)) as two:
        assert two.wait_joined(SOON)
        one.register("compute", "host-1", metadata={"zone": "a"})
        two.register("compute", "host-2")
        until(thread_of(two), lambda: len(two.queues("fanout~compute")) == 2)
        until(agent, lambda: len(one.queues("fanout~compute")) == 2)
        assert one.queues("fanout~compute") == two.queues("fanout~compute")
        found = two.lookup("compute.host-1")
        assert found.status is LookupStatus.OK
        assert found.hosts[0].nodes == ("one",)
        assert found.hosts[0].metadata == {"zone": "a"}
        assert found.hosts[0].age is not None
        assert found.hosts[0].age < SOON
        two.unregister("compute", "host-2")
        until(agent, lambda: one.queues("compute.host-2") == [])
        assert two.is_alive("compute", "host-1")
        assert [member.name for member in thread_of(two).members()] == ["one", "two"]


def test_the_classical_order_of_calls_from_another_thread() -> None:
    seen: list[object] = []

    def program() -> None:
        mm = MatchMakerGossip(config=config("one"))
        mm.register("compute", "host-1", ttl=5.0)
        mm.start_heartbeat()
        seen.append(mm.queues("compute"))
        mm.stop_heartbeat()
        seen.append(mm.unregister("compute", "host-1"))
        seen.append(mm.queues("compute"))
        mm.close()

    thread = threading.Thread(target=program)
    thread.start()
    thread.join(SOON)
    assert seen == [[("compute.host-1", "host-1")], True, []]


def test_closing_wakes_every_caller_that_waits(agent: ThreadAgent) -> None:
    """Callers used to be left with a bare trio.Cancelled, which no ``except`` expects."""
    alone = ThreadAgent(config("alone", ("127.0.0.1", 9)))
    alone.start()
    raised: list[BaseException] = []
    waiting = threading.Barrier(4)

    def wait() -> None:
        waiting.wait(SOON)
        try:
            alone.wait_joined()
        except BaseException as exc:
            raised.append(exc)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    waiting.wait(SOON)
    alone.close()
    for thread in threads:
        thread.join(SOON)
    assert [type(exc) for exc in raised] == [AgentClosedError] * 3
    with pytest.raises(AgentClosedError):
        alone.register("compute", "a")
    with pytest.raises(AgentClosedError):
        alone.ack_alive("compute", "a")
    alone.close()


def test_waiting_to_join_can_be_given_up() -> None:
    alone = ThreadAgent(config("alone", ("127.0.0.1", 9)))
    alone.start()
    assert alone.wait_joined(0.0) is False
    alone.close()


def test_calls_from_many_threads_while_it_closes_end_in_our_own_error() -> None:
    thread = ThreadAgent(config("one", leave_timeout=0.5))
    thread.start()
    ended: list[type[BaseException]] = []

    def work(number: int) -> None:
        try:
            while True:
                thread.register("compute", f"host-{number}")
                thread.ack_alive("compute", f"host-{number}")
        except BaseException as exc:
            ended.append(type(exc))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in threads:
        worker.start()
    thread.close()
    for worker in threads:
        worker.join(SOON)
    assert ended == [AgentClosedError] * 4


def test_an_address_in_use_is_raised_by_the_call_that_opens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        thread = ThreadAgent(Config(name="one", bind=_text(taken)))
        with pytest.raises(BindError, match="in use"):
            thread.start()
        thread.close()
        with pytest.raises(BindError):
            thread.register("compute", "a")
        mm = MatchMakerGossip(name="one", bind=_text(taken))
        with pytest.raises(BindError):
            mm.queues("compute")
        mm.close()


def _text(sock: socket.socket) -> str:
    host, port = sock.getsockname()
    return f"{host}:{port}"


def test_errors_of_the_agent_reach_the_caller(agent: ThreadAgent) -> None:
    with pytest.raises(RegistrationError, match="contains a dot"):
        agent.register("com.pute", "a")
    assert agent.unregister("compute", "a") is False
    assert agent.renew("compute", "a") is False
    assert agent.report_failure("compute", "a") is False
    assert agent.expire("compute", "a") is False
    assert agent.drain() == 1


def test_a_failed_agent_wakes_its_callers_and_says_how_it_failed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    thread = ThreadAgent(config("one", ("127.0.0.1", 9)))
    thread.start()
    job = thread.spawn(trio.sleep_forever)

    def fail(node: Node, now: float) -> None:
        raise ZeroDivisionError("a fault in the core")

    with caplog.at_level(logging.ERROR, "gossipmm"):
        monkeypatch.setattr(Node, "handle_timer", fail)
        with pytest.raises(AgentClosedError):
            job.result(SOON)
        thread.ended.result(SOON)
    assert "a fault in the core" in caplog.text
    with pytest.raises(AgentClosedError, match=r"failed \(ZeroDivisionError: a fault"):
        thread.register("compute", "a")
    thread.close()


def test_ack_alive_does_not_wait_and_is_taken_once(
    agent: ThreadAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.register("compute", "a")
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(agent.agent, "ack_alive", lambda *args: told.append(args))
    entered, go_on = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        assert go_on.wait(SOON)

    blocked = agent.submit(block)
    assert entered.wait(SOON)
    assert [agent.ack_alive("compute", "a") for _ in range(100)] == [True] * 100
    assert agent.ack_alive("compute", "b") is False
    go_on.set()
    blocked.result(SOON)
    agent.call(lambda: None)
    assert told.count(("compute", "a")) <= 2
    assert ("compute", "b") in told


def test_a_call_that_would_wait_for_itself_is_refused(agent: ThreadAgent) -> None:
    for call in (lambda: agent.register("compute", "a"), lambda: agent.wait_joined()):
        agent.agent.table.joined = False
        with pytest.raises(RuntimeError, match="the very thread"):
            agent.call(call)


def test_a_cancelled_future_has_no_effect(agent: ThreadAgent) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        assert go_on.wait(SOON)

    blocked = agent.submit(block)
    assert entered.wait(SOON)
    future = agent.submit(agent.agent.register, "compute", "a")
    assert future.cancel()
    go_on.set()
    blocked.result(SOON)
    assert agent.call(agent.agent.registrations) == ()


def test_it_is_started_once(agent: ThreadAgent) -> None:
    with pytest.raises(RuntimeError, match="started once"):
        agent.start()
    unstarted = ThreadAgent(config("x"))
    unstarted.close()
    with pytest.raises(AgentClosedError, match="not started"):
        unstarted.register("compute", "a")


def test_a_time_to_live_ends_a_registration_that_nobody_acknowledges(agent: ThreadAgent) -> None:
    mm = MatchMakerGossip.over(agent.reader, agent)
    mm.register("compute", "a", ttl=0.05)
    mm.register("network", "a")
    until(agent, lambda: not mm.queues("compute"))
    assert mm.queues("network") == [("network.a", "a")]
    assert mm.ack_alive("compute", "a") is True
    assert mm.queues("compute") == [("compute.a", "a")]


def test_the_heartbeat_keeps_what_would_expire(agent: ThreadAgent) -> None:
    mm = MatchMakerGossip.over(agent.reader, agent)
    mm.register("compute", "a", ttl=0.5)
    mm.start_heartbeat()
    agent.register("clock", "a", ttl=1.5)
    until(agent, lambda: not mm.queues("clock"))
    assert mm.queues("compute") == [("compute.a", "a")]
    mm.stop_heartbeat()
    until(agent, lambda: not mm.queues("compute"))


# -- forks and the end of the program ------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_is_told_and_does_not_keep_the_port() -> None:
    thread = ThreadAgent(config("one"))
    thread.start()
    mm = MatchMakerGossip.over(thread.reader, thread)
    bound = thread.agent.bound
    reading, writing = os.pipe()
    hold, release = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = []
            for call in (lambda: thread.register("t", "a"), lambda: mm.queues("t")):
                try:
                    call()
                except ForkedError:
                    said.append("ForkedError")
            thread.close()
            os.write(writing, ",".join(said).encode())
            os.close(release)
            os.read(hold, 1)
        finally:
            os._exit(0)
    os.close(writing)
    assert os.read(reading, 100) == b"ForkedError,ForkedError"
    thread.register("compute", "a")
    assert mm.queues("compute") == [("compute.a", "a")]
    thread.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(bound)
    os.close(release)
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(hold)


FORGETFUL = """
import sys
from gossipmm.matchmaker import MatchMakerGossip

mm = MatchMakerGossip(
    preset="local", name="forgetful", bind="127.0.0.1:0", join=[sys.argv[1]], state_file=sys.argv[2]
)
mm.register("compute", "host-f")
mm.wait_joined(15.0)
print("joined", flush=True)
sys.stdin.read()
"""


def test_an_agent_that_its_program_forgets_leaves_and_saves_at_exit(
    agent: ThreadAgent, tmp_path: Path
) -> None:
    mm = MatchMakerGossip.over(agent.reader, agent)
    host, port = agent.agent.bound
    state = str(tmp_path / "state.json")
    with run_python(FORGETFUL, f"{host}:{port}", state) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "joined\n"
        until(agent, lambda: mm.queues("compute"))
        _, errors = program.communicate("", timeout=SOON)
        assert (program.returncode, errors) == (0, "")
    until(agent, lambda: mm.queues("compute") == [])
    (member,) = [member for member in agent.members() if member.name == "forgetful"]
    assert member.status is Status.LEFT
    assert load(state, name="forgetful", cluster="gossipmm").peers == ((host, port),)
