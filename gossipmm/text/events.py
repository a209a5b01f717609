"""Events of the core, each as a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gossipmm.addresses import format_address
from gossipmm.core.values import events
from gossipmm.core.values.drained import DrainAsked
from gossipmm.core.values.events import Event
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, HostState, PathView, Refusal
from gossipmm.core.values.user_events import UserEvent, UserEventsLost, UserEventsRefused
from gossipmm.text.durations import duration
from gossipmm.text.paths import path_mended, path_trouble
from gossipmm.text.questions import drain_asked
from gossipmm.text.renewal import SOMEBODY, why_renewed
from gossipmm.text.user_events import user_event, user_events_lost, user_events_refused

__all__ = ("EVENTS", "FOREIGN_TRAFFIC", "as_line", "left_line")


def as_line(event: Event, me: str) -> str:
    """Put an event into words, for somebody at node ``me``; empty: not worth a line."""
    return EVENTS[type(event)](event, me)


def _at(addresses: tuple[Address, ...]) -> str:
    return ", ".join(format_address(address) for address in addresses)


def _names(names: tuple[str, ...], me: str) -> str:
    return ", ".join("this node" if name == me else name or SOMEBODY for name in names)


def _died(event: events.MemberDied, me: str) -> str:
    accusers = _names(event.accusers, me) or "this node"
    return f"member {event.name} is dead: it did not answer {accusers}"


def _returned(event: events.MemberReturned, me: str) -> str:
    if event.probation:
        return (
            f"member {event.name} has returned {event.returns} times: on probation, in no answer "
            f"until it has been steady for {event.probation:g} s"
        )
    return f"member {event.name} is back"


def _conflict(event: events.NameConflict, me: str) -> str:
    if event.ours:
        return (
            f"NAME CONFLICT: a newer node at {_at(event.newer)} also calls itself {event.name}; "
            "this one stops announcing itself until the other is gone"
        )
    return (
        f"NAME CONFLICT: an older node at {_at(event.older)} is also called {event.name}; "
        f"the newer one at {_at(event.newer)} takes precedence"
    )


def _host(event: events.HostChanged, me: str) -> str:
    if event.state is None:
        return f"topic {event.topic}: {event.host} is gone"
    shown = {HostState.DOUBTED: "doubted (a failure was reported)"}
    return f"topic {event.topic}: {event.host} is {shown.get(event.state, event.state.label)}"


def _service(event: events.ServiceChanged) -> str:
    what = f"service {event.topic} of {event.host}"
    if event.state == "up":
        return f"{what} works and is listed"
    because = f": {event.reason}" if event.reason else ""
    if event.state == "removed":
        return f"{what} has failed for so long that it is no longer listed{because}"
    return f"{what} is unhealthy and out of picks{because}"


def _isolated(event: events.Isolated, me: str) -> str:
    if event.active:
        return (
            f"{event.vanished} members vanished at once: this node may be the one that is cut off; "
            "topics without a live host are answered with the last known ones, marked stale"
        )
    return "stale answers have ended"


def _impaired(event: events.SelfImpaired) -> str:
    if not event.impaired:
        return "what this node sends and is sent arrives again: it is back in lookups"
    if event.missed > event.lost:
        return (
            "this node is impaired: it hears too little of what is sent to it (about "
            f"{event.missed:.0%} is lost on the way here); it is in no lookup: look at its network"
        )
    return (
        "this node is impaired: most of its answers do not get through "
        f"({event.lost:.0%} of its last probes were asked a third time); it is in no lookup"
    )


def _self_suspected(event: events.SelfSuspected) -> str:
    if not event.active:
        return "this node is no longer suspected again and again"
    return (
        f"this node is suspected again and again and has to refute it ({event.times} times within "
        "a minute): others cannot reach it at the addresses that it announces, or its network "
        "loses many datagrams, or it is starved of CPU"
    )


def _table_full(event: events.TableFull) -> str:
    if not event.active:
        return "there is room for newcomers again"
    return (
        f"the table is full: there are {event.limit} members (max_members), or the records take "
        "as much memory as max_table allows, and newcomers and registrations are refused; set a "
        "higher limit on all nodes, or find out who starts or registers so many"
    )


def _not_admitted(event: events.NotAdmitted) -> str:
    at = format_address(event.source)
    if not event.active:
        return f"nobody refuses this node any longer ({at} was the last)"
    if event.reason is Refusal.AHEAD:
        return (
            f"the member at {at} does not admit this node, whose life begins more than a day in "
            "the future by the clock there: set this machine's clock, or that one's, and "
            "restart the agent"
        )
    return (
        f"the member at {at} has no room for this node: it holds as many members as max_members "
        "allows there, or as much as max_table; set a higher limit on all nodes"
    )


def _ahead(event: events.GenerationAhead, me: str) -> str:
    whose = "of this node's own name" if event.name == me else f"of {event.name}"
    return (
        f"{format_address(event.source)} tells of a life {whose} that begins "
        f"{duration(event.ahead)} in the future, and is not believed: its clock or the one of this "
        "machine is wrong (set it, and restart that node), or somebody forges records"
    )


#: Reason -> the rest of "datagrams from X ..." about datagrams that are not of this cluster;
#: ``{key}`` is the id of their key.
FOREIGN_TRAFFIC: Mapping[Drop, str] = {
    Drop.CLUSTER: "belong to another cluster (its name differs) and are refused",
    Drop.VERSION: "are of another protocol version and are refused",
    Drop.ENCRYPTED: "are encrypted (key{key}) and are refused: this node has no keyring",
    Drop.NOT_ENCRYPTED: "are not encrypted and are refused: this node has a keyring",
    Drop.UNKNOWN_KEY: "are sealed with key{key}, which is not in the keyring, and are refused",
    Drop.RETIRED_KEY: (
        "are sealed with key{key}, which was removed here: that node missed a rotation and needs "
        "the new keys"
    ),
    Drop.NOT_AUTHENTIC: (
        "name key{key} but are not genuine: forged, or from a cluster with another name, or "
        "sealed with another key of the same id"
    ),
}


def _foreign(event: events.ForeignTraffic) -> str:
    key = f" {event.kid}" if event.kid else ""
    return FOREIGN_TRAFFIC[event.reason].format(key=key)


def _unordered(event: events.RotationUnordered) -> str:
    if not event.active:
        return "nobody tells of a rotation of keys any longer that the authority has not ordered"
    who = ", ".join(event.by) or "somebody"
    return (
        f"{who} told this node of a rotation to key {event.kid} that the authority has not "
        "ordered: it does not begin here. If none of your people began it, find out who did; if it "
        f"is meant, run gossipmm ca rotate {event.order} where the authority's folder is"
    )


def _rotation(event: events.KeyRotation) -> str:
    what = f"key rotation from {event.replaces} to {event.kid}"
    if event.out_of_band:
        what += ", out of band"
    line = {
        "add": f"{what} begins: every node is to hold key {event.kid}",
        "use": f"{what}: every node holds key {event.kid} and sends with it from now on",
    }.get(event.phase, f"{what} is done: key {event.replaces} is no longer accepted")
    if event.missing:
        line += f"; behind, and in need of key {event.kid}: {', '.join(event.missing)}"
    return line


def _keys(event: events.KeysChanged) -> str:
    others = ", ".join(event.held[1:])
    return f"this node sends with key {event.sending}" + (f" and reads {others}" if others else "")


#: Class of event -> its line. All are here.
EVENTS: Mapping[type, Callable[[Any, str], str]] = {
    events.MemberJoined: lambda e, _: f"member {e.name} joined, at {_at(e.addresses)}",
    events.MemberRestarted: lambda e, _: f"member {e.name} restarted, at {_at(e.addresses)}",
    events.MemberSuspected: lambda e, me: (
        f"member {e.name} is suspected: it did not answer {_names((e.accuser,), me)}"
    ),
    events.MemberRefuted: lambda e, me: (
        f"member {e.name} is alive after all: {_names((e.reporter,), me)} has heard from it"
    ),
    events.MemberDied: _died,
    events.MemberReturned: _returned,
    events.MemberCrashLooping: lambda e, _: (
        f"member {e.name} crashes again and again: {e.lives} starts within {e.window:g} s without "
        f"a leave before; on probation, in no answer until it has been steady for {e.probation:g} "
        "s, and longer after each further one"
    ),
    events.ProbationEnded: lambda e, _: f"member {e.name} has been steady: its probation is over",
    events.MemberLeft: lambda e, _: f"member {e.name} left",
    events.MemberReaped: lambda e, _: (
        f"member {e.name} is forgotten; only a restart brings it back"
    ),
    events.AddressChanged: lambda e, me: (
        f"member {e.name} moved from {_at(e.previous)} to {_at(e.addresses)}"
        if e.name != me
        else f"this node announces {_at(e.addresses)} from now on, no longer {_at(e.previous)}"
    ),
    events.SourceDiffers: lambda e, _: (
        f"member {e.name} announces {_at(e.addresses)} but sends from {format_address(e.source)}"
        if e.active
        else f"member {e.name} sends from {format_address(e.source)} again, as it announces"
    ),
    events.PathTrouble: lambda e, _: (
        path_trouble(PathView(e.name, e.fault, e.addresses, e.carries, e.loses))
        if e.active
        else path_mended(PathView(e.name, e.fault, e.addresses, e.carries, e.loses))
    ),
    events.NameConflict: _conflict,
    events.GenerationRenewed: lambda e, _: (
        f"this node begins a new generation: {why_renewed(e.reason, e.reporter)}"
    ),
    events.HostChanged: _host,
    events.RegistrationExpired: lambda e, _: (
        f"topic {e.topic}: the registration of {e.host} was not renewed in time and has expired"
    ),
    events.ServiceChanged: lambda e, _: _service(e),
    events.Joined: lambda e, _: (
        f"joined: this node knows what the others know ({e.members} members)"
    ),
    events.Isolated: _isolated,
    events.SelfSlow: lambda e, _: (
        f"this node's timers were {e.late:.1f} s late: it holds back its accusations for a while"
    ),
    events.SelfImpaired: lambda e, _: _impaired(e),
    events.SelfSuspected: lambda e, _: _self_suspected(e),
    events.TableFull: lambda e, _: _table_full(e),
    events.NotAdmitted: lambda e, _: _not_admitted(e),
    events.NameClaimed: lambda e, _: (
        f"somebody announced a later life of member {e.name} at {_at(e.addresses) or 'no address'},"
        " and nobody answers there: the one that lives keeps the name. If it happens again, "
        "somebody forges records"
    ),
    events.IdentityConflict: lambda e, me: _other_key(e, me),
    events.Equivocating: lambda e, _: (
        f"member {e.name} (key {e.key}) signed two versions of one page ({e.page}): it is in no "
        "answer until it starts again. Its host was restored from a copy, or it lies"
    ),
    events.GenerationAhead: lambda e, me: _ahead(e, me),
    events.MemberImpaired: lambda e, _: (
        f"member {e.name} is impaired: it says that most of what it sends or is sent is lost; "
        "on probation, in no answer until it says otherwise"
    ),
    events.ForeignTraffic: lambda e, _: f"datagrams from {format_address(e.source)} {_foreign(e)}",
    events.KeysChanged: lambda e, _: _keys(e),
    events.KeyWanted: lambda e, _: (
        f"a rotation out of band needs key {e.kid}: put it into this node's file of keys"
    ),
    events.RotationUnordered: lambda e, _: _unordered(e),
    events.KeyRotation: lambda e, _: _rotation(e),
    DrainAsked: lambda e, _: drain_asked(e),
    UserEvent: lambda e, me: user_event(e, me),
    UserEventsLost: lambda e, _: user_events_lost(e),
    UserEventsRefused: lambda e, _: user_events_refused(e),
    events.LeaveFinished: lambda e, _: left_line(e),
}


def _other_key(event: events.IdentityConflict, me: str) -> str:
    name = "this node" if event.name == me else f"member {event.name}"
    return (
        f"somebody at {_at(event.other) or 'no address'} uses the name of {name} with key "
        f"{event.other_key}, which is refused: the name belongs to key {event.key} at "
        f"{_at(event.held) or 'no address'}. If the host has a new key, run gossipmm forget "
        f"{event.name} on each node, or issue a certificate for it"
    )


def left_line(event: events.LeaveFinished) -> str:
    """Say how far a leave has come."""
    if not event.told:
        return "left; there was nobody else to tell"
    share = 100 * event.confirmed / event.told
    return f"left: {event.confirmed} of {event.told} live members confirmed ({share:.0f} %)"
