"""``Agent.matchmaker`` from threads: whatever touches the node happens in Trio's own thread."""

import threading
from contextlib import contextmanager
from functools import partial

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.errors import AgentClosedError, MatchMakerException
from tests.agent.memory_network import Air

SOON = 10.0


@pytest.fixture
async def agent():
    """An agent with nobody to join, in real time: its callers are real threads."""
    async with Air() as air:
        config = Config(name="a", bind="127.0.0.1:1")
        async with open_agent(config, network=air.host()) as agent:
            yield agent


CALLS = {
    "register": lambda mm: mm.register("compute", "b", metadata={"zone": "z"}, ttl=60.0),
    "unregister": lambda mm: mm.unregister("compute", "a"),
    "renew": lambda mm: mm.ack_alive("compute", "a"),
    "ack_alive": lambda mm: mm.ack_alive("network", "b"),
    "report_failure": lambda mm: mm.report_failure("compute", "a"),
    "expire": lambda mm: mm.expire("compute", "a"),
    "drain": lambda mm: mm.drain(),
}


@contextmanager
def recorded(node, name, monkeypatch):
    """Give the threads that a method of the node is called in."""
    threads = []
    method = getattr(node, name)

    def record(*args, **kwargs):
        threads.append(threading.current_thread())
        return method(*args, **kwargs)

    monkeypatch.setattr(node, name, record)
    yield threads


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_from_a_worker_thread_is_made_in_trios_own(agent, name, monkeypatch):
    """It was made in the worker: two threads in one Node, and Trio's deadlines moved from outside.

    ``Driver.flush`` then set the deadline of a cancel scope that Trio was waiting in.
    """
    agent.matchmaker.register("compute", "a")
    with recorded(agent._node, name, monkeypatch) as threads:
        await trio.to_thread.run_sync(CALLS[name], agent.matchmaker)
        CALLS[name](agent.matchmaker)
    assert set(threads) == {threading.current_thread()}
    assert len(threads) >= 2


async def test_the_heartbeat_renews_in_trios_own_thread(agent, monkeypatch):
    """``start_heartbeat`` starts a thread, and that one renewed by itself."""
    mm = agent.matchmaker
    mm.heartbeat_interval = 0.001
    mm.register("compute", "a", ttl=60.0)
    rounds = trio.Event()
    with recorded(agent._node, "renew", monkeypatch) as threads:
        renew = agent.renew

        def count(topic, host):
            if len(threads) >= 5:
                rounds.set()
            return renew(topic, host)

        monkeypatch.setattr(agent, "renew", count)
        mm.start_heartbeat()
        with trio.fail_after(SOON):
            await rounds.wait()
        mm.stop_heartbeat()
    assert set(threads) == {threading.current_thread()}


async def test_the_heartbeat_is_stopped_at_once_from_the_thread_that_it_waits_for(
    agent, monkeypatch
):
    """Joining a thread that waits for this one took ``stop_timeout``, ten seconds of silence."""
    mm = agent.matchmaker
    mm.register("compute", "a")
    monkeypatch.setattr(mm, "stop_timeout", 3600.0)
    mm.start_heartbeat()
    heart = mm._heart
    mm.stop_heartbeat()
    with trio.fail_after(SOON):
        await trio.to_thread.run_sync(heart.join)
    mm.start_heartbeat()
    with trio.fail_after(SOON):
        await trio.to_thread.run_sync(mm.stop_heartbeat)


async def test_who_waits_for_trio_holds_no_lock_that_trios_thread_wants(agent, monkeypatch):
    """A worker in ``register`` held the registrations' lock while it waited for Trio's thread.

    That thread, in ``register`` itself, waited for the lock: the program stood still for ever.
    """
    mm = agent.matchmaker
    waits = threading.Event()
    run_sync = trio.from_thread.run_sync

    def wait(*args, **kwargs):
        waits.set()
        return run_sync(*args, **kwargs)

    monkeypatch.setattr(trio.from_thread, "run_sync", wait)
    worker = threading.Thread(target=mm.register, args=("compute", "worker"))
    worker.start()
    assert waits.wait(SOON)
    assert mm._changing.acquire(timeout=SOON)
    mm._changing.release()
    mm.register("compute", "trio")
    with trio.fail_after(SOON):
        await trio.to_thread.run_sync(worker.join)
    assert [host for _, host in mm.queues("fanout~compute")] == ["trio", "worker"]


async def test_errors_come_back_to_the_worker(agent):
    with pytest.raises(MatchMakerException, match="register a host before"):
        await trio.to_thread.run_sync(agent.matchmaker.start_heartbeat)
    with pytest.raises(MatchMakerException, match="contains a dot"):
        await trio.to_thread.run_sync(agent.matchmaker.register, "com.pute", "a")


async def test_all_threads_get_the_same_matchmaker(agent):
    found = [None, None]

    async def ask(number):
        found[number] = await trio.to_thread.run_sync(lambda: agent.matchmaker)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, 0)
        nursery.start_soon(ask, 1)
    assert found[0] is found[1] is agent.matchmaker


async def test_after_the_agent_a_worker_gets_our_own_error():
    async with Air() as air:
        async with open_agent(Config(name="a", bind="127.0.0.1:1"), network=air.host()) as agent:
            agent.matchmaker.register("compute", "a")
        with pytest.raises(AgentClosedError, match="was closed"):
            await trio.to_thread.run_sync(agent.matchmaker.register, "compute", "b")


def test_after_trio_too():
    """Trio's own error, RunFinishedError, is none that a caller of a matchmaker expects."""

    async def main():
        async with Air() as air:
            config = Config(name="a", bind="127.0.0.1:1")
            async with open_agent(config, network=air.host()) as agent:
                agent.matchmaker.register("compute", "a")
                agent.matchmaker.start_heartbeat()
                return agent.matchmaker

    matchmaker = trio.run(main)
    ended = []
    for call in (partial(matchmaker.register, "compute", "b"), matchmaker.send_heartbeats):

        def attempt(call=call):
            with pytest.raises(AgentClosedError):
                call()
            ended.append(call)

        for run in (attempt, lambda run=attempt: _in_thread(run)):
            run()
    assert len(ended) == 4
    heart = matchmaker._heart
    matchmaker.stop_heartbeat()
    heart.join(SOON)
    assert not heart.is_alive()


def _in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(SOON)
