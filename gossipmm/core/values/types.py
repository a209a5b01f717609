"""The nouns of the protocol, as plain immutable values.

Everything here is cheap to make (tuples, not frozen dataclasses: those take 3-6 times longer to
build) and safe to hand to any thread.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from gossipmm.core.values.trail import EvidenceKind

#: A node's name: non-empty UTF-8, at most ``names.MAX_NAME`` bytes, unique in its cluster.
NodeId: TypeAlias = str
#: One life of a name: milliseconds of wall clock x 2**16 + 16 random bits. Higher supersedes.
Generation: TypeAlias = int
#: A counter that only its owner raises (unsigned, 32 bits on the wire).
Heartbeat: TypeAlias = int
#: IP literal without brackets and UDP port, as the socket layer gives them (no scope id).
Address: TypeAlias = tuple[str, int]
Topic: TypeAlias = str
#: Values that metadata can hold. Keys are strings.
Scalar: TypeAlias = str | int | bool
Metadata: TypeAlias = Mapping[str, Scalar]

NO_METADATA: Final[Metadata] = MappingProxyType({})

#: Stands for a reporter that this node does not know.
UNKNOWN_NODE: Final = ""
#: What a line of evidence says beside its kind: plain values, addresses as text.
Fact: TypeAlias = str | int | float | tuple[NodeId, ...]
Facts: TypeAlias = Mapping[str, Fact]
NO_FACTS: Final[Facts] = MappingProxyType({})


class NodeState(IntEnum):
    """What a node says about itself in page 0 of its record. Wire values: append only."""

    UP = 0
    DRAINING = 1
    LEFT = 2
    IMPAIRED = 3  #: its replies are being lost, by its own measure: on probation


class EntryState(IntEnum):
    """What an owner says about one registration: a set of bits. Wire values: append only.

    UNKNOWN stands for every value with a bit that this version does not know, and is never written.
    """

    UNKNOWN = -1
    UP = 0
    DRAINING = 1
    UNHEALTHY = 2  #: its checks fail, by its owner's own measure
    UNHEALTHY_DRAINING = 3

    @property
    def draining(self) -> bool:
        """True if it was taken out of picks by somebody's wish."""
        return self in (EntryState.DRAINING, EntryState.UNHEALTHY_DRAINING)

    @property
    def unhealthy(self) -> bool:
        """True if its checks fail."""
        return self in (EntryState.UNHEALTHY, EntryState.UNHEALTHY_DRAINING)

    def but(self, *, draining: bool | None = None, unhealthy: bool | None = None) -> EntryState:
        """Return the state with bits changed; None leaves one as it is."""
        first = self.draining if draining is None else draining
        second = self.unhealthy if unhealthy is None else unhealthy
        return EntryState(first + 2 * second)


class Status(IntEnum):
    """What *this* node holds another one to be (never on the wire as such)."""

    UNKNOWN = 0  #: heard of, but no record or no evidence of life yet: in no lookup
    ALIVE = 1
    SUSPECT = 2
    DEAD = 3
    RETURNING = 4  #: held dead; a higher heartbeat came, on evidence older than the death here
    #: Came back or crashed too often, or says itself that it is impaired: reachable, in no lookup
    #: until it has been steady.
    PROBATION = 5
    LEFT = 6  #: said so itself

    @property
    def label(self) -> str:
        """Lower-case name, as logs and APIs show it."""
        return self.name.lower()


class StatusReason(StrEnum):
    """Why a member has its status. Values are stable names: append only.

    The sentence of each is in ``gossipmm.text.members``.
    """

    NONE = ""  #: the status says it all
    EVIDENCE = "evidence"  #: what the last line of its trail says
    NO_RECORD = "no_record"  #: its record is not here yet
    NEVER_ALIVE = "never_alive"  #: never heard alive here
    OLD_EVIDENCE = "old_evidence"  #: alive on evidence older than its death here
    RETURNS = "returns"  #: it returned from the dead too often
    IMPAIRED = "impaired"  #: most of what it sends or is sent is lost, by its own measure
    CRASHES = "crashes"  #: it started too often without having left
    EQUIVOCATES = "equivocates"  #: it signed two pages of one version
    EXPIRED = "expired"  #: its certificate ended more than a day ago
    REVOKED = "revoked"  #: an authority revoked its certificate


