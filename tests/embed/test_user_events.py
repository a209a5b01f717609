"""User events on the faces for programs that block: any bytes, and the error of a flood."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gossipmm.core.values.user_events import UserEvent
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.child import ChildAgent
from gossipmm.embed.pipe import error_from, error_to
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import UserEventError, UserEventRateError
from tests.embed.helpers import config


@pytest.fixture(params=[ThreadAgent, ChildAgent], ids=["thread", "child"])
def agent(request: pytest.FixtureRequest) -> Iterator[BlockingAgent]:
    agent = request.param(config("me"))
    agent.start()
    yield agent
    agent.close()


def test_a_program_that_blocks_sends_and_is_told(agent: BlockingAgent) -> None:
    with agent.watch(UserEvent) as events:
        assert agent.send_event("deploy", b"v1\x00\xff") == 1
        event = next(iter(events))
    assert isinstance(event, UserEvent)
    assert (event.name, event.event_name, event.payload) == ("me", "deploy", b"v1\x00\xff")
    with pytest.raises(UserEventError, match="the payload has 513 bytes"):
        agent.send_event("deploy", bytes(513))
    assert agent.send_event("text", "ä", topic="web", metadata={"zone": "a"}) == 2


def test_when_to_try_again_comes_over_the_pipe_of_a_child() -> None:
    error = error_from(error_to(UserEventRateError("too many", retry_after=0.25)))
    assert isinstance(error, UserEventRateError)
    assert (str(error), error.retry_after) == ("too many", 0.25)
