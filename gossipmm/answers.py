"""The answers of verbs, the same on every face (those of the core itself: ``values.types``).

Plain immutable values. Those that come over a socket have the times of the asking side: whatever is
a time compares with ``now()`` of the object that was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple

from gossipmm.core.values.event_status import UserEventsStatus
from gossipmm.core.values.queries import HEARD
from gossipmm.core.values.questions import Outcome
from gossipmm.core.values.types import (
    NO_METADATA,
    Address,
    Agreement,
    Generation,
    Health,
    HostState,
    Metadata,
    NodeId,
    Status,
)
from gossipmm.names import DEFAULT_WEIGHT

__all__ = (
    "CheckStatus",
    "DistancesStatus",
    "Drained",
    "FoundHost",
    "IdentityStatus",
    "Joining",
    "KeyHolder",
    "KeyStraggler",
    "KeysStatus",
    "Lookup",
    "LookupStatus",
    "MemberHealth",
    "NodeStatus",
    "RotationStatus",
    "Rtt",
    "ServiceStatus",
)


class LookupStatus(StrEnum):
    """How a key was answered."""

    OK = "ok"
    #: The last known hosts: none is live, and this agent may be the one cut off.
    STALE = "stale"
    #: Hosts whose own checks fail: no other is there, and it may be the check that is broken.
    UNHEALTHY = "unhealthy"
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
    #: ``gossip`` (a record of ``nodes``), ``ring`` (the ring file), ``elsewhere`` (nobody registers
    #: the topic, but the host is up in another one, or a member's name) or ``key`` (only the key).
    source: str = "gossip"
    #: Names of the nodes whose records register it.
    nodes: tuple[str, ...] = ()
    metadata: Metadata = NO_METADATA
    #: Its zone (empty: none), and how many turns it gets beside others.
    zone: str = ""
    weight: int = DEFAULT_WEIGHT
    #: In words why a topic's key is not answered with it, or what is odd about its weight.
    why: str = ""


class Lookup(NamedTuple):
    """The answer to one key, at one moment."""

    key: str
    topic: str
    status: LookupStatus
    #: Those that ``queues`` answers with; for a topic key, those that it picks one of.
    hosts: tuple[FoundHost, ...] = ()
    #: Other known hosts of the topic, which this key does not answer with (draining, suspected
    #: while others are live, ...). None for a direct key, which is about one host.
    others: tuple[FoundHost, ...] = ()
    #: In words what the preference did: from which zones, or from how near hosts, is picked (it is
    #: called after the first of the two). Empty: there is none, or the key names no topic.
    zones: str = ""


#: What an agent is to be taken for, the worst first.
VerdictName = Literal["leaving", "conflict", "not_joined", "isolated", "degraded", "ok"]


class Verdict(NamedTuple):
    """What an agent is to be taken for, in a word, and why."""

    name: VerdictName = "ok"
    #: In words; empty when all is well.
    reasons: tuple[str, ...] = ()
    #: The same as codes, one for each: what members tell each other.
    codes: tuple[str, ...] = ()


class IdentityStatus(NamedTuple):
    """How far an agent goes with identities, and who is not as far. Times: seconds since 1970."""

    #: ``off``, ``announce`` or ``require``.
    mode: str = "off"
    #: Id of this node's key, and the key as text; empty: it has none.
    key: str = ""
    public: str = ""
    #: Ids of the authorities whose certificates count; empty: the first key of a name does.
    authorities: tuple[str, ...] = ()
    #: Issue number and end of this node's own certificate; None: it has none.
    issue: int | None = None
    expires: float | None = None
    #: Live members, this one included, by what stands behind their names.
    members: Mapping[str, int] = MappingProxyType({})
    #: Members that agents with ``require`` refuse: they do not sign, or have no certificate.
    not_ready: tuple[NodeId, ...] = ()
    #: Name that somebody uses with another key than it has -> the id of that key.
    conflicts: Mapping[NodeId, str] = MappingProxyType({})
    #: Members that signed two pages of one version.
    equivocating: tuple[NodeId, ...] = ()
    #: Names whose certificate was revoked; this node's own among them.
    revoked: tuple[NodeId, ...] = ()
    #: Member whose certificate ends within a week, or has ended -> when.
    ending: Mapping[NodeId, float] = MappingProxyType({})
    #: Seconds by which the clocks of most members are ahead of this node's, which then judges
    #: nothing by time; 0: within the grace of five minutes, or not known.
    clock_ahead: float = 0.0


class DistancesStatus(NamedTuple):
    """How far an agent trusts the estimates of its distances."""

    #: False: it keeps no coordinate.
    on: bool = False
    #: Share by which its own estimates are usually off; None: it has measured nobody yet.
    error: float | None = None


class NodeStatus(NamedTuple):
    """How an agent is, and how far the others agree with its table."""

    name: NodeId
    cluster: str
    version: str
    generation: Generation
    addresses: tuple[Address, ...]
    #: Seconds since the agent was opened.
    uptime: float
    #: The table agreed with a peer's at least once, or there is nobody to join.
    joined: bool
    leaving: bool
    #: Addresses of another live process with this node's name; empty without one.
    conflict: tuple[Address, ...]
    #: Seed -> what is wrong with it, or with this node as it sees it, in words.
    trouble: Mapping[str, str]
    #: Code -> what is wrong with the node or its machine, for as long as it lasts.
    faults: Mapping[str, str]
    #: Member -> what is wrong with the path to it, in words, as long as it lives and that lasts.
    paths: Mapping[NodeId, str]
    agreement: Agreement
    health: Health
    #: Members by status; a status that nobody has is left out.
    members: Mapping[Status, int]
    #: Known topics, and registrations made with this agent.
    topics: int
    registrations: int
    #: Id of the agent's process.
    process: int
    verdict: Verdict = Verdict()
    identity: IdentityStatus = IdentityStatus()
    user_events: UserEventsStatus = UserEventsStatus()
    distances: DistancesStatus = DistancesStatus()


class MemberHealth(NamedTuple):
    """How a member is, as it says itself (``verdict``), and as the asked agent holds it."""

    name: NodeId
    status: Status
    #: Why there is no verdict, unless it is ``done``.
    outcome: Outcome
    #: As in ``Verdict``; empty: it does not say. A later version may know others.
    verdict: str = ""
    #: Codes; ``gossipmm.text.questions`` has words.
    reasons: tuple[str, ...] = ()
    version: str = ""
    #: Seconds for which it has run; None: it does not say.
    uptime: float | None = None
    #: Its table ``agrees`` with that of the asked agent, ``differs`` (for so many seconds), or was
    #: not heard of since that changed (``unheard``); empty: it is the asked agent.
    agreement: str = ""
    differs_for: float | None = None
    #: Seconds that its answer took.
    took: float = 0.0
    wire_version: int = 0


class Drained(NamedTuple):
    """What came of having another member drained."""

    #: ``done``, or why not.
    outcome: Outcome
    #: Registrations that changed; of a whole node 1 or 0.
    changed: int
    #: Seconds that the answer took.
    took: float


class QueryAnswer(NamedTuple):
    """What one member said to a query, or why it said nothing."""

    name: NodeId
    #: ``done``, ``failed`` or ``late`` with an answer; else why there is none.
    outcome: Outcome
    payload: bytes = b""
    #: It said more than an answer holds.
    cut: bool = False
    #: Exit status of the program that failed.
    status: int = 0
    #: Seconds until the answer was there, or the question was given up.
    took: float = 0.0
    #: The member by which it came, because the way to the asked one is broken; empty: none.
    via: NodeId = ""

    @property
    def heard(self) -> bool:
        """True if the member has the question: it answers, works, or says why it does not."""
        return self.outcome in HEARD


class QueryResult(NamedTuple):
    """What came of a query: one answer for each member that was asked, by name."""

    name: str
    answers: tuple[QueryAnswer, ...]
    #: Seconds until the last answer, or the end of the query.
    took: float

    @property
    def done(self) -> tuple[QueryAnswer, ...]:
        """Those who answered."""
        return tuple(one for one in self.answers if one.outcome is Outcome.DONE)

    @property
    def silent(self) -> tuple[QueryAnswer, ...]:
        """Those that said nothing."""
        return tuple(one for one in self.answers if not one.heard)


class Rtt(NamedTuple):
    """The estimated round trip between two members, by their coordinates."""

    #: ``done``, or why there is none.
    outcome: Outcome
    #: Seconds; None: there is no estimate.
    seconds: float | None = None
    #: Share by which such an estimate is usually off, as the less sure of the two says: 0 to 1.5.
    error: float | None = None
    #: Which of the two did not say where it is; empty: none.
    of: str = ""


class CheckStatus(NamedTuple):
    """How one check of a service is."""

    name: str
    #: ``http``, ``tcp``, ``command`` or ``ttl``.
    kind: str
    #: ``starting`` (it never passed), ``passing`` or ``failing``.
    state: str
    #: In words what its last run found wrong, or warned of; empty: nothing.
    reason: str
    #: The end of what that run printed, or was answered, at most 1 KiB.
    output: str
    #: When it took its state, and when it ran last (None: it did not yet), for so many seconds.
    since: float
    at: float | None
    took: float | None
    #: Runs, those that failed, and those that were left out because there was no room or time.
    runs: int
    failures: int
    skipped: int


class ServiceStatus(NamedTuple):
    """How a service of the configuration is, by its checks. Known to its own agent alone."""

    topic: str
    host: str
    #: ``starting`` (not listed yet), ``up``, ``unhealthy`` or ``removed`` (no longer listed).
    state: str
    #: In words why it is not up; empty: it is.
    reason: str
    #: When it took its state.
    since: float
    #: How often it changed so much that it was held unhealthy for a while.
    flaps: int
    checks: tuple[CheckStatus, ...]


class Joining(NamedTuple):
    """How far a join is."""

    seeds: tuple[str, ...]
    joined: bool
    #: Live members known, the answering one included.
    live: int
    #: What failed so far, in words, by seed.
    failures: Mapping[str, str]


class KeyHolder(NamedTuple):
    """A member and its keys, as it tells itself."""

    name: NodeId
    live: bool
    #: Ids, the one that it sends with first; empty: it does not tell (plain, or an older version).
    holds: tuple[bytes, ...]
    #: It is as far as the present phase of the rotation asks.
    covered: bool


class RotationStatus(NamedTuple):
    """The last rotation of keys, as far as the asked agent knows."""

    #: ``add``: all get the new key; ``use``: all send with it; ``done``: the old one is removed.
    phase: str
    kid: bytes
    replaces: bytes
    out_of_band: bool
    #: Since when the phase is known here.
    since: float
    #: Seconds that the old key is still kept for members that are down; None: not begun, or over.
    keep_left: float | None
    #: Members that the phase waits for, and those that are not waited for.
    waits_for: tuple[NodeId, ...]
    without: tuple[NodeId, ...]
    #: Members that there were at the start, and that this agent has not heard of since it started.
    missing: int
    #: More than half of the members are as far as the phase asks.
    majority: bool


class KeyStraggler(NamedTuple):
    """A sender that uses a key which the asked agent removed: it missed a rotation."""

    #: The member that was at that address; empty: none that is known.
    name: NodeId
    address: Address
    kid: bytes
    times: int
    #: When it was heard last.
    at: float


class KeysStatus(NamedTuple):
    """The keys of an agent, by their ids, and what the members tell of theirs."""

    node: NodeId
    encrypted: bool
    #: The file of keys, and why it could not be read or written the last time; empty: it could.
    file: str
    trouble: str
    #: Ids of the keys in use, the one that sends first; and of those that were removed.
    keys: tuple[bytes, ...]
    retired: tuple[bytes, ...]
    rotation: RotationStatus | None
    members: tuple[KeyHolder, ...]
    stragglers: tuple[KeyStraggler, ...]
