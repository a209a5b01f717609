"""Queries are asked, and answered by functions, on the faces for programs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gossipmm.core.values.queries import QueryAsked
from gossipmm.core.values.questions import Outcome
from gossipmm.embed import asyncio as embed
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import QueryError, QueryRateError
from tests.embed.helpers import SOON, config


@pytest.fixture
def peer() -> Iterator[ThreadAgent]:
    thread = ThreadAgent(config("peer"))
    thread.start()
    thread.on_query("echo", lambda asked: b"echo of " + asked.payload)
    yield thread
    thread.close()


def test_programs_that_block_ask_and_answer(agent: BlockingAgent, peer: ThreadAgent) -> None:
    found = agent.query("echo", b"\xff", timeout=SOON)
    assert [(one.name, one.outcome) for one in found.answers] == [
        ("me", Outcome.NO_HANDLER),
        ("peer", Outcome.DONE),
    ]
    assert found.done[0].payload == b"echo of \xff"
    assert not found.silent
    assert agent.query("echo", topic="nothing").answers == ()
    with pytest.raises(QueryError, match="513 bytes, more than the 512 allowed"):
        agent.query("echo", b"x" * 513)
    with pytest.raises(QueryRateError, match="retry after") as refused:
        for _ in range(30):
            agent.query("echo", topic="nothing")
    assert 0.0 < refused.value.retry_after <= 2.0


def test_a_function_that_fails_is_an_answer(peer: ThreadAgent) -> None:
    def broken(asked: QueryAsked) -> str:
        raise OSError

    peer.on_query("broken", broken)
    (answer,) = peer.query("broken", timeout=SOON).answers
    assert (answer.outcome, answer.payload) == (Outcome.FAILED, b"OSError")
    peer.on_query("broken", None)
    assert peer.query("broken").answers[0].outcome is Outcome.NO_HANDLER


def test_programs_of_asyncio_do_both(peer: ThreadAgent) -> None:
    async def answer(asked: QueryAsked) -> str:
        await asyncio.sleep(0)
        return f"{asked.name} for {asked.asker}"

    async def main() -> None:
        host, port = peer.agent.bound
        options = {"name": "me", "bind": "127.0.0.1:0", "join": (f"{host}:{port}",)}
        async with embed.open_agent(preset="local", **options) as agent:  # type: ignore[arg-type]
            assert await agent.wait_joined(SOON)
            await agent.on_query("load", answer)
            found = await agent.query("load", timeout=SOON)
            assert [one.payload for one in found.done] == [b"load for me"]
            assert (await agent.query("echo", "x", timeout=SOON)).done[0].payload == b"echo of x"
            await agent.on_query("load", None)

    async def limited() -> None:
        async with asyncio.timeout(SOON):
            await main()

    asyncio.run(limited(), debug=True)
