"""The service of the time over real agents, in a thread and in a child process."""

from __future__ import annotations

import time
import weakref
from dataclasses import replace

import pytest

from gossipmm.config import Config
from gossipmm.embed.child import ChildMatchMaker
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import BindError
from gossipmm.matchmaker import MatchMakerGossip
from tests.embed.helpers import SOON, config
from tests.matchmaker.classical import HOST, REPLIES, close, run_service, start


@pytest.mark.parametrize("kind", [MatchMakerGossip, ChildMatchMaker])
def test_a_service_starts_serves_and_closes(kind: type[MatchMakerGossip]) -> None:
    """Every service registers ``topic``, ``topic.host``, ``topic``: the second was refused."""
    with kind(config=config("host-a")) as mm:
        assert run_service(mm) == [True, False]
        assert mm.registrations() == ()
        assert run_service(mm) == [True, False]


def opened(config: Config) -> MatchMakerGossip:
    """Open one as soon as its address is free: the agent before it leaves in its own thread."""
    end = time.monotonic() + SOON
    while True:
        try:
            return MatchMakerGossip(config=config).open()
        except BindError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def let_go(held: list[MatchMakerGossip], gone: weakref.ref[MatchMakerGossip]) -> None:
    """Drop it; its own threads may hold it for a moment longer."""
    held.clear()
    end = time.monotonic() + SOON
    while gone() is not None and time.monotonic() < end:
        time.sleep(0.01)


def test_a_matchmaker_that_was_let_go_leaves_its_address_to_the_next_one() -> None:
    """``mm = None`` and a new one was BindError, and the old agent went on for ever."""
    first = MatchMakerGossip(config=config("host-a"))
    start(first, host="host-a")
    bind = "{}:{}".format(*first.bound)
    again = replace(config("host-a"), bind=bind)
    with pytest.raises(BindError, match="the address is in use"):
        MatchMakerGossip(config=again).open()
    held, gone = [first], weakref.ref(first)
    del first
    with pytest.warns(ResourceWarning, match="was dropped, but not closed"):
        let_go(held, gone)
    with opened(again) as second:
        start(second, host="host-a")
        assert second.queues("compute") == [("compute.host-a", "host-a")]
        close(second, host="host-a")


@pytest.mark.parametrize("kind", [MatchMakerGossip, ChildMatchMaker])
def test_a_reply_finds_the_host_of_a_service_and_a_caller_without_one(
    kind: type[MatchMakerGossip],
) -> None:
    """Nobody registers ``zmq_replies``, so no reply was sent, and every call timed out."""
    caller = ThreadAgent(config("api-1"))
    caller.start()
    with kind(config=config("host-a", caller.bound)) as mm:
        assert mm.wait_joined(SOON)
        start(mm)
        for host, queue in ((HOST, REPLIES), ("api-1", "zmq_replies.api-1")):
            assert mm.queues(queue) == [(queue, host)]
            assert mm.lookup(queue).hosts[0].source == "elsewhere"
        close(mm)
        assert mm.queues(REPLIES) == mm.queues("zmq_replies.nobody") == []
        mm.register("compute", HOST, {"rpc": "tcp://127.0.0.1:1"})
        ((queue, found),) = mm.queues("compute")
        assert found is not None
        entry = mm.host(queue, found)
        assert entry is not None
        assert entry.metadata["rpc"] == "tcp://127.0.0.1:1"
    caller.close()
