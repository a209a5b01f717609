"""Endpoints that change registrations, or report what a caller learned about one."""

from __future__ import annotations

import msgspec

from gossipmm.sidecar.api import schemas, views
from gossipmm.sidecar.api.problems import ProblemError
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.messages import Response
from gossipmm.sidecar.http.router import Call, Endpoint

__all__ = ("ENDPOINTS",)

_PATH = "/v1/registrations/{topic}/{host}"


def registrations(state: State, call: Call) -> schemas.OwnRegistrations:
    """Show what was registered with this agent."""
    leases = state.agent.leases()
    entries = sorted(state.agent.registrations(), key=lambda entry: entry[:2])
    return schemas.OwnRegistrations(
        node=state.agent.name, registrations=[views.own(entry, leases) for entry in entries]
    )


def register(state: State, call: Call) -> Response:
    """Register a host for a topic, or renew it; 201 when it was not registered here before."""
    topic, host = call.path["topic"], call.path["host"]
    body = call.read(schemas.RegisterBody)
    known = _own(state, topic, host)
    metadata = {key: _whole(value) for key, value in body.metadata.items()}
    state.agent.register(topic, host, metadata, ttl=body.ttl, draining=body.draining)
    entry = next(e for e in state.agent.registrations() if (e.topic, e.host) == (topic, host))
    shown = views.own(entry, state.agent.leases())
    return Response(msgspec.json.encode(shown), 200 if known else 201)


def _whole(value: str | int | float | bool) -> str | int | float | bool:
    """Accept 454.0 as 454; the agent refuses anything that is not a whole number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def unregister(state: State, call: Call) -> None:
    """End one registration, and nothing else."""
    topic, host = call.path["topic"], call.path["host"]
    if not state.agent.unregister(topic, host):
        raise _missing(state, topic, host)


def ack(state: State, call: Call) -> schemas.Acknowledged:
    """Renew a registration of this agent; for another node's, report that it is alive."""
    topic, host = call.path["topic"], call.path["host"]
    if not state.agent.ack_alive(topic, host):
        raise _missing(state, topic, host)
    return _acknowledged(state, topic, host)


def failure(state: State, call: Call) -> schemas.Acknowledged:
    """Have the owner probed now, and prefer others meanwhile."""
    topic, host = call.path["topic"], call.path["host"]
    if not state.agent.report_failure(topic, host):
        if _own(state, topic, host):
            raise ProblemError(
                409, f"{topic} of {host} is registered with this very agent: unregister or drain it"
            )
        raise _missing(state, topic, host)
    return _acknowledged(state, topic, host)


def expire(state: State, call: Call) -> schemas.Acknowledged:
    """Hide a registration here as it stands; its owner is asked, and may show it again."""
    topic, host = call.path["topic"], call.path["host"]
    found = _acknowledged(state, topic, host)
    if not state.agent.expire(topic, host):
        raise _missing(state, topic, host)
    return found


def drain(state: State, call: Call) -> schemas.Changed:
    """Take a registration of this agent out of new picks, or put it back."""
    topic, host = call.path["topic"], call.path["host"]
    if not _own(state, topic, host):
        raise _missing(state, topic, host)
    draining = call.read(schemas.DrainBody).draining
    return schemas.Changed(changed=state.agent.drain(topic, host, draining=draining))


def drain_node(state: State, call: Call) -> schemas.Changed:
    """Take the whole node out of new picks, or put it back."""
    draining = call.read(schemas.DrainBody).draining
    return schemas.Changed(changed=state.agent.drain(draining=draining))


def _own(state: State, topic: str, host: str) -> bool:
    return any((e.topic, e.host) == (topic, host) for e in state.agent.registrations())


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
            404, f"{topic} of {host} is not registered (any more)", "unknown-registration"
        )
    return ProblemError(
        404,
        f"{topic} of {host} is registered with {', '.join(entry.nodes)}, not with this agent",
        "unknown-registration",
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/registrations",
        handler=registrations,
        summary="The registrations made with this agent, and when they end",
        answer=schemas.OwnRegistrations,
    ),
    Endpoint(
        method="PUT",
        path=_PATH,
        handler=register,
        summary="Register a host for a topic, or renew it by the same call again",
        answer=schemas.Own,
        also={201: "Registered; before, it was not."},
        body=schemas.RegisterBody,
        problems=(422, 503),
    ),
    Endpoint(
        method="DELETE",
        path=_PATH,
        handler=unregister,
        summary="End a registration of this agent",
        status=204,
        problems=(404, 503),
    ),
    Endpoint(
        method="POST",
        path=f"{_PATH}/ack",
        handler=ack,
        summary="Renew a registration of this agent; of another's: a message was delivered to it",
        answer=schemas.Acknowledged,
        problems=(404, 503),
    ),
    Endpoint(
        method="POST",
        path=f"{_PATH}/failure",
        handler=failure,
        summary="A message to it failed: it is probed now, and others are preferred meanwhile",
        answer=schemas.Acknowledged,
        problems=(404, 409, 503),
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
        path=f"{_PATH}/drain",
        handler=drain,
        summary="Take a registration of this agent out of new picks, or back",
        answer=schemas.Changed,
        body=schemas.DrainBody,
        problems=(404, 503),
    ),
    Endpoint(
        method="POST",
        path="/v1/drain",
        handler=drain_node,
        summary="Take this whole node out of new picks, or back",
        answer=schemas.Changed,
        body=schemas.DrainBody,
        problems=(503,),
    ),
)
