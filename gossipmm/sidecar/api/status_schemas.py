"""The shape of ``GET /v1/status``, with the conventions of ``schemas``."""

from __future__ import annotations

import msgspec

from gossipmm.answers import VerdictName
from gossipmm.sidecar.api.schemas import Count, Seconds

__all__ = ("Distances", "Identity", "Peer", "SelfHealth", "StatusAnswer", "Traffic", "UserEvents")


class Peer(msgspec.Struct, kw_only=True):
    """A live peer whose table differs from this one."""

    name: str
    since_ago: Seconds


class Traffic(msgspec.Struct, kw_only=True):
    """Gossip since the start. Bytes are UDP payload; add 28 a datagram for IPv4 and UDP headers."""

    sent_bytes: Count
    received_bytes: Count
    sent_datagrams: Count
    received_datagrams: Count
    #: Datagrams, or parts of them, that were refused; by reason.
    dropped: dict[str, int]
    #: Smoothed round trip of a probe (0: none yet), and share of probes that needed a second try.
    rtt: Seconds
    loss: float


class SelfHealth(msgspec.Struct, kw_only=True):
    """How well this node itself is, as its failure detector goes by it."""

    #: Its own timers fired late; it heard nobody; members whose accusation it holds back for that.
    slow: bool
    deaf: bool
    held: Count
    #: Share of answered probes that needed more than one try, and the smoothed round trip.
    loss: float
    rtt: Seconds
    #: Most of what it sends or is sent is lost: the others hold it on probation.
    impaired: bool
    #: Share of the last probes of this node whose sender asked a third time.
    unheard: float
    #: Share of what is sent to this node that is lost, by the tries of probes that did not arrive.
    missed: float
    #: Members about which broadcasts wait, peers whose last answers said that they are slow, and
    #: paths on which large datagrams are lost.
    broadcasts: Count
    slow_peers: Count
    small_paths: Count


class Identity(msgspec.Struct, kw_only=True):
    """How far this agent goes with identities, and who is not as far."""

    #: off, announce or require.
    mode: str
    #: Id of this node's key, and the key as text; empty: it has none.
    key: str
    public: str
    #: Ids of the authorities whose certificates count; empty: the first key of a name does.
    authorities: list[str]
    #: Issue number and end (seconds since 1970) of its own certificate; null: it has none.
    issue: Count | None
    expires: Seconds | None
    #: Live members, this one included, by what stands behind their names.
    members: dict[str, int]
    #: Members that agents with require refuse: they do not sign, or have no certificate.
    not_ready: list[str]
    #: Name that somebody uses with another key than it has -> the id of that key.
    conflicts: dict[str, str]
    #: Members that signed two pages of one version.
    equivocating: list[str]
    revoked: list[str]  #: names whose certificate was revoked
    #: Member whose certificate ends within a week, or has ended -> seconds since 1970.
    ending: dict[str, Seconds]
    clock_ahead: float  #: of most members, in seconds; 0: within five minutes


class UserEvents(msgspec.Struct, kw_only=True):
    """What became of user events here since the start, and what this node may send now."""

    sent: Count
    #: Given to this node's watchers and handlers, its own events among them.
    delivered: Count
    #: Meant for members with another topic or other metadata.
    filtered: Count
    #: Heard more than once, and told once.
    repeated: Count
    #: Did not come in time.
    lost: Count
    #: Those of others: over their budget, or not valid.
    refused: Count
    #: Before they were asked for, for want of memory.
    forgotten: Count
    #: Those that programs here wanted to send: refused at this node's own door.
    over_budget: Count
    #: Events, and bytes of them, that it may send at once now.
    room: Count
    room_bytes: Count


class Distances(msgspec.Struct, kw_only=True):
    """How far this agent trusts the estimates of its distances."""

    #: False: it keeps no coordinate.
    on: bool
    #: Share by which its own estimates are usually off; null: it has measured nobody yet.
    error: float | None


class StatusAnswer(msgspec.Struct, kw_only=True):
    """The state of this agent, and how far the others agree with its table."""

    #: What to take it for, in a word; and why, in words: empty when all is well.
    verdict: VerdictName
    reasons: list[str]
    reason_codes: list[str]
    name: str
    cluster: str
    version: str
    generation: str
    addresses: list[str]
    uptime: Seconds
    #: The table agreed with a peer's at least once, or there is nobody to join.
    joined: bool
    leaving: bool
    #: Addresses of another live process with this node's name.
    conflict: list[str]
    #: Most of its replies are being lost: the others hold it on probation.
    impaired: bool
    health: SelfHealth
    #: Seed -> what is wrong with it, or with this node as the seed sees it.
    trouble: dict[str, str]
    faults: dict[str, str]  #: code -> what is wrong with this node or its machine now
    paths: dict[str, str]  #: member -> what is wrong with the path to it now
    fingerprint: str
    #: Live peers by what was last heard of their fingerprint: equal, nothing since this table last
    #: changed, different.
    agree: Count
    unheard: Count
    differ: list[Peer]
    #: Members by status; a status that nobody has is left out.
    members: dict[str, int]
    topics: Count
    registrations: Count
    traffic: Traffic
    watchers: Count
    process: int
    control: list[str]
    event_id: str
    identity: Identity
    user_events: UserEvents
    distances: Distances
