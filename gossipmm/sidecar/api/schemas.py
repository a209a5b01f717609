"""The requests and answers of the control API as typed values: the JSON shapes of ``/v1``.

Every body is one JSON object. Conventions:

* ``..._ago``, ``uptime``, ``ttl`` and the like are seconds, as numbers. ``time`` is wall clock:
  seconds since 1970.
* 64-bit numbers (``generation``, ``fingerprint``) are strings: JavaScript would round them.
* An address is text: ``10.0.0.1:7946`` or ``[2001:db8::1]:7946``.
* A member's ``status`` is one of ``unknown alive suspect dead returning probation left``; a host's
  ``state`` one of ``live doubted suspect unhealthy draining unknown stale``.
* ``event_id`` names the last event that the answer takes into account: ``GET /v1/watch?since=`` it
  continues from there without a gap.

In short (fields with a default may be left out of a request, never of an answer)::

    GET /v1/members   {"node": "a", "event_id": "...", "members": [MEMBER, ...]}
      MEMBER          {"name", "status", "draining", "node_state", "generation", "addresses",
                       "heartbeat", "since_ago", "heard_ago", "registrations", "metadata", "reason",
                       "reason_code", "returns", "self"}
    GET /v1/topics    {"node": "a", "event_id": "...", "topics": [TOPIC, ...]}
      TOPIC           {"topic", "stale", "picks": [...], "fanout": [...], "hosts": [HOST, ...]}
      HOST            {"host", "state", "nodes": [...], "metadata", "zone", "since_ago",
                       "heard_ago"}
    GET /v1/watch     server-sent events; ``data`` of each is one JSON object:
                        event: hello     {"node", "event_id", "resumed"}
                        event: <kind>    {"event": kind, "time", ..., "text"}   (with an id)
                        event: dropped   {"reason"}    this watcher was too slow; then the end
                        event: closing   {"reason"}    the agent ends; then the end
      ``kind`` is an event of ``gossipmm.core.values.events`` in snake case (``member_joined``,
      ``member_died``, ``host_changed``, ...), with that event's fields, ``time`` for its ``at``,
      and ``text``, the same in words. A comment line comes every 15 s when nothing happens.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

__all__ = (
    "Acknowledged", "Changed", "Count", "DrainBody", "DrainOneBody", "Evidence", "Health",
    "Host", "JoinBody", "Joining", "Left", "LogLevel", "Member", "Members", "Own",
    "OwnRegistrations", "RegisterBody", "Ring", "Seconds",
    "Setting", "Settings", "Stats", "Topic", "Topics", "Why",
)  # fmt: skip

#: Values that metadata can hold.
Scalar = str | int | bool
#: Metadata in a request. 454.0 is also a whole number (JSON has one kind of number).
Metadata = Annotated[
    dict[
        str,
        Annotated[
            str | int | float | bool,
            msgspec.Meta(
                description="Text, true, false, or a whole number of 64 bits.",
                extra_json_schema={
                    "type": ["string", "integer", "boolean"],
                    "minimum": -(1 << 63),
                    "maximum": (1 << 63) - 1,
                },
            ),
        ],
    ],
    msgspec.Meta(extra_json_schema={"maxProperties": 64}),
]
#: Only described here; ``gossipmm.addresses`` says what is wrong with a bad one.
Seed = Annotated[
    str,
    msgspec.Meta(
        description="NAME, NAME:PORT, [IPV6]:PORT, or the name of SRV records.",
        extra_json_schema={
            "pattern": r"^([A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*)*"
            r"|\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\])"
            r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$",
        },
        max_length=253,
    ),
]
Seconds = Annotated[float, msgspec.Meta(description="Seconds.")]
Moment = Annotated[float, msgspec.Meta(description="Seconds since 1970, wall clock.")]
Count = Annotated[int, msgspec.Meta(ge=0)]


# -- members ---------------------------------------------------------------------------------------


class Member(msgspec.Struct, kw_only=True):
    """A member of the cluster, as this agent sees it."""

    name: str
    #: unknown, alive, suspect, dead, returning, probation or left.
    status: str
    #: The node has said that it takes no new work.
    draining: bool
    #: What the node says of itself: up, draining, left or impaired.
    node_state: str
    generation: str
    addresses: list[str]
    heartbeat: Count
    #: Seconds for which it has had this status here.
    since_ago: Seconds
    #: Age of the freshest evidence of life; null: never heard alive here.
    heard_ago: Seconds | None
    registrations: Count
    #: Those of them whose checks fail, as it says.
    unhealthy: Count
    metadata: dict[str, Scalar]
    #: Why it has this status, in words and as a name, where that needs an explanation.
    reason: str
    reason_code: str
    #: How often it has returned from the dead lately.
    returns: Count
    #: The highest version of the wire that it reads, as it says.
    wire_version: Count
    #: What stands behind its name (``IdentityState``), and the id of its key; empty: none.
    identity: str
    key: str
    #: This is the answering agent itself.
    own: bool = msgspec.field(name="self")
    #: Estimated round trip from the answering agent; null: not known here (``distances``).
    rtt: Seconds | None = None
    #: Share by which that is usually off, as the less sure of the two says; null: as above.
    rtt_error: float | None = None


class Members(msgspec.Struct, kw_only=True):
    """All known members by name, the answering one included."""

    node: str
    event_id: str
    members: list[Member]


class Evidence(msgspec.Struct, kw_only=True):
    """One line of a member's trail: who said what about it, and when."""

    time: Moment
    ago: Seconds
    kind: str
    #: Empty: a node that is not known here.
    reporter: str
    heartbeat: Count
    detail: str
    facts: dict[str, str | int | float | tuple[str, ...]]
    #: All of this in words.
    text: str


