"""All members are asked, and another one is drained, on the faces for programs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gossipmm.core.values.questions import Outcome
from gossipmm.core.values.types import NodeState
from gossipmm.embed import asyncio as embed
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import AgentClosedError
from tests.embed.helpers import SOON, config


@pytest.fixture
def peer() -> Iterator[ThreadAgent]:
    thread = ThreadAgent(config("peer", accept_drain=True))
    thread.start()
    yield thread
    thread.close()


def test_programs_that_block_ask_everybody(agent: BlockingAgent, peer: ThreadAgent) -> None:
    me, other = agent.status_all(SOON)
    assert (me.name, other.name) == ("me", "peer")
    assert (other.outcome, other.verdict) == (Outcome.DONE, "ok")
    assert other.version == me.version


def test_programs_that_block_drain_another_one(agent: BlockingAgent, peer: ThreadAgent) -> None:
    assert agent.drain_member("peer", timeout=SOON)[:2] == (Outcome.DONE, 1)
    own = peer.agent.member("peer")
    assert own is not None
    assert own.node_state is NodeState.DRAINING
    assert agent.drain_member("peer", "nothing", timeout=SOON).outcome is Outcome.NOT_REGISTERED
    assert agent.drain_member("peer", draining=False, timeout=SOON).changed == 1
    agent.leave()
    with pytest.raises(AgentClosedError):
        agent.status_all()


def test_programs_that_block_ask_how_far_it_is(agent: BlockingAgent) -> None:
    found = agent.rtt("peer", timeout=SOON)
    assert (found.outcome, found.of) == (Outcome.NOT_ALLOWED, "me")


def test_programs_of_asyncio_do_both(peer: ThreadAgent) -> None:
    async def main() -> None:
        host, port = peer.agent.bound
        options = {"name": "me", "bind": "127.0.0.1:0", "join": (f"{host}:{port}",)}
        async with embed.open_agent(preset="local", **options) as agent:  # type: ignore[arg-type]
            assert await agent.wait_joined(SOON)
            _, other = await agent.status_all(SOON)
            assert other.verdict == "ok"
            assert (await agent.drain_member("peer", timeout=SOON)).outcome is Outcome.DONE

    async def limited() -> None:
        async with asyncio.timeout(SOON):
            await main()

    asyncio.run(limited(), debug=True)
