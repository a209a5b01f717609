"""Endpoints that change registrations, or report what a caller learned about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import trio

from gossipmm.sidecar.api import schemas, views
from gossipmm.sidecar.api.listing import listed
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.messages import Response
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint, Handler

__all__ = ("ENDPOINTS",)

_SELF = "/v1/registrations/{topic}"
_PATH = f"{_SELF}/{{host}}"


async def registrations(state: State, call: Call) -> schemas.OwnRegistrations:
    """Show what was registered with this agent."""
    agent = state.agent
    me = agent.table.me
    names = [(entry.topic, entry.host) for entry in (me.registrations() if me is not None else ())]
    await trio.lowlevel.checkpoint()  # thousands take milliseconds to gather, and to sort
    names.sort()

    def show(part: Sequence[tuple[str, str]]) -> list[schemas.Own]:
        found = [agent.registration(topic, host) for topic, host in part]
        return [views.own(entry) for entry in found if entry is not None]

    found = await listed(names, show)
    return schemas.OwnRegistrations(node=agent.name, registrations=found)


def _named(state: State, call: Call) -> tuple[str, str]:
    """Return the topic and host of the path; without a host it is the node's own name."""
    return call.path["topic"], call.path.get("host", state.agent.name)


def register(state: State, call: Call) -> Response:
    """Register a host for a topic, or renew it; 201 when it was not registered here before."""
    topic, host = _named(state, call)
    body = call.read(schemas.RegisterBody)
    known = _own(state, topic, host)
    metadata = {key: _whole(value) for key, value in body.metadata.items()}
    state.agent.register(topic, host, metadata, ttl=body.ttl, draining=body.draining)
    entry = state.agent.registration(topic, host)
    assert entry is not None
    return Response(msgspec.json.encode(views.own(entry)), 200 if known else 201)


def _whole(value: str | int | float | bool) -> str | int | float | bool:
    """Accept 454.0 as 454; the agent refuses anything that is not a whole number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def unregister(state: State, call: Call) -> None:
    """End one registration, and nothing else."""
    topic, host = _named(state, call)
    if not state.agent.unregister(topic, host):
        raise _missing(state, topic, host)


def ack_alive(state: State, call: Call) -> schemas.Acknowledged:
    """Renew a registration of this agent; for another node's, report that it is alive."""
    topic, host = _named(state, call)
    if not state.agent.ack_alive(topic, host):
        raise _missing(state, topic, host)
    return _acknowledged(state, topic, host)


def report_failure(state: State, call: Call) -> schemas.Acknowledged:
    """Have the owner probed now, and prefer others meanwhile."""
    topic, host = _named(state, call)
    if not state.agent.report_failure(topic, host):
        if _own(state, topic, host):
            raise ProblemError(
                409,
                f"{topic} of {host} is registered with this agent itself: unregister or drain it",
                "own-registration",
            )
        raise _missing(state, topic, host)
    return _acknowledged(state, topic, host)


def expire(state: State, call: Call) -> schemas.Acknowledged:
    """Hide a registration here as it stands; its owner is asked, and may show it again."""
    topic, host = _named(state, call)
    found = _acknowledged(state, topic, host)
    if not state.agent.expire(topic, host):
        raise _missing(state, topic, host)
    return found


def drain(state: State, call: Call) -> schemas.Changed:
    """Take registrations of this agent, or the node, out of new picks, or put them back."""
    body = call.read(schemas.DrainBody)
    changed = state.agent.drain(body.topic, body.host, draining=body.draining)
    return schemas.Changed(changed=changed)


def set_metadata(state: State, call: Call) -> schemas.Changed:
    """Change metadata of registrations of this agent, or of the node."""
    body = call.read(schemas.MetadataBody)
    changed = state.agent.set_metadata(body.changes, body.topic, body.host)
    return schemas.Changed(changed=changed)


