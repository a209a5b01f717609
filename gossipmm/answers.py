"""The answers of verbs, the same on every face (those of the core itself: ``values.types``).

The long answer to a key: each host with its state, age and source, and what "nobody" means.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from gossipmm.core.values.types import NO_METADATA, HostState, Metadata


class LookupStatus(StrEnum):
    """How a key was answered."""

    OK = "ok"
    #: The last known hosts: none is live, and this agent may be the one cut off.
    STALE = "stale"
    #: The table is not yet joined, so a missing host proves nothing. Hosts are the ring file's.
    NOT_JOINED = "not_joined"
    #: The topic is known, but nobody who may be picked for this key is alive.
    NOBODY_ALIVE = "nobody_alive"
    #: No record of any member, dead ones included, has the topic.
    UNKNOWN_TOPIC = "unknown_topic"


class FoundHost(NamedTuple):
    """One host of a topic, as this node holds it."""

    #: What to send to: ``topic.host``, or ``fanout~topic.host`` for a fanout key.
    key: str
    host: str
    #: None where only the ring file, or nobody, vouches for it.
    state: HostState | None = None
    #: Seconds since the freshest evidence that its owner is alive; None without a record.
    age: float | None = None
    #: Seconds for which it has been in this state here; None without a record.
    in_state: float | None = None
    #: ``gossip`` (a record of ``nodes``), ``ring`` (the ring file) or ``key`` (only the key).
    source: str = "gossip"
    #: Names of the nodes whose records register it.
    nodes: tuple[str, ...] = ()
    metadata: Metadata = NO_METADATA


class Lookup(NamedTuple):
    """The answer to one key, at one moment."""

    key: str
    topic: str
    status: LookupStatus
    #: Those that ``queues`` answers with; for a topic key, those that it picks one of.
    hosts: tuple[FoundHost, ...] = ()
    #: Other known hosts of the topic, which this key does not answer with (draining, suspected
    #: while others are live, ...).
    others: tuple[FoundHost, ...] = ()
