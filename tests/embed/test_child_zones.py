"""Zones, weights and distances where the agent is another process: its program picks by them."""

import time
from collections import Counter

from gossipmm.embed.child import ChildMatchMaker
from gossipmm.embed.thread import ThreadAgent
from tests.embed.helpers import SOON, config, until
from tests.embed.test_child import peer as peer


def test_a_child_knows_zones_and_weights(peer: ThreadAgent) -> None:
    """They are its agent's, in the other process, and change there."""
    settings = config("child", peer.agent.bound, metadata={"zone": "eu"}, prefer="zone")
    with ChildMatchMaker(config=settings) as mm:
        assert mm.wait_joined(SOON)
        peer.register("t", "in-us", {"zone": "us"})
        peer.register("t", "in-eu", {"zone": "eu", "weight": 300})
        mm.register("t", "child")
        until(peer, lambda: mm.topics()["t"].picks == ("child", "in-eu", "in-us"))
        assert Counter(host for _ in range(8) for _, host in mm.queues("t")) == {
            "child": 2,
            "in-eu": 6,
        }
        assert "in zone us: this node" in mm.lookup("t").others[0].why
        mm.agent.set_metadata({"zone": "us"})
        until(peer, lambda: mm.queues("t") == [("t.in-us", "in-us")])
        assert len({host for _ in range(9) for _, host in mm.queues("t", prefer="none")}) == 3


def test_a_child_knows_which_hosts_are_near() -> None:
    """[P183]: the estimates are its agent's, and are asked for when a pick goes by them."""
    peer = ThreadAgent(config("peer", distances=True))
    peer.start()
    settings = config("child", peer.agent.bound, distances=True)
    try:
        with ChildMatchMaker(config=settings) as mm:
            assert mm.wait_joined(SOON)
            peer.register("t", "a-peer")
            mm.register("t", "child")
            nearest: list[str | None] = []
            end = time.monotonic() + SOON
            while nearest != ["child", "a-peer"] and time.monotonic() < end:
                nearest = [host for _, host in mm.queues("fanout~t", prefer="near")]
                time.sleep(0.05)
            assert nearest == ["child", "a-peer"], "this node's own host is at 0"
    finally:
        peer.close()
