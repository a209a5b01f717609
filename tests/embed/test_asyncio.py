"""The agent beside an asyncio loop, with real sockets on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gossipmm.core.values.events import HostChanged
from gossipmm.embed import asyncio as embed
from gossipmm.errors import AgentClosedError, BindError, ConfigError, RegistrationError
from gossipmm.matchmaker import LookupStatus
from tests.embed.helpers import SOON, config


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run a test's coroutine on a loop of its own, for SOON seconds at most."""

    async def limited() -> Any:
        async with asyncio.timeout(SOON):
            return await main()

    return asyncio.run(limited(), debug=True)


def agent_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("gossipmm-")]


async def until(agent: embed.AsyncAgent, predicate: Callable[[], object]) -> None:
    async with agent.watch() as events:
        while not predicate():
            await anext(events)


def test_two_agents_find_each_others_hosts() -> None:
    async def main() -> None:
        async with (
            embed.open_agent(config("one")) as one,
            embed.open_agent(config("two", one.bound)) as two,
        ):
            await two.wait_joined()
            await one.register("compute", "host-1", {"zone": "a"})
            await two.register("compute", ttl=60.0)
            await until(two, lambda: len(two.queues("fanout~compute")) == 2)
            assert (one.name, two.name) == ("one", "two")
            assert [host for _, host in two.queues("fanout~compute")] == ["host-1", "two"]
            assert two.queues("compute", routing_key="k") == two.queues("compute", routing_key="k")
            found = await two.lookup("compute.host-1")
            assert found.status is LookupStatus.OK
            assert found.hosts[0].metadata == {"zone": "a"}
            assert await two.ack_alive("compute", "host-1")
            assert await two.report_failure("compute", "host-1")
            assert await two.renew("compute", "two")
            assert await two.drain("compute", "two") == 1
            assert await two.unregister("compute", "two")
            assert await two.registrations() == ()
            assert [view.name for view in await two.members()] == ["one", "two"]
            assert (await two.member("one")) is not None
            assert await two.forget("one") is False
            assert await two.expire("compute", "unknown") is False
            assert (await two.agreement()).fingerprint is not None
            assert isinstance(await two.why("one"), tuple)
            assert two.matchmaker.queues("compute") == [("compute.host-1", "host-1")]
            assert two.now() >= 0.0
            assert two.addresses == (two.bound,)
            assert two.table.joined
            told = await two.leave()
            assert told.told == 1

    run(main)
    assert agent_threads() == []


def test_errors_come_across() -> None:
    async def main() -> None:
        async with embed.open_agent(config("one")) as one:
            with pytest.raises(RegistrationError, match="contains a dot"):
                await one.register("com.pute", "a")
            host, port = one.bound
            with pytest.raises(BindError, match="in use"):
                async with embed.open_agent(name="two", bind=f"{host}:{port}"):
                    pytest.fail("opened")
        with pytest.raises(AgentClosedError):
            await one.register("compute", "a")
        with pytest.raises(AgentClosedError):
            await one.wait_joined()
        with pytest.raises(ConfigError, match="nmae"):
            async with embed.open_agent(nmae="x"):
                pytest.fail("opened")
        with pytest.raises(TypeError, match="not both"):
            async with embed.open_agent(config("x"), name="y"):
                pytest.fail("opened")

    run(main)
    assert agent_threads() == []


def test_a_cancelled_await_ends_the_call_in_the_other_thread() -> None:
    """Waits until it began: asyncio of Python 3.14 may go on without running the tasks."""

    async def main() -> None:
        async with embed.open_agent(config("alone", ("127.0.0.1", 9))) as agent:
            began, ended = threading.Event(), threading.Event()

            async def patient() -> None:
                import trio

                began.set()
                try:
                    await trio.sleep_forever()
                finally:
                    ended.set()

            waiting = asyncio.create_task(agent._spawn(patient))
            joining = asyncio.create_task(agent.wait_joined())
            assert await asyncio.to_thread(began.wait, SOON)
            waiting.cancel()
            joining.cancel()
            for task in (waiting, joining):
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert ended.is_set()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await agent.wait_joined()
            await agent.register("compute", "a")

    run(main)


def test_a_block_that_is_cancelled_leaves_first() -> None:
    async def main() -> None:
        opened = asyncio.Event()
        agents: list[embed.AsyncAgent] = []

        async def block() -> None:
            async with embed.open_agent(config("one")) as agent:
                agents.append(agent)
                opened.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(block())
        await opened.wait()
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert agents[0]._thread.ended.done()
        assert agents[0]._agent._node.left

    run(main)
    assert agent_threads() == []


def test_one_that_is_cancelled_while_it_opens_ends() -> None:
    async def main() -> None:
        async def block() -> None:
            async with embed.open_agent(config("one")):
                pytest.fail("opened")

        task = asyncio.create_task(block())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)
    assert agent_threads() == []


def test_watching_loses_no_event_to_a_cancelled_step_and_ends_with_the_agent() -> None:
    async def main() -> None:
        async with embed.open_agent(config("one")) as one:
            watch = one.watch(HostChanged)
            step = asyncio.create_task(anext(watch))
            while watch._step is None:
                await asyncio.sleep(0)
            step.cancel()
            with pytest.raises(asyncio.CancelledError):
                await step
            for host in "abc":
                await one.register("compute", host)
            seen = [await anext(watch) for _ in range(3)]
            assert [isinstance(event, HostChanged) and event.host for event in seen] == [*"abc"]
            last = asyncio.create_task(anext(watch, "ended"))
            await asyncio.sleep(0)
        assert await last == "ended"
        assert [event async for event in watch] == []

    run(main)


def test_watchers_can_be_closed() -> None:
    async def main() -> None:
        async with embed.open_agent(config("one")) as one:
            async with one.watch() as watch:
                await one.register("compute", "a")
                assert (await anext(watch)) is not None
            assert [event async for event in watch] == []
            await one.watch().aclose()

    run(main)
