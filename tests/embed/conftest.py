"""An agent that blocks, beside another one that each file makes as it needs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.child import ChildAgent
from gossipmm.embed.thread import ThreadAgent
from tests.embed.helpers import SOON, config, until


@pytest.fixture(params=[ThreadAgent, ChildAgent], ids=["thread", "child"])
def agent(request: pytest.FixtureRequest, peer: ThreadAgent) -> Iterator[BlockingAgent]:
    agent = request.param(config("me", peer.agent.bound))
    agent.start()
    assert agent.wait_joined(SOON)
    until(peer, lambda: peer.reader.joined and len(peer.agent.members()) == 2)
    yield agent
    agent.close()
