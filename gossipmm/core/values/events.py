"""Events of the core: values returned by ``Node.next_event()``, in order.

Each has ``at``, the core time in seconds at which it happened. ``name`` is a node's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, get_args

from gossipmm.core.values.drained import DrainAsked
from gossipmm.core.values.event import event
from gossipmm.core.values.key_events import KeyRotation as KeyRotation
from gossipmm.core.values.key_events import KeysChanged as KeysChanged
from gossipmm.core.values.key_events import KeyWanted as KeyWanted
from gossipmm.core.values.key_events import RotationUnordered as RotationUnordered
from gossipmm.core.values.name_events import Equivocating as Equivocating
from gossipmm.core.values.name_events import IdentityConflict as IdentityConflict
from gossipmm.core.values.name_events import NameClaimed as NameClaimed
from gossipmm.core.values.name_events import NameConflict as NameConflict
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import (
    Address,
    Generation,
    Heartbeat,
    HostState,
    NodeId,
    PathFault,
    Refusal,
    Topic,
)
from gossipmm.core.values.user_events import UserEvent, UserEventsLost, UserEventsRefused


@event
class MemberJoined:
    """A name that was not known, or had left or been reaped, is alive."""

    at: float
    name: NodeId
    generation: Generation
    addresses: tuple[Address, ...]


@event
class MemberRestarted:
    """A known name has a higher generation; the registrations of the old one are gone."""

    at: float
    name: NodeId
    generation: Generation
    previous: Generation
    addresses: tuple[Address, ...]


@event
class MemberSuspected:
    """Somebody (``accuser``; this node itself included) could not reach the member."""

    at: float
    name: NodeId
    accuser: NodeId
    heartbeat: Heartbeat


@event
class MemberRefuted:
    """A suspicion ended because fresher evidence of life arrived from ``reporter``."""

    at: float
    name: NodeId
    reporter: NodeId
    heartbeat: Heartbeat


@event
class MemberDied:
    """This node's suspicion timer ended: the member is dead here, and out of lookups."""

    at: float
    name: NodeId
    generation: Generation
    heartbeat: Heartbeat
    accusers: tuple[NodeId, ...]


@event
class MemberReturned:
    """A member held dead was reached, on evidence younger than its death here."""

    at: float
    name: NodeId
    generation: Generation
    returns: int
    probation: float  #: seconds on probation before it is in lookups again; 0: at once


@event
class MemberCrashLooping:
    """A member starts again and again without having left: told once, until it is steady.

    ``lives`` is how often it came back within ``window`` seconds.
    """

    at: float
    name: NodeId
    generation: Generation
    lives: int
    window: float
    probation: float  #: seconds on probation before it is in lookups again


@event
class ProbationEnded:
    """The member was reachable throughout its probation, and is in lookups again."""

    at: float
    name: NodeId


@event
class MemberLeft:
    """The member announced that it leaves."""

    at: float
    name: NodeId
    generation: Generation


@event
class MemberReaped:
    """A dead or left record was removed; its generation stays closed."""

    at: float
    name: NodeId
    generation: Generation


@event
class AddressChanged:
    """The record of a member, or of this node itself, names other addresses than before."""

    at: float
    name: NodeId
    previous: tuple[Address, ...]
    addresses: tuple[Address, ...]


@event
class SourceDiffers:
    """A member sends from an IP address that its record does not name (NAT?), or no longer does."""

    at: float
    name: NodeId
    source: Address
    addresses: tuple[Address, ...]
    active: bool


@event
class PathTrouble:
    """Something is wrong with the path to a member that lives (or that is over: not ``active``).

    ``addresses``: those that it is about; once it is over, the one in use. ``carries``, ``loses``:
    where what is large does not arrive, bytes of datagrams that do, and of those that do not; or 0.
    """

    at: float
    name: NodeId
    fault: PathFault
    active: bool
    addresses: tuple[Address, ...]
    carries: int
    loses: int


@event
class GenerationRenewed:
    """This node took a new generation: ``reporter`` told what made it necessary, or nobody did.

    Then ``reporter`` is this node itself; empty: a node that is not known here.
    """

    at: float
    generation: Generation
    previous: Generation
    reason: RenewalReason
    reporter: NodeId


@event
class HostChanged:
    """A (topic, host) entered a state for readers, or left the table (``state`` is None)."""

    at: float
    topic: Topic
    host: str
    state: HostState | None
    previous: HostState | None


