"""Endpoints that read: keys, topics, members and the reasons for their status."""

from __future__ import annotations

import trio

from gossipmm.core.values.types import HostState
from gossipmm.matchmaker import ring_of
from gossipmm.matchmaker.explained import Explained
from gossipmm.matchmaker.table_matchmaker import explained
from gossipmm.sidecar.api import lookup_schemas, schemas, views
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint
from gossipmm.text.evidence import detail, sentence
from gossipmm.text.summary import summary

__all__ = ("ENDPOINTS",)

#: Topics put into a ring before other tasks have their turn: about 1 us each.
_TOPICS = 500


def queues(state: State, call: Call) -> lookup_schemas.Queues:
    """Answer a key; takes a turn of the round robin."""
    key = call.path["key"]
    agent = state.agent
    prefer = call.query.get("prefer")
    found = agent.queues(key, routing_key=_routing_key(call), prefer=prefer)
    long = explained(agent.matchmaker, key, prefer=prefer)
    status = long.status if isinstance(long, Explained) else agent.lookup(key).status
    return lookup_schemas.Queues(key=key, status=status.value, queues=found)


def _routing_key(call: Call) -> str | bytes | None:
    text, digits = call.query.get("routing_key"), call.query.get("routing_key_hex")
    if digits is None:
        return text
    if text is not None:
        raise ProblemError(400, "give routing_key (text) or routing_key_hex (bytes), not both")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ProblemError(400, f"routing_key_hex={digits!r} is not hexadecimal") from None


async def lookup(state: State, call: Call) -> lookup_schemas.Lookup:
    """Answer a key in detail."""
    key = call.path["key"]
    prefer = call.query.get("prefer")
    found = explained(state.agent.matchmaker, key, prefer=prefer)
    if isinstance(found, Explained):
        return await views.explained(key, found)
    return views.lookup(state.agent.lookup(key, prefer=prefer))


async def topics(state: State, call: Call) -> schemas.Topics:
    """Show all topics."""
    return await views.topics(state)


async def topic(state: State, call: Call) -> schemas.Topic:
    """Show one topic."""
    name = call.path["topic"]
    view = state.agent.table.topics.get(name)
    if view is None:
        raise ProblemError(404, f"no member registers the topic {name!r}", "unknown-topic")
    return await views.topic(state, view, state.agent.now())


async def ring(state: State, call: Call) -> schemas.Ring:
    """Show the live table as a ring file."""
    table = state.agent.table.topics
    found: schemas.Ring = {}
    for name in sorted(table):
        if len(found) % _TOPICS == _TOPICS - 1:
            await trio.lowlevel.checkpoint()
        if view := table.get(name):
            found.update(ring_of({name: view}))
    return found


async def members(state: State, call: Call) -> schemas.Members:
    """Show all members."""
    return await views.members(state)


def member(state: State, call: Call) -> schemas.Member:
    """Show one member."""
    view = state.agent.member(call.path["name"])
    if view is None:
        raise unknown(state, call.path["name"])
    return views.member(state, view, state.agent.now())


def why(state: State, call: Call) -> schemas.Why:
    """Show why a member has the status that it has here."""
    name = call.path["name"]
    agent = state.agent
    view = agent.member(name)
    if view is None:
        raise unknown(state, name)
    now, trail = agent.now(), agent.why(name)
    serves = [
        entry
        for topic in agent.table.topics.values()
        for entry in topic.entries.values()
        if name in entry.nodes and entry.state is not HostState.STALE
    ]
    return schemas.Why(
        name=name,
        status=view.status.label,
        summary=summary(view, trail, agent.name, now),
        member=views.member(state, view, now),
        serves=sorted((entry.topic, entry.host) for entry in serves),
        unhealthy=sorted(
            (entry.topic, entry.host, because)
            for entry in serves
            if (because := views.why_unhealthy(state, entry))
        ),
        evidence=[
            schemas.Evidence(
                time=state.wall(line.at),
                ago=state.ago(line.at),
                kind=line.kind,
                reporter=line.reporter,
                heartbeat=line.heartbeat,
                detail=detail(line),
                facts=dict(line.facts),
                text=sentence(line, agent.name, name),
            )
            for line in trail
        ],
    )


def forget(state: State, call: Call) -> None:
    """Close the generation of a member that is gone or was never alive by hand, everywhere."""
    name = call.path["name"]
    view = state.agent.member(name)
    if view is None:
        raise unknown(state, name)
    if not state.agent.forget(name):
        raise ProblemError(
            409,
            f"{name} is {view.status.label}: only a dead or left member, or one that was never "
            "alive here, can be forgotten",
            "not-dead",
        )


def unknown(state: State, name: str) -> ProblemError:
    """Say that a member is unknown; if a host has that name, say who registers it."""
    nodes = sorted(
        {
            node
            for view in state.agent.table.topics.values()
            if (entry := view.entries.get(name)) is not None
            for node in entry.nodes
        }
    )
    detail = f"no member is called {name!r}"
    if nodes:
        detail += f"; a host of that name is registered by {', '.join(nodes)}"
    return ProblemError(404, detail, "unknown-member")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/queues/{key}",
        handler=queues,
        summary="The hosts of a key: `topic` (one, in turn), `topic.host`, or `fanout~topic`",
        answer=lookup_schemas.Queues,
        query=("routing_key", "routing_key_hex", "prefer"),
    ),
    Endpoint(
        method="GET",
        path="/v1/lookup/{key}",
        handler=lookup,
        summary="The same with each host's state, age and source; takes no turn",
        answer=lookup_schemas.Lookup,
        query=("prefer",),
    ),
    Endpoint(
        method="GET",
        path="/v1/topics",
        handler=topics,
        summary="All topics with their hosts",
        answer=schemas.Topics,
    ),
    Endpoint(
        method="GET",
        path="/v1/topics/{topic}",
        handler=topic,
        summary="One topic with its hosts",
        answer=schemas.Topic,
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/v1/ring",
        handler=ring,
        summary="The live hosts of each topic, as a classical ring file",
        answer=schemas.Ring,
    ),
    Endpoint(
        method="GET",
        path="/v1/members",
        handler=members,
        summary="All known members",
        answer=schemas.Members,
    ),
    Endpoint(
        method="GET",
        path="/v1/members/{name}",
        handler=member,
        summary="One member",
        answer=schemas.Member,
        problems=(404,),
    ),
    Endpoint(
        method="DELETE",
        path="/v1/members/{name}",
        handler=forget,
        summary="Forget a dead or left member, on all nodes: only a new start brings it back",
        status=204,
        problems=(404, 409),
    ),
    Endpoint(
        method="GET",
        path="/v1/members/{name}/why",
        handler=why,
        summary="Why a member is held alive, suspect or dead: the evidence, in words",
        answer=schemas.Why,
        problems=(404,),
    ),
)
