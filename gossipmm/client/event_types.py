"""What a client's watch gives: events as the control API writes them, typed by their names.

    for event in client.watch():
        if event["event"] == "member_died":
            print(event["name"], event["accusers"])

``time`` is a time of day, in seconds since 1970. Addresses are ``host:port``; generations are text,
because JavaScript would round them. ``"text" in event`` holds for all but the first and last of
a connection. A test compares this file with the events.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict, final

from gossipmm.client.key_event_types import (
    KeyRotationTold,
    KeysChangedTold,
    KeyWantedTold,
    RotationUnorderedTold,
)
from gossipmm.client.refusal_types import (
    DrainAskedTold,
    EquivocatingTold,
    GenerationAheadTold,
    IdentityConflictTold,
    NameClaimedTold,
    NameConflictTold,
    NotAdmittedTold,
)
from gossipmm.client.user_event_types import (
    UserEventsLostTold,
    UserEventsRefusedTold,
    UserEventTold,
)

__all__ = ("Dropped", "Hello", "LogLine", "WatchedEvent")


class LogLine(TypedDict):
    """A line of an agent's log. That of an event has its fields as well."""

    time: str
    level: str
    logger: str
    message: str


@final
class Hello(TypedDict):
    """The first of each connection; not ``resumed``: events are missing since the last one."""

    event: Literal["hello"]
    node: str
    event_id: str
    resumed: bool


@final
class Dropped(TypedDict):
    """The last of a connection: its reader was too slow, or its agent ends."""

    event: Literal["dropped", "closing"]
    reason: str


@final
class MemberJoinedTold(TypedDict):
    """A name that was not known, or had left or been reaped, is alive."""

    event: Literal["member_joined"]
    time: float
    text: str
    name: str
    generation: str
    addresses: list[str]


@final
class MemberRestartedTold(TypedDict):
    """A known name has a higher generation; the registrations of the old one are gone."""

    event: Literal["member_restarted"]
    time: float
    text: str
    name: str
    generation: str
    previous: str
    addresses: list[str]


@final
class MemberSuspectedTold(TypedDict):
    """Somebody (``accuser``; this node itself included) could not reach the member."""

    event: Literal["member_suspected"]
    time: float
    text: str
    name: str
    accuser: str
    heartbeat: int


@final
class MemberRefutedTold(TypedDict):
    """A suspicion ended because fresher evidence of life arrived from ``reporter``."""

    event: Literal["member_refuted"]
    time: float
    text: str
    name: str
    reporter: str
    heartbeat: int


@final
class MemberDiedTold(TypedDict):
    """This node's suspicion timer ended: the member is dead here, and out of lookups."""

    event: Literal["member_died"]
    time: float
    text: str
    name: str
    generation: str
    heartbeat: int
    accusers: list[str]


@final
class MemberReturnedTold(TypedDict):
    """A member held dead was reached, on evidence younger than its death here."""

    event: Literal["member_returned"]
    time: float
    text: str
    name: str
    generation: str
    returns: int
    probation: float


@final
class MemberCrashLoopingTold(TypedDict):
    """A member starts again and again without having left: told once, until it is steady."""

    event: Literal["member_crash_looping"]
    time: float
    text: str
    name: str
    generation: str
    lives: int
    window: float
    probation: float


@final
class ProbationEndedTold(TypedDict):
    """The member was reachable throughout its probation, and is in lookups again."""

    event: Literal["probation_ended"]
    time: float
    text: str
    name: str


@final
class MemberLeftTold(TypedDict):
    """The member announced that it leaves."""

    event: Literal["member_left"]
    time: float
    text: str
    name: str
    generation: str


@final
class MemberReapedTold(TypedDict):
    """A dead or left record was removed; its generation stays closed."""

    event: Literal["member_reaped"]
    time: float
    text: str
    name: str
    generation: str


@final
class AddressChangedTold(TypedDict):
    """The record of a member, or of this node itself, names other addresses than before."""

    event: Literal["address_changed"]
    time: float
    text: str
    name: str
    previous: list[str]
    addresses: list[str]


@final
class SourceDiffersTold(TypedDict):
    """A member sends from an IP address that its record does not name (NAT?), or no longer does."""

    event: Literal["source_differs"]
    time: float
    text: str
    name: str
    source: str
    addresses: list[str]
    active: bool


