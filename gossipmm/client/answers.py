"""From the JSON of the control API to the values that an agent in this process would give.

Ages become times of this process's own clock (``clock``), so that ``now() - member.heard`` is an
age on every face. How long the answer was under way is not known, and not taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from gossipmm.addresses import parse_address
from gossipmm.answers import (
    CheckStatus,
    DistancesStatus,
    Drained,
    FoundHost,
    IdentityStatus,
    Joining,
    KeyHolder,
    KeysStatus,
    KeyStraggler,
    Lookup,
    LookupStatus,
    MemberHealth,
    NodeStatus,
    QueryAnswer,
    QueryResult,
    RotationStatus,
    Rtt,
    ServiceStatus,
    Verdict,
)
from gossipmm.client.asked import clock
from gossipmm.core.values.event_status import UserEventsStatus
from gossipmm.core.values.questions import Outcome
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import (
    Agreement,
    Disagreement,
    EntryState,
    Evidence,
    Facts,
    Health,
    HostEntry,
    HostState,
    IdentityState,
    MemberView,
    NodeState,
    OwnRegistration,
    Status,
    StatusReason,
    TopicView,
)
from gossipmm.names import DEFAULT_WEIGHT

if TYPE_CHECKING:
    from gossipmm.core.values.events import LeaveFinished

__all__ = (
    "drained",
    "joining",
    "keys_status",
    "left",
    "lookup",
    "member",
    "members_health",
    "node_status",
    "registration",
    "services",
    "topic",
    "trail",
    "up",
)


def member(value: Mapping[str, Any]) -> MemberView:
    """Read a member."""
    now = clock()
    return MemberView(
        name=value["name"],
        generation=int(value["generation"]),
        status=Status[value["status"].upper()],
        node_state=NodeState[value["node_state"].upper()],
        addresses=tuple(map(parse_address, value["addresses"])),
        heartbeat=value["heartbeat"],
        since=now - value["since_ago"],
        heard=-inf if value["heard_ago"] is None else now - value["heard_ago"],
        registrations=value["registrations"],
        metadata=value["metadata"],
        reason=StatusReason(value["reason_code"]),
        returns=value["returns"],
        wire_version=value.get("wire_version", 1),  # an older agent does not say
        unhealthy=value.get("unhealthy", 0),  # an older agent does not tell
        identity=IdentityState(value.get("identity", IdentityState.UNSIGNED)),
        key=value.get("key", ""),
        rtt=value.get("rtt"),
        rtt_error=value.get("rtt_error"),
    )


def trail(value: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """Read why a member is as it is."""
    now = clock()
    return tuple(
        Evidence(
            now - line["ago"],
            EvidenceKind(line["kind"]),
            line["reporter"],
            line["heartbeat"],
            _facts(line["facts"]),
        )
        for line in value["evidence"]
    )


def _facts(value: Mapping[str, Any]) -> Facts:
    return {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in value.items()}


def topic(value: Mapping[str, Any]) -> TopicView:
    """Read a topic with its hosts."""
    now = clock()
    return TopicView(
        topic=value["topic"],
        picks=tuple(value["picks"]),
        fanout=tuple(value["fanout"]),
        entries={
            host["host"]: HostEntry(
                topic=value["topic"],
                host=host["host"],
                state=HostState[host["state"].upper()],
                nodes=tuple(host["nodes"]),
                metadata=host["metadata"],
                since=now - host["since_ago"],
                heard=-inf if host["heard_ago"] is None else now - host["heard_ago"],
                zone=host.get("zone", ""),  # an older agent does not tell
            )
            for host in value["hosts"]
        },
        stale=value["stale"],
        weighted=any("weight" in host["metadata"] for host in value["hosts"]),
    )


def up(value: Mapping[str, Any], host: str) -> bool:
    """Read whether a topic has a host that is held alive."""
    found = topic(value).entries.get(host)
    return found is not None and found.state is not HostState.STALE


def lookup(value: Mapping[str, Any]) -> Lookup:
    """Read the long answer to a key."""
    return Lookup(
        key=value["key"],
        topic=value["topic"],
        status=LookupStatus(value["status"]),
        hosts=tuple(map(_found, value["hosts"])),
        others=tuple(map(_found, value["others"])),
        zones=value.get("zones", ""),  # an older agent does not tell
    )


def _found(host: Mapping[str, Any]) -> FoundHost:
    return FoundHost(
        key=host["key"],
        host=host["host"],
        state=None if host["state"] is None else HostState[host["state"].upper()],
        age=host["heard_ago"],
        in_state=host["since_ago"],
        source=host["source"],
        nodes=tuple(host["nodes"]),
        metadata=host["metadata"],
        zone=host.get("zone", ""),
        weight=host.get("weight", DEFAULT_WEIGHT),
        why=host.get("why", ""),
    )


def registration(value: Mapping[str, Any]) -> OwnRegistration:
    """Read a registration of the agent's own."""
    return OwnRegistration(
        topic=value["topic"],
        host=value["host"],
        metadata=value["metadata"],
        state=EntryState.UP.but(
            draining=value["draining"],
            unhealthy=value.get("unhealthy", False),  # an older agent does not tell
        ),
        ttl=value["ttl"],
        left=value["expires_in"],
    )


