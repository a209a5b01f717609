"""Direct keys of topics that nobody registers: the replies of the classical RPC.

A caller names ``zmq_replies.HOST`` as where it waits; whoever answers looks that up.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gossipmm.core.values.types import HostState
from gossipmm.matchmaker import LookupStatus, MatchMakerGossip
from tests.matchmaker.classical import HOST, REPLIES
from tests.matchmaker.helpers import FakeAgent, FakeTable, gossip, live

REPLY = [(REPLIES, HOST)]


@pytest.mark.parametrize("state", [*HostState])
def test_a_reply_reaches_a_host_that_is_up_in_any_topic(state: HostState) -> None:
    """No program registers ``zmq_replies``, so every reply was lost, and every call timed out."""
    mm, _, _ = gossip({"network": live("b"), "compute": {HOST: state}})
    up = state is not HostState.STALE
    assert mm.queues(REPLIES) == (REPLY if up else [])
    found = mm.lookup(REPLIES)
    assert found.status is (LookupStatus.OK if up else LookupStatus.UNKNOWN_TOPIC)
    assert [(host.key, host.source, host.state) for host in found.hosts] == (
        [(REPLIES, "elsewhere", None)] if up else []
    )


def test_a_reply_reaches_a_member_that_registers_nothing() -> None:
    """A service's clients call, and wait for replies, without a topic of their own."""
    mm, table, _ = gossip()
    assert mm.queues(REPLIES) == []
    table.members.add(HOST)
    assert mm.queues(REPLIES) == REPLY
    table.members.clear()
    assert mm.queues(REPLIES) == []


def test_a_topic_that_somebody_registers_vouches_for_its_own_hosts_alone() -> None:
    """Else ``compute.HOST`` would be answered although HOST runs no compute service."""
    mm, _, _ = gossip({"compute": live("b"), "network": live(HOST), "idle": {}})
    assert mm.queues(f"compute.{HOST}") == mm.queues(f"idle.{HOST}") == []
    assert mm.queues("zmq_replies") == mm.queues("fanout~zmq_replies") == []
    assert mm.is_alive("zmq_replies", HOST) is False


def test_before_the_table_is_joined_a_reply_goes_where_it_says(tmp_path: Path) -> None:
    """Who is called before it has joined knows the caller from the call alone."""
    mm, _, _ = gossip({"compute": live("b")}, joined=False)
    assert mm.queues(REPLIES) == REPLY
    found = mm.lookup(REPLIES)
    assert (found.status, found.hosts[0].source) == (LookupStatus.NOT_JOINED, "key")
    assert mm.queues(f"compute.{HOST}") == []
    path = tmp_path / "ring.json"
    path.write_text(json.dumps({"zmq_replies": ["b"]}))
    mm, _, _ = gossip(joined=False, ring_file=str(path))
    assert mm.queues(REPLIES) == []  # the ring knows the topic, and not the host


def test_replies_are_always_answered_where_liveness_is_not_checked() -> None:
    mm, _, _ = gossip(direct_checks_liveness=False)
    assert mm.queues(REPLIES) == REPLY
    assert mm.lookup(REPLIES).hosts[0].source == "key"


def test_a_table_that_cannot_tell_is_searched() -> None:
    """A reader of one's own, written for the two members that a reader has to have."""

    class Reader:
        def __init__(self, table: FakeTable) -> None:
            self.topics = table.topics
            self.joined = True

    table = FakeTable({"compute": {HOST: HostState.STALE, "b": HostState.LIVE}})
    mm = MatchMakerGossip.over(Reader(table), FakeAgent(table))
    assert mm.queues(REPLIES) == []
    assert mm.queues("zmq_replies.b") == [("zmq_replies.b", "b")]
