"""The answers to keys, as the control API has them."""

from __future__ import annotations

import msgspec

from gossipmm.sidecar.api.schemas import Scalar, Seconds

__all__ = ("FoundHost", "Lookup", "Queues")


class Queues(msgspec.Struct, kw_only=True):
    """The answer to a key: pairs of queue key and host; empty: nobody, and ``status`` says why."""

    key: str
    #: ok, unhealthy, stale, not_joined, nobody_alive or unknown_topic.
    status: str
    queues: list[tuple[str, str | None]]


class FoundHost(msgspec.Struct, kw_only=True):
    """One host in the answer to a key, with what is known about it."""

    key: str
    host: str
    state: str | None
    heard_ago: Seconds | None
    since_ago: Seconds | None
    #: gossip, ring (the ring file) or key (only the key vouches for it).
    source: str
    nodes: list[str]
    metadata: dict[str, Scalar]
    #: Its zone (empty: none), and how many turns it gets beside others.
    zone: str
    weight: int
    #: In words why a topic's key is not answered with it, or what is odd about its weight.
    why: str


class Lookup(msgspec.Struct, kw_only=True):
    """The detailed answer to a key. Takes no turn of the round robin."""

    key: str
    topic: str
    status: str
    #: The hosts that ``queues`` answers with, or picks one from.
    hosts: list[FoundHost]
    #: Other hosts of the topic: draining, or suspected while others are live, ...
    others: list[FoundHost]
    #: In words what the preference did: from which zones, or from how near hosts, is picked (it is
    #: called after the first of the two). Empty: there is none.
    zones: str