@final
class PathTroubleTold(TypedDict):
    """Something is wrong with the path to a member that lives (or that is over: not ``active``)."""

    event: Literal["path_trouble"]
    time: float
    text: str
    name: str
    fault: str
    active: bool
    addresses: list[str]
    carries: int
    loses: int


@final
class GenerationRenewedTold(TypedDict):
    """This node took a new generation: ``reporter`` told what made it necessary, or nobody did."""

    event: Literal["generation_renewed"]
    time: float
    text: str
    generation: str
    previous: str
    reason: str
    reporter: str


@final
class HostChangedTold(TypedDict):
    """A (topic, host) entered a state for readers, or left the table (``state`` is None)."""

    event: Literal["host_changed"]
    time: float
    text: str
    topic: str
    host: str
    state: str | None
    previous: str | None


@final
class RegistrationExpiredTold(TypedDict):
    """The time to live of a registration of this node ended, and it was unregistered."""

    event: Literal["registration_expired"]
    time: float
    text: str
    topic: str
    host: str


@final
class ServiceChangedTold(TypedDict):
    """The checks of a service of this node found it ``up``, ``unhealthy`` or ``removed``."""

    event: Literal["service_changed"]
    time: float
    text: str
    topic: str
    host: str
    state: str
    before: str
    reason: str


@final
class JoinedTold(TypedDict):
    """This node's table agreed with a peer's for the first time (or is alone by design)."""

    event: Literal["joined"]
    time: float
    text: str
    members: int


@final
class IsolatedTold(TypedDict):
    """More than half of the live members vanished at once: stale answers are on (or off)."""

    event: Literal["isolated"]
    time: float
    text: str
    active: bool
    vanished: int


@final
class SelfSlowTold(TypedDict):
    """This node's timers fired ``late`` seconds late: it holds its accusations."""

    event: Literal["self_slow"]
    time: float
    text: str
    late: float


@final
class SelfImpairedTold(TypedDict):
    """Most that this node sends, or is sent, is lost (or no longer is): it is on probation."""

    event: Literal["self_impaired"]
    time: float
    text: str
    impaired: bool
    lost: float
    missed: float


@final
class SelfSuspectedTold(TypedDict):
    """Others keep suspecting this node, which refutes each time (or that is over)."""

    event: Literal["self_suspected"]
    time: float
    text: str
    active: bool
    times: int


@final
class TableFullTold(TypedDict):
    """This node's table is full, and newcomers are refused (or there is room again)."""

    event: Literal["table_full"]
    time: float
    text: str
    active: bool
    limit: int


@final
class MemberImpairedTold(TypedDict):
    """A member says that its replies are being lost: on probation until it takes that back."""

    event: Literal["member_impaired"]
    time: float
    text: str
    name: str


@final
class ForeignTrafficTold(TypedDict):
    """Datagrams arrive that are not of this cluster: announced once per reason, and again later."""

    event: Literal["foreign_traffic"]
    time: float
    text: str
    source: str
    reason: str
    kid: str


@final
class LeaveFinishedTold(TypedDict):
    """A graceful leave was confirmed by ``confirmed`` of ``told`` live members."""

    event: Literal["leave_finished"]
    time: float
    text: str
    confirmed: int
    told: int


#: Any of them: which one, its ``event`` says.
WatchedEvent: TypeAlias = (
    Hello
    | Dropped
    | MemberJoinedTold
    | MemberRestartedTold
    | MemberSuspectedTold
    | MemberRefutedTold
    | MemberDiedTold
    | MemberReturnedTold
    | MemberCrashLoopingTold
    | ProbationEndedTold
    | MemberLeftTold
    | MemberReapedTold
    | AddressChangedTold
    | SourceDiffersTold
    | PathTroubleTold
    | NameConflictTold
    | GenerationRenewedTold
    | HostChangedTold
    | RegistrationExpiredTold
    | ServiceChangedTold
    | JoinedTold
    | IsolatedTold
    | SelfSlowTold
    | SelfImpairedTold
    | SelfSuspectedTold
    | TableFullTold
    | NotAdmittedTold
    | NameClaimedTold
    | IdentityConflictTold
    | EquivocatingTold
    | GenerationAheadTold
    | MemberImpairedTold
    | ForeignTrafficTold
    | KeysChangedTold
    | KeyWantedTold
    | RotationUnorderedTold
    | KeyRotationTold
    | DrainAskedTold
    | UserEventTold
    | UserEventsLostTold
    | UserEventsRefusedTold
    | LeaveFinishedTold
)
