"""Turns what the agent knows into what the API shows."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import msgspec
import trio

from gossipmm.addresses import format_address
from gossipmm.answers import FoundHost, IdentityStatus, Lookup
from gossipmm.core.values.event_status import UserEventsStatus
from gossipmm.core.values.types import (
    HostEntry,
    HostState,
    MemberView,
    NodeState,
    OwnRegistration,
    Status,
    TopicView,
)
from gossipmm.matchmaker.explained import Explained
from gossipmm.sidecar.api import lookup_schemas, schemas, status_schemas
from gossipmm.sidecar.api.listing import listed
from gossipmm.sidecar.api.state import State, ago
from gossipmm.text.members import why_status

__all__ = (
    "explained",
    "lookup",
    "member",
    "members",
    "own",
    "status",
    "topic",
    "topics",
    "why_unhealthy",
)

#: Topics shown between two looks at what else there is to do: small ones take 20 us each.
TOPICS_AT_ONCE = 32


def member(state: State, view: MemberView, now: float) -> schemas.Member:
    """Show a member."""
    return schemas.Member(
        name=view.name,
        status=view.status.label,
        draining=view.node_state is NodeState.DRAINING,
        node_state=view.node_state.name.lower(),
        generation=str(view.generation),
        addresses=[format_address(address) for address in view.addresses],
        heartbeat=view.heartbeat,
        since_ago=ago(now, view.since),
        heard_ago=ago(now, view.heard) if isfinite(view.heard) else None,
        registrations=view.registrations,
        unhealthy=view.unhealthy,
        metadata=dict(view.metadata),
        reason=why_status(view, state.agent.why, state.agent.name),
        reason_code=view.reason.value,
        returns=view.returns,
        wire_version=view.wire_version,
        identity=view.identity.value,
        key=view.key,
        own=view.name == state.agent.name,
        rtt=None if view.rtt is None else round(view.rtt, 6),
        rtt_error=_share(view.rtt_error),
    )


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


async def members(state: State) -> schemas.Members:
    """Show all members."""
    agent = state.agent
    event_id, now = state.hub.event_id, agent.now()

    def show(names: Sequence[str]) -> list[schemas.Member]:
        views = map(agent.member, names)
        return [member(state, view, now) for view in views if view is not None]

    found = await listed(sorted(agent.table.by_name), show)
    return schemas.Members(node=agent.name, event_id=event_id, members=found)


async def topic(state: State, view: TopicView, now: float) -> schemas.Topic:
    """Show a topic."""

    def show(names: Sequence[str]) -> list[schemas.Host]:
        entries = [view.entries[host] for host in names]
        heard = state.agent.heard({node for entry in entries for node in entry.nodes})
        return [_host(state, entry, now, heard) for entry in entries]

    return schemas.Topic(
        topic=view.topic,
        stale=view.stale,
        picks=list(view.picks),
        fanout=list(view.fanout),
        hosts=await listed(sorted(view.entries), show),
    )


def _host(state: State, entry: HostEntry, now: float, heard: dict[str, float]) -> schemas.Host:
    freshest = max([entry.heard, *(heard[node] for node in entry.nodes if node in heard)])
    return schemas.Host(
        host=entry.host,
        state=entry.state.label,
        reason=why_unhealthy(state, entry),
        nodes=list(entry.nodes),
        metadata=dict(entry.metadata),
        zone=entry.zone,
        since_ago=ago(now, entry.since),
        heard_ago=ago(now, freshest) if isfinite(freshest) else None,
    )


def why_unhealthy(state: State, entry: HostEntry) -> str:
    """Say why a host is unhealthy; of another node's, who can say it."""
    if entry.state is not HostState.UNHEALTHY:
        return ""
    if state.agent.name in entry.nodes and (
        reason := state.agent.extras.reason(entry.topic, entry.host)
    ):
        return reason
    return f"its checks fail: {' and '.join(entry.nodes)} can say why (gossipmm services)"


async def topics(state: State) -> schemas.Topics:
    """Show all topics."""
    event_id, now = state.hub.event_id, state.agent.now()
    shown = bytearray(b"[")
    for number, name in enumerate(sorted(state.agent.table.topics)):
        if number % TOPICS_AT_ONCE == TOPICS_AT_ONCE - 1:
            await trio.lowlevel.checkpoint()
        view = state.agent.table.topics.get(name)
        if view is not None:
            part = msgspec.json.encode(await topic(state, view, now))
            shown += part if len(shown) == 1 else b"," + part
    shown += b"]"
    found: Any = msgspec.Raw(shown)
    return schemas.Topics(node=state.agent.name, event_id=event_id, topics=found)


