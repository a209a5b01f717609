"""The service of the time over real agents, in a thread and in a child process."""

from __future__ import annotations

import pytest

from gossipmm.embed.child import ChildMatchMaker
from gossipmm.embed.thread import ThreadAgent
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