class Why(msgspec.Struct, kw_only=True):
    """Why a member has the status that it has here, oldest evidence first."""

    name: str
    status: str
    #: One sentence.
    summary: str
    member: Member
    #: The (topic, host) pairs that its record registers, as far as this agent knows.
    serves: list[tuple[str, str]]
    #: Those of them that are unhealthy: topic, host, and why.
    unhealthy: list[tuple[str, str, str]]
    evidence: list[Evidence]


# -- topics and keys -------------------------------------------------------------------------------


class Host(msgspec.Struct, kw_only=True):
    """A host of a topic: the best of all live records that register it."""

    host: str
    #: live, doubted, suspect, unhealthy (its checks fail), draining, unknown (what this version
    #: does not know) or stale.
    state: str
    #: Why it is unhealthy: what its checks say, or who knows that; else empty.
    reason: str = ""
    nodes: list[str]
    metadata: dict[str, Scalar]
    #: Metadata ``zone`` of the registration, else of the node that makes it; empty: none.
    zone: str = ""
    since_ago: Seconds
    heard_ago: Seconds | None


class Topic(msgspec.Struct, kw_only=True):
    """A topic. ``picks``: the round robin's hosts; ``fanout``: those of ``fanout~topic``."""

    topic: str
    #: No host is live: the last known ones stand in (this agent may be the one cut off).
    stale: bool
    picks: list[str]
    fanout: list[str]
    hosts: list[Host]


class Topics(msgspec.Struct, kw_only=True):
    """All topics by name; one without live hosts stays while a dead record remembers it."""

    node: str
    event_id: str
    topics: list[Topic]


#: The live table as a classical ring file: topic -> hosts.
Ring = dict[str, list[str]]


# -- registrations ---------------------------------------------------------------------------------


class RegisterBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A registration to make, or to renew by repeating the same call."""

    #: Seconds until it ends unless it is acknowledged; null: as long as the agent lives.
    ttl: Annotated[float, msgspec.Meta(gt=0, le=31_536_000)] | None = None
    metadata: Metadata = msgspec.field(default_factory=dict)
    draining: bool = False


class DrainBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Take one host of a topic, all of a topic, or the node out of new picks, or put back."""

    topic: str | None = None
    host: str | None = None
    draining: bool = True


class MetadataBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of metadata to change; null ends one. Of registrations, or without names of the node."""

    changes: dict[str, Scalar | None]
    topic: str | None = None
    host: str | None = None


class DrainOneBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Take out of new picks, or put back."""

    draining: bool = True


class Own(msgspec.Struct, kw_only=True):
    """A registration made with this agent."""

    topic: str
    host: str
    draining: bool
    #: A service of the configuration whose checks fail.
    unhealthy: bool
    metadata: dict[str, Scalar]
    ttl: Seconds | None
    #: Seconds left until it ends unless it is acknowledged.
    expires_in: Seconds | None


class OwnRegistrations(msgspec.Struct, kw_only=True):
    """All registrations that were made with this agent."""

    node: str
    registrations: list[Own]


class Acknowledged(msgspec.Struct, kw_only=True):
    """The report about a host was accepted. ``own``: it is a registration of this agent."""

    topic: str
    host: str
    own: bool
    nodes: list[str]


class Changed(msgspec.Struct, kw_only=True):
    """How many registrations changed (of a whole node: 0 or 1)."""

    changed: Count


# -- the agent -------------------------------------------------------------------------------------


#: Every counter of the core, by name (``gossipmm.core.values.stats.Stats.as_dict``).
Stats = dict[str, Any]


class Health(msgspec.Struct, kw_only=True):
    """An answer of /livez and /readyz."""

    status: str


class Setting(msgspec.Struct, kw_only=True):
    """One field of the configuration."""

    name: str
    value: str | int | float | bool | list[str] | dict[str, Scalar]
    #: It has its default value.
    default: bool


class Settings(msgspec.Struct, kw_only=True):
    """The configuration in use."""

    settings: list[Setting]


class JoinBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Seeds to add. ``wait``: seconds to wait for the first member to answer."""

    seeds: Annotated[list[Seed], msgspec.Meta(min_length=1, max_length=64)]
    wait: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0


class Joining(msgspec.Struct, kw_only=True):
    """How far a join has come."""

    seeds: list[str]
    joined: bool
    #: Live members known, this one included.
    live: Count
    #: What has failed so far, in words, by seed.
    failures: dict[str, str]


class Left(msgspec.Struct, kw_only=True):
    """The leave is over: ``confirmed`` of ``told`` live members confirmed it."""

    confirmed: Count
    told: Count
    #: It is 1 when there was nobody to tell.
    share: float


class LogLevel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The level of the agent's log."""

    level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")]
