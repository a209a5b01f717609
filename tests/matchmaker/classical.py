"""What the RPC layer over ZeroMQ of 2013 asked of a matchmaker, call for call."""

from __future__ import annotations

from gossipmm.matchmaker import MatchMakerBase

HOST = "host-a.example.org"
REPLIES = f"zmq_replies.{HOST}"


def call(mm: MatchMakerBase, key: str) -> list[str | None]:
    """Return the addresses that a call, cast or fanout goes to; none was a timeout at once."""
    return [host for _, host in mm.queues(key)]


def start(mm: MatchMakerBase, topic: str = "compute", host: str = HOST) -> None:
    """Start a service: one consumer for each of its three keys, then the heartbeat."""
    for key in (topic, f"{topic}.{host}", topic):
        mm.register(key, host)
    mm.start_heartbeat()


def close(mm: MatchMakerBase, topic: str = "compute", host: str = HOST) -> list[bool | None]:
    """Close it: the keys that its sockets subscribed to are unregistered."""
    mm.stop_heartbeat()
    return [mm.unregister(key, host) for key in (f"{topic}.{host}", f"fanout~{topic}")]


def run_service(mm: MatchMakerBase) -> list[bool | None]:
    """Run a service from its start to its end, with a call of each kind in between."""
    start(mm)
    assert call(mm, "compute")
    assert HOST in call(mm, "fanout~compute")
    assert call(mm, f"compute.{HOST}") == [HOST]
    assert mm.queues(f"compute.{HOST}") == [(f"compute.{HOST}", HOST)]
    return close(mm)