def services(value: Mapping[str, Any]) -> tuple[ServiceStatus, ...]:
    """Read the services of an agent."""
    now = clock()
    return tuple(
        ServiceStatus(
            topic=one["topic"],
            host=one["host"],
            state=one["state"],
            reason=one["reason"],
            since=now - one["since_ago"],
            flaps=one["flaps"],
            checks=tuple(
                CheckStatus(
                    name=check["name"],
                    kind=check["kind"],
                    state=check["state"],
                    reason=check["reason"],
                    output=check["output"],
                    since=now - check["since_ago"],
                    at=None if check["ago"] is None else now - check["ago"],
                    took=check["took"],
                    runs=check["runs"],
                    failures=check["failures"],
                    skipped=check["skipped"],
                )
                for check in one["checks"]
            ),
        )
        for one in value["services"]
    )


def node_status(value: Mapping[str, Any]) -> NodeStatus:
    """Read how an agent is."""
    now = clock()
    return NodeStatus(
        name=value["name"],
        cluster=value["cluster"],
        version=value["version"],
        generation=int(value["generation"]),
        addresses=tuple(map(parse_address, value["addresses"])),
        uptime=value["uptime"],
        joined=value["joined"],
        leaving=value["leaving"],
        conflict=tuple(map(parse_address, value["conflict"])),
        trouble=value["trouble"],
        faults=value.get("faults", {}),  # an older agent does not tell
        paths=value.get("paths", {}),
        agreement=Agreement(
            fingerprint=int(value["fingerprint"], 16),
            agree=value["agree"],
            differ=tuple(
                Disagreement(peer["name"], now - peer["since_ago"]) for peer in value["differ"]
            ),
            unheard=value["unheard"],
        ),
        # An agent of another version may have more to say of itself, or less.
        health=Health(*(value["health"].get(name, 0) for name in Health._fields)),
        members={Status[name.upper()]: count for name, count in value["members"].items()},
        topics=value["topics"],
        registrations=value["registrations"],
        process=value["process"],
        verdict=Verdict(
            value.get("verdict", "ok" if value["joined"] else "not_joined"),
            tuple(value.get("reasons", ())),
            tuple(value.get("reason_codes", ())),
        ),
        identity=_identity(value.get("identity", {})),  # an older agent does not tell
        user_events=_user_events(value.get("user_events", {})),
        distances=_distances(value.get("distances", {})),
    )