class IdentityState(StrEnum):
    """What stands behind a member's name here. Values are stable names: append only."""

    UNSIGNED = "unsigned"  #: nothing: it does not sign, or this node does not look
    PROVISIONAL = "provisional"  #: the first key of its name, which has not answered here yet
    PINNED = "pinned"  #: the key of its name
    CERTIFIED = "certified"  #: a key with a certificate
    CONFLICT = "conflict"  #: a key, and lately somebody used the name with another one
    EQUIVOCATING = "equivocating"  #: a key that signed two pages of one version
    EXPIRED = "expired"  #: a key whose certificate has ended, or was revoked


class Refusal(StrEnum):
    """Why a member does not admit this node. Values are stable names: append only."""

    FULL = "full"  #: its table is full of members that live
    AHEAD = "ahead"  #: this node's life begins more than a day ahead of the member's clock


class PathFault(StrEnum):
    """What is wrong with the path to a member. Values are stable names: append only."""

    SOURCE = "source"  #: it sends from an address that its record does not name: a translator?
    NO_PATH = "no_path"  #: others reach the member, this node does not, at any of its addresses
    SIZE = "size"  #: what is small arrives at an address, what is large does not


class Registration(NamedTuple):
    """One entry of an owner's record: a host that serves a topic."""

    topic: Topic
    host: str
    state: EntryState = EntryState.UP
    metadata: Metadata = NO_METADATA


class OwnRegistration(NamedTuple):
    """A registration made with this node, and when it ends."""

    topic: Topic
    host: str
    metadata: Metadata
    state: EntryState
    #: Seconds to live from each acknowledgement on; None: as long as the node.
    ttl: float | None
    #: Seconds left; None: as long as the node.
    left: float | None


class HostState(IntEnum):
    """How usable a (topic, host) is for a caller, best first."""

    LIVE = 0
    DOUBTED = 1  #: a caller here reported a failure; its probe has not finished
    SUSPECT = 2
    UNHEALTHY = 3  #: its checks fail: by direct key, and picked while no other host is there
    DRAINING = 4  #: only by direct key
    UNKNOWN = 5  #: its owner says of it what this version does not know: only by direct key
    STALE = 6  #: not live; answered only because this agent may be the one cut off

    @property
    def label(self) -> str:
        """Lower-case name, as logs and APIs show it."""
        return self.name.lower()


class HostEntry(NamedTuple):
    """A host as a reader of the table sees it: the best of all records that register it."""

    topic: Topic
    host: str
    state: HostState
    #: Names of the nodes whose live records register it, sorted.
    nodes: tuple[NodeId, ...]
    metadata: Metadata
    #: Core time (seconds) at which the entry took this state here.
    since: float
    #: Core time (seconds) of the freshest evidence that its owner is alive.
    heard: float
    #: Metadata ``zone`` of the registration, else of the node that makes it; empty: none.
    zone: str = ""


class TopicView(NamedTuple):
    """One topic for readers: immutable, replaced as a whole when anything in it changes.

    Each of ``picks`` and ``fanout`` is sorted by host name, never changes, and equals the tuple of
    its hosts: it is one, unless there are hundreds of them.
    """

    topic: Topic
    #: Hosts for a round-robin pick: live ones; suspects only while nobody is live; then those
    #: whose checks fail; else stale.
    picks: Sequence[str]
    #: Hosts for a fanout: all live and suspected ones, not draining; else those whose checks fail,
    #: else the stale ones.
    fanout: Sequence[str]
    #: Everything known about the topic, by host, draining ones included. Never mutated.
    entries: Mapping[str, HostEntry]
    #: True when ``picks`` are the last known ones of a topic without a live host.
    stale: bool = False
    #: True when metadata of a host in it has a ``weight``.
    weighted: bool = False