def drain_one(state: State, call: Call) -> schemas.Changed:
    """Take a registration of this agent out of new picks, or put it back."""
    topic, host = _named(state, call)
    if not _own(state, topic, host):
        raise _missing(state, topic, host)
    draining = call.read(schemas.DrainOneBody).draining
    return schemas.Changed(changed=state.agent.drain(topic, host, draining=draining))


def _own(state: State, topic: str, host: str) -> bool:
    return state.agent.registration(topic, host) is not None


def _acknowledged(state: State, topic: str, host: str) -> schemas.Acknowledged:
    view = state.agent.table.topics.get(topic)
    entry = view.entries.get(host) if view is not None else None
    return schemas.Acknowledged(
        topic=topic,
        host=host,
        own=_own(state, topic, host),
        nodes=list(entry.nodes) if entry is not None else [],
    )


def _missing(state: State, topic: str, host: str) -> ProblemError:
    view = state.agent.table.topics.get(topic)
    entry = view.entries.get(host) if view is not None else None
    if entry is None:
        return ProblemError(
            404, f"{topic} of {host} is not registered, or has expired", "unknown-registration"
        )
    return ProblemError(
        404,
        f"{topic} of {host} is registered with {', '.join(entry.nodes)}, not with this agent",
        "unknown-registration",
    )


def _acknowledging(what: str, handler: Handler, old: str, summary: str) -> tuple[Endpoint, ...]:
    """Return an endpoint, and the one under the name that it had until version 0.1."""
    new = Endpoint(
        method="POST",
        path=f"{_PATH}/{what}",
        handler=handler,
        summary=summary,
        answer=schemas.Acknowledged,
        problems=(404, 409, 503) if handler is report_failure else (404, 503),
    )
    return new, replace(new, path=f"{_PATH}/{old}", operation=old, deprecated=True)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/registrations",
        handler=registrations,
        summary="The registrations made with this agent, and when they end",
        answer=schemas.OwnRegistrations,
    ),
    *(
        Endpoint(
            method="PUT",
            path=path,
            handler=register,
            operation=operation,
            summary=f"Register {who} for a topic, or renew it by the same call again",
            answer=schemas.Own,
            also={201: "Registered; before, it was not."},
            body=schemas.RegisterBody,
            problems=(422, 503),
        )
        for path, operation, who in (
            (_PATH, "register", "a host"),
            (_SELF, "register_self", "this node's own name"),
        )
    ),
    *(
        Endpoint(
            method="DELETE",
            path=path,
            handler=unregister,
            operation=operation,
            summary=f"End a registration of this agent{who}",
            status=204,
            problems=(404, 422, 503),
        )
        for path, operation, who in (
            (_PATH, "unregister", ""),
            (_SELF, "unregister_self", " under its own name"),
        )
    ),
    *_acknowledging(
        "ack_alive",
        ack_alive,
        "ack",
        "Renew a registration of this agent; of another's: a message was delivered to it",
    ),
    *_acknowledging(
        "report_failure",
        report_failure,
        "failure",
        "A message to it failed: it is probed now, and others are preferred meanwhile",
    ),
    Endpoint(
        method="POST",
        path=f"{_PATH}/expire",
        handler=expire,
        summary="Hide a registration here; if it still stands, its owner shows it again",
        answer=schemas.Acknowledged,
        problems=(404, 503),
    ),
    Endpoint(
        method="POST",
        path="/v1/drain",
        handler=drain,
        summary="Take registrations of this agent, or this whole node, out of new picks, or back",
        answer=schemas.Changed,
        body=schemas.DrainBody,
        problems=(503,),
    ),
    Endpoint(
        method="POST",
        path="/v1/metadata",
        handler=set_metadata,
        summary="Change metadata of registrations of this agent, or of this node",
        answer=schemas.Changed,
        body=schemas.MetadataBody,
        problems=(422, 503),
    ),
    Endpoint(
        method="POST",
        path=f"{_PATH}/drain",
        handler=drain_one,
        summary="Take a registration of this agent out of new picks, or back",
        deprecated=True,
        answer=schemas.Changed,
        body=schemas.DrainOneBody,
        problems=(404, 503),
    ),
)