def _identity(value: Mapping[str, Any]) -> IdentityStatus:
    # An agent of another version may have more to say, or less.
    known = [(name, value[name]) for name in IdentityStatus._fields if name in value]
    told: dict[str, Any] = {n: tuple(one) if isinstance(one, list) else one for n, one in known}
    return IdentityStatus(**told)


def _distances(value: Mapping[str, Any]) -> DistancesStatus:
    return DistancesStatus(value.get("on", False), value.get("error"))


def _user_events(value: Mapping[str, Any]) -> UserEventsStatus:
    return UserEventsStatus(**{n: value[n] for n in UserEventsStatus._fields if n in value})


def members_health(value: Mapping[str, Any]) -> tuple[MemberHealth, ...]:
    """Read what the members say of themselves."""
    return tuple(
        MemberHealth(
            name=one["name"],
            status=Status[one["status"].upper()],
            outcome=Outcome(one["outcome"]),
            verdict=one["verdict"],
            reasons=tuple(one["reasons"]),
            version=one["version"],
            uptime=one["uptime"],
            agreement=one["agreement"],
            differs_for=one["differs_for"],
            took=one["took"],
            wire_version=one["wire_version"],
        )
        for one in value["members"]
    )


def drained(value: Mapping[str, Any]) -> Drained:
    """Read what came of having another member drained."""
    return Drained(Outcome(value["outcome"]), value["changed"], value["took"])


def query_result(value: Mapping[str, Any]) -> QueryResult:
    """Read what came of a query."""
    from base64 import b64decode  # for the one call that needs it

    answers = tuple(
        QueryAnswer(
            name=one["name"],
            outcome=Outcome(one["outcome"]),
            payload=b64decode(one["payload_base64"]),
            cut=one["cut"],
            status=one["status"],
            took=one["took"],
            via=one["via"],
        )
        for one in value["answers"]
    )
    return QueryResult(value["name"], answers, value["took"])


def rtt(value: Mapping[str, Any]) -> Rtt:
    """Read an estimated round trip."""
    return Rtt(Outcome(value["outcome"]), value["seconds"], value["error"], value["of"])


def joining(value: Mapping[str, Any]) -> Joining:
    """Read how far a join is."""
    return Joining(tuple(value["seeds"]), value["joined"], value["live"], dict(value["failures"]))


def left(value: Mapping[str, Any]) -> LeaveFinished:
    """Read how a leave went."""
    # A third of the import of the client, for the one call after which there is no other.
    from gossipmm.core.values.events import LeaveFinished

    return LeaveFinished(clock(), value["confirmed"], value["told"])


def keys_status(value: Mapping[str, Any]) -> KeysStatus:
    """Read the keys of an agent."""
    return KeysStatus(
        node=value["node"],
        encrypted=value["encrypted"],
        file=value["file"],
        trouble=value["trouble"],
        keys=_kids(value["keys"]),
        retired=_kids(value["retired"]),
        rotation=None if value["rotation"] is None else _rotation(value["rotation"]),
        members=tuple(
            KeyHolder(one["name"], one["live"], _kids(one["holds"]), one["covered"])
            for one in value["members"]
        ),
        stragglers=tuple(
            KeyStraggler(
                one["name"],
                parse_address(one["address"]),
                bytes.fromhex(one["kid"]),
                one["times"],
                clock() - one["ago"],
            )
            for one in value["stragglers"]
        ),
    )


def _rotation(value: Mapping[str, Any]) -> RotationStatus:
    return RotationStatus(
        phase=value["phase"],
        kid=bytes.fromhex(value["kid"]),
        replaces=bytes.fromhex(value["replaces"]),
        out_of_band=value["out_of_band"],
        since=clock() - value["since_ago"],
        keep_left=value["keep_left"],
        waits_for=tuple(value["waits_for"]),
        without=tuple(value["without"]),
        missing=value["missing"],
        majority=value["majority"],
    )


def _kids(values: list[str]) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, values))