class MemberView(NamedTuple):
    """A member as a reader of the table sees it."""

    name: NodeId
    generation: Generation
    status: Status
    node_state: NodeState
    addresses: tuple[Address, ...]
    heartbeat: Heartbeat
    #: Core time (seconds) at which it took this status here.
    since: float
    #: Core time (seconds) of the freshest evidence of life.
    heard: float
    registrations: int
    metadata: Metadata
    #: Why it has this status, where that needs an explanation.
    reason: StatusReason = StatusReason.NONE
    #: How often it returned from the dead within ``flap_window``.
    returns: int = 0
    #: The highest version of the wire that it reads, as it says [P122].
    wire_version: int = 1
    #: Registrations whose checks fail, as it says.
    unhealthy: int = 0
    #: What stands behind its name, and the id of its key; empty: none.
    identity: IdentityState = IdentityState.UNSIGNED
    key: str = ""
    #: Estimated round trip from this node, in seconds; None: one of the two coordinates is not
    #: known here [P182].
    rtt: float | None = None
    #: Share by which that is usually off, as the less sure of the two says.
    rtt_error: float | None = None


class Evidence(NamedTuple):
    """One line of a member's bounded evidence trail: who said what about it, and when."""

    at: float
    kind: EvidenceKind
    reporter: NodeId
    heartbeat: Heartbeat
    #: What else is known of it; ``trail.FACTS`` says which a kind has.
    facts: Facts = NO_FACTS


class PathView(NamedTuple):
    """Something that is wrong with the path to a live member, as this node sees it."""

    name: NodeId
    fault: PathFault
    #: The addresses that it is about.
    addresses: tuple[Address, ...]
    #: Of ``PathFault.SIZE``: bytes of the datagrams that arrive, and of those that do not.
    carries: int = 0
    loses: int = 0


class Disagreement(NamedTuple):
    """A live peer whose fingerprint differs, and since when (core time)."""

    name: NodeId
    since: float


class Agreement(NamedTuple):
    """How far the live peers agree with this node's table, as each last reported."""

    fingerprint: int
    agree: int
    differ: tuple[Disagreement, ...]
    unheard: int  #: live peers that have not exchanged with this node since its table changed


class Health(NamedTuple):
    """The state of this node at one moment."""

    #: Its timers fired late just now: it holds its accusations.
    slow: bool
    #: It heard nobody for two intervals, although more than one other member lives.
    deaf: bool
    #: Members whose accusation it holds back because of either of these.
    held: int
    #: Share of answered probes that needed more than one try (smoothed): its own loss.
    loss: float
    #: Smoothed round trip in seconds; 0 before the first answer.
    rtt: float
    #: Most that it sends or is sent is lost: it is on probation everywhere.
    impaired: bool
    #: Share of the last probes of this node whose sender asked a third time.
    unheard: float
    #: Share of what is sent to this node that is lost, by the tries of probes that did not arrive.
    missed: float
    #: Members with changes that wait to be broadcast.
    broadcasts: int
    #: Live peers that said within the last two intervals that their timers fire late.
    slow_peers: int
    #: Paths to live members on which large datagrams are lost.
    small_paths: int = 0


#: Generations at or above this (year 2248) are refused: they could never be superseded.
MAX_GENERATION: Final = 1 << 59
#: Seconds by which a generation may be ahead of a node's own clock: a day, and of others an hour
#: more, so that who was moved to the limit by its own clock is believed by clocks an hour behind.
MOST_AHEAD: Final = 86_400.0
MOST_AHEAD_OF_OTHERS: Final = MOST_AHEAD + 3_600.0


def make_generation(wall_ms: int, rng: random.Random, *, above: Generation = 0) -> Generation:
    """Return a generation for a life that begins at ``wall_ms`` (milliseconds since 1970) [P14].

    The result is above ``above`` whatever the clock says: a restart supersedes.
    """
    wanted = (max(0, wall_ms) << 16) | rng.getrandbits(16)
    if wanted > above:
        return wanted
    return above + 1 + rng.getrandbits(16)