@event
class RegistrationExpired:
    """The time to live of a registration of this node ended, and it was unregistered."""

    at: float
    topic: Topic
    host: str


@event
class ServiceChanged:
    """The checks of a service of this node found it ``up``, ``unhealthy`` or ``removed``.

    ``before`` may also be ``starting``. ``reason`` says in words why it is not up.
    """

    at: float
    topic: Topic
    host: str
    state: str
    before: str
    reason: str


@event
class Joined:
    """This node's table agreed with a peer's for the first time (or is alone by design)."""

    at: float
    members: int


@event
class Isolated:
    """More than half of the live members vanished at once: stale answers are on (or off)."""

    at: float
    active: bool
    vanished: int


@event
class SelfSlow:
    """This node's timers fired ``late`` seconds late: it holds its accusations."""

    at: float
    late: float


@event
class SelfImpaired:
    """Most that this node sends, or is sent, is lost (or no longer is): it is on probation.

    ``lost`` is the share of the last probes whose sender had to ask a third time, ``missed`` that
    of the tries which did not arrive here.
    """

    at: float
    impaired: bool
    lost: float
    missed: float


@event
class SelfSuspected:
    """Others keep suspecting this node, which refutes each time (or that is over).

    ``times`` is how often it refuted within the last minute.
    """

    at: float
    active: bool
    times: int


@event
class TableFull:
    """This node's table is full, and newcomers are refused (or there is room again).

    ``limit`` is ``max_members``.
    """

    at: float
    active: bool
    limit: int


@event
class NotAdmitted:
    """A member refuses this node, for want of room or for its clock (or has not for a minute).

    ``source`` is the address of the one that said so first, or last.
    """

    at: float
    active: bool
    source: Address
    reason: Refusal


@event
class GenerationAhead:
    """A life of a name begins ``ahead`` seconds in the future of this node's clock: refused.

    ``source`` told it. One of the two clocks is wrong, or it is a forgery. Told once in 600 s.
    """

    at: float
    name: NodeId
    ahead: float
    source: Address


@event
class MemberImpaired:
    """A member says that its replies are being lost: on probation until it takes that back."""

    at: float
    name: NodeId


@event
class ForeignTraffic:
    """Datagrams arrive that are not of this cluster: announced once per reason, and again later.

    ``reason`` says why they are refused; ``kid`` the key id (hex) of a key that this node does not
    accept, where the datagram names one. With the reason ``retired_key`` (announced for each
    address) the sender had a key that was removed here: it missed a rotation.
    """

    at: float
    source: Address
    reason: Drop
    kid: str


@event
class LeaveFinished:
    """A graceful leave was confirmed by ``confirmed`` of ``told`` live members."""

    at: float
    confirmed: int
    told: int


Event: TypeAlias = (
    MemberJoined
    | MemberRestarted
    | MemberSuspected
    | MemberRefuted
    | MemberDied
    | MemberReturned
    | MemberCrashLooping
    | ProbationEnded
    | MemberLeft
    | MemberReaped
    | AddressChanged
    | SourceDiffers
    | PathTrouble
    | NameConflict
    | GenerationRenewed
    | HostChanged
    | RegistrationExpired
    | ServiceChanged
    | Joined
    | Isolated
    | SelfSlow
    | SelfImpaired
    | SelfSuspected
    | TableFull
    | NotAdmitted
    | NameClaimed
    | IdentityConflict
    | Equivocating
    | GenerationAhead
    | MemberImpaired
    | ForeignTraffic
    | KeysChanged
    | KeyWanted
    | RotationUnordered
    | KeyRotation
    | DrainAsked
    | UserEvent
    | UserEventsLost
    | UserEventsRefused
    | LeaveFinished
)

#: Each kind of event by its name outside of Python: ``member_joined`` is ``MemberJoined``.
KINDS: Final[Mapping[str, type[Event]]] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in get_args(Event)
}


def kinds_of(wanted: Iterable[type[Event] | str]) -> tuple[type[Event], ...]:
    """Return kinds that are given as classes or by name. Raises ValueError for an unknown name."""
    found = []
    for kind in wanted:
        if isinstance(kind, str):
            if kind not in KINDS:
                known = ", ".join(sorted(KINDS))
                raise ValueError(f"{kind!r} is not a kind of event; known: {known}")
            kind = KINDS[kind]
        found.append(kind)
    return tuple(found)