async def explained(key: str, found: Explained) -> lookup_schemas.Lookup:
    """Show the detailed answer to a key, which may have many hosts."""

    def show(names: Sequence[str]) -> list[lookup_schemas.FoundHost]:
        return [_found(host) for host in found.found(names)]

    status = found.status.value
    hosts = await listed(found.hosts, show)
    others = await listed(found.others, show)
    return lookup_schemas.Lookup(
        key=key,
        topic=found.topic,
        status=status,
        hosts=hosts,
        others=others,
        zones=found.zones,
    )


def lookup(found: Lookup) -> lookup_schemas.Lookup:
    """Show the detailed answer to a key."""
    return lookup_schemas.Lookup(
        key=found.key,
        topic=found.topic,
        status=found.status.value,
        hosts=[_found(host) for host in found.hosts],
        others=[_found(host) for host in found.others],
        zones=found.zones,
    )


def _found(host: FoundHost) -> lookup_schemas.FoundHost:
    return lookup_schemas.FoundHost(
        key=host.key,
        host=host.host,
        state=None if host.state is None else host.state.label,
        heard_ago=_rounded(host.age),
        since_ago=_rounded(host.in_state),
        source=host.source,
        nodes=list(host.nodes),
        metadata=dict(host.metadata),
        zone=host.zone,
        weight=host.weight,
        why=host.why,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None or not isfinite(seconds) else round(seconds, 3)


def own(entry: OwnRegistration) -> schemas.Own:
    """Show a registration of this agent."""
    return schemas.Own(
        topic=entry.topic,
        host=entry.host,
        draining=entry.state.draining,
        unhealthy=entry.state.unhealthy,
        metadata=dict(entry.metadata),
        ttl=entry.ttl,
        expires_in=_rounded(entry.left),
    )


def status(state: State) -> status_schemas.StatusAnswer:
    """Show the state of the agent, and how far others agree."""
    agent = state.agent
    now = agent.now()
    found = agent.status()
    stats = agent.stats
    return status_schemas.StatusAnswer(
        verdict=found.verdict.name,
        reasons=list(found.verdict.reasons),
        reason_codes=list(found.verdict.codes),
        name=found.name,
        cluster=found.cluster,
        version=found.version,
        generation=str(found.generation),
        addresses=[format_address(address) for address in found.addresses],
        uptime=round(found.uptime, 3),
        joined=found.joined,
        leaving=found.leaving,
        conflict=[format_address(address) for address in found.conflict],
        impaired=found.health.impaired,
        health=status_schemas.SelfHealth(**found.health._asdict()),
        trouble=dict(found.trouble),
        faults=dict(found.faults),
        paths=dict(found.paths),
        fingerprint=f"{found.agreement.fingerprint:016x}",
        agree=found.agreement.agree,
        unheard=found.agreement.unheard,
        differ=[
            status_schemas.Peer(name=peer.name, since_ago=ago(now, peer.since))
            for peer in sorted(found.agreement.differ)
        ],
        members={
            status.label: found.members[status] for status in Status if status in found.members
        },
        topics=found.topics,
        registrations=found.registrations,
        traffic=status_schemas.Traffic(
            sent_bytes=stats.sent_bytes,
            received_bytes=stats.received_bytes,
            sent_datagrams=stats.sent_datagrams,
            received_datagrams=stats.received_datagrams,
            dropped={reason.value: count for reason, count in sorted(stats.dropped.items())},
            rtt=round(stats.rtt, 6),
            loss=round(stats.loss, 4),
        ),
        watchers=state.hub.watchers,
        process=found.process,
        control=list(state.control),
        event_id=state.hub.event_id,
        identity=_identity(found.identity),
        user_events=_user_events(found.user_events),
        distances=status_schemas.Distances(
            on=found.distances.on, error=_share(found.distances.error)
        ),
    )


def _user_events(found: UserEventsStatus) -> status_schemas.UserEvents:
    return status_schemas.UserEvents(
        sent=found.sent,
        delivered=found.delivered,
        filtered=found.filtered,
        repeated=found.repeated,
        lost=found.lost,
        refused=found.refused,
        forgotten=found.forgotten,
        over_budget=found.over_budget,
        room=found.room,
        room_bytes=found.room_bytes,
    )


def _identity(found: IdentityStatus) -> status_schemas.Identity:
    return status_schemas.Identity(
        mode=found.mode,
        key=found.key,
        public=found.public,
        authorities=list(found.authorities),
        issue=found.issue,
        expires=found.expires,
        members=dict(sorted(found.members.items())),
        not_ready=list(found.not_ready),
        conflicts=dict(found.conflicts),
        equivocating=list(found.equivocating),
        revoked=list(found.revoked),
        ending=dict(found.ending),
        clock_ahead=round(found.clock_ahead, 3),
    )
