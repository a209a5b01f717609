"""Turns what the agent knows into what the API shows."""

from __future__ import annotations

from math import isfinite

from gossipmm.addresses import format_address
from gossipmm.answers import FoundHost, Lookup
from gossipmm.core.values.types import (
    HostEntry,
    MemberView,
    NodeState,
    OwnRegistration,
    Status,
    TopicView,
)
from gossipmm.sidecar.api import schemas
from gossipmm.sidecar.api.state import State, ago
from gossipmm.text.members import why_status

__all__ = ("lookup", "member", "members", "own", "status", "topic", "topics")


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
        metadata=dict(view.metadata),
        reason=why_status(view, state.agent.why, state.agent.name),
        reason_code=view.reason.value,
        returns=view.returns,
        own=view.name == state.agent.name,
    )


def members(state: State) -> schemas.Members:
    """Show all members."""
    now = state.agent.now()
    return schemas.Members(
        node=state.agent.name,
        event_id=state.hub.event_id,
        members=[member(state, view, now) for view in state.agent.members()],
    )


def topic(state: State, view: TopicView, now: float) -> schemas.Topic:
    """Show a topic."""
    entries = [view.entries[host] for host in sorted(view.entries)]
    heard = state.agent.heard({node for entry in entries for node in entry.nodes})
    return schemas.Topic(
        topic=view.topic,
        stale=view.stale,
        picks=list(view.picks),
        fanout=list(view.fanout),
        hosts=[_host(entry, now, heard) for entry in entries],
    )


def _host(entry: HostEntry, now: float, heard: dict[str, float]) -> schemas.Host:
    freshest = max([entry.heard, *(heard[node] for node in entry.nodes if node in heard)])
    return schemas.Host(
        host=entry.host,
        state=entry.state.label,
        nodes=list(entry.nodes),
        metadata=dict(entry.metadata),
        since_ago=ago(now, entry.since),
        heard_ago=ago(now, freshest) if isfinite(freshest) else None,
    )


def topics(state: State) -> schemas.Topics:
    """Show all topics."""
    now = state.agent.now()
    views = sorted(state.agent.table.topics.items())
    return schemas.Topics(
        node=state.agent.name,
        event_id=state.hub.event_id,
        topics=[topic(state, view, now) for _, view in views],
    )


def lookup(found: Lookup) -> schemas.Lookup:
    """Show the detailed answer to a key."""
    return schemas.Lookup(
        key=found.key,
        topic=found.topic,
        status=found.status.value,
        hosts=[_found(host) for host in found.hosts],
        others=[_found(host) for host in found.others],
    )


def _found(host: FoundHost) -> schemas.FoundHost:
    return schemas.FoundHost(
        key=host.key,
        host=host.host,
        state=None if host.state is None else host.state.label,
        heard_ago=_rounded(host.age),
        since_ago=_rounded(host.in_state),
        source=host.source,
        nodes=list(host.nodes),
        metadata=dict(host.metadata),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None or not isfinite(seconds) else round(seconds, 3)


def own(entry: OwnRegistration) -> schemas.Own:
    """Show a registration of this agent."""
    return schemas.Own(
        topic=entry.topic,
        host=entry.host,
        draining=bool(entry.state),
        metadata=dict(entry.metadata),
        ttl=entry.ttl,
        expires_in=_rounded(entry.left),
    )


def status(state: State) -> schemas.StatusAnswer:
    """Show the state of the agent, and how far others agree."""
    agent = state.agent
    now = agent.now()
    found = agent.status()
    stats = agent.stats
    return schemas.StatusAnswer(
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
        health=schemas.SelfHealth(**found.health._asdict()),
        trouble=dict(found.trouble),
        faults=dict(found.faults),
        fingerprint=f"{found.agreement.fingerprint:016x}",
        agree=found.agreement.agree,
        unheard=found.agreement.unheard,
        differ=[
            schemas.Peer(name=peer.name, since_ago=ago(now, peer.since))
            for peer in sorted(found.agreement.differ)
        ],
        members={
            status.label: found.members[status] for status in Status if status in found.members
        },
        topics=found.topics,
        registrations=found.registrations,
        traffic=schemas.Traffic(
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
    )
