"""Endpoints about the agent itself: status, joining, leaving, configuration, health."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import msgspec
import trio

from gossipmm.config import Config
from gossipmm.config_tables import plain
from gossipmm.core.values.events import KINDS
from gossipmm.core.values.types import Status
from gossipmm.sidecar.api import schemas, status_schemas, views
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.api.watch import MAX_WATCHERS, Wanted
from gossipmm.sidecar.http.messages import Response, Sender, Stream
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint

__all__ = ("ENDPOINTS",)

#: The root of this package's loggers.
_LOG = logging.getLogger("gossipmm")
_LIVE = frozenset({Status.ALIVE, Status.SUSPECT, Status.PROBATION})
#: Seconds between two checks whether a join has got anywhere.
_LOOK = 0.05
_DEFAULT = Config()


def status(state: State, call: Call) -> status_schemas.StatusAnswer:
    """Show the state of this agent."""
    return views.status(state)


def stats(state: State, call: Call) -> schemas.Stats:
    """Show every counter of the core."""
    return state.agent.stats.as_dict()


def config(state: State, call: Call) -> schemas.Settings:
    """Show the configuration in use."""
    settings = []
    for field in dataclasses.fields(Config):
        value = getattr(state.agent.config, field.name)
        settings.append(
            schemas.Setting(
                name=field.name,
                value=_without_secrets(plain(value)),
                default=value == getattr(_DEFAULT, field.name),
            )
        )
    return schemas.Settings(settings=settings)


def _without_secrets(value: Any) -> Any:
    """Hide values of headers: they may open the program that is checked."""
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, dict):
        return {
            name: dict.fromkeys(item, "(hidden)")
            if name == "header" and isinstance(item, dict)
            else _without_secrets(item)
            for name, item in value.items()
        }
    return value


async def join(state: State, call: Call) -> schemas.Joining:
    """Add seeds; wait, if asked to, until a member of the cluster answered."""
    body = call.read(schemas.JoinBody)
    agent = state.agent
    agent.join(*body.seeds)
    deadline = agent.now() + body.wait
    while agent.now() < deadline:
        if agent.seeds_tried(*body.seeds) and _live(state) > 1:
            break
        await trio.sleep(_LOOK)
    trouble = agent.seed_trouble()
    return schemas.Joining(
        seeds=body.seeds,
        joined=agent.table.joined and _live(state) > 1,
        live=_live(state),
        failures={seed: trouble[seed] for seed in body.seeds if seed in trouble},
    )


def _live(state: State) -> int:
    return sum(view.status in _LIVE for view in state.agent.members())


async def leave(state: State, call: Call) -> Response:
    """Leave gracefully; the agent ends once this is answered."""
    _LOG.info("leaving, as the control API was told to")
    finished = await state.agent.leave()
    told, confirmed = finished.told, finished.confirmed
    left = schemas.Left(
        confirmed=confirmed, told=told, share=round(confirmed / told, 4) if told else 1.0
    )
    return Response(msgspec.json.encode(left), after=state.left)


def watch(state: State, call: Call) -> Stream:
    """Stream events as they happen."""
    if state.hub.watchers >= MAX_WATCHERS:
        raise ProblemError(503, f"{MAX_WATCHERS} are watching already: try again later")
    kinds = _words(call.query.get("kind"))
    if unknown := kinds - KINDS.keys():
        known = ", ".join(sorted(KINDS))
        raise ProblemError(400, f"{sorted(unknown)[0]!r} is not a kind of event; known: {known}")
    wanted = Wanted(kinds, _words(call.query.get("topic")), _words(call.query.get("member")))
    since = call.query.get("since")
    if (last := call.request.headers.get(b"last-event-id")) is not None:
        since = last.decode("latin-1")

    async def run(send: Sender) -> None:
        await state.hub.serve(send, since, wanted)

    # Else nginx holds events back until its buffer is full.
    return Stream(run, "text/event-stream", (("x-accel-buffering", "no"),))


def _words(text: str | None) -> frozenset[str]:
    return frozenset(word for word in (text or "").split(",") if word)


def livez(state: State, call: Call) -> schemas.Health:
    """Answer, which shows that the agent's event loop runs."""
    return schemas.Health(status="ok")


def readyz(state: State, call: Call) -> schemas.Health:
    """Answer whether lookups here can be relied on: the verdict is ok or degraded."""
    agent = state.agent
    verdict = agent.status().verdict
    if verdict.name not in ("ok", "degraded"):
        words = "; ".join(verdict.reasons)
        raise ProblemError(503, f"{agent.name}: {words}", verdict.name.replace("_", "-"))
    return schemas.Health(status="ready")


def metrics(state: State, call: Call) -> Response:
    """Show the counters in the text format of Prometheus."""
    from gossipmm.sidecar.ops import metrics as exposition

    return Response(exposition.render(state.agent), content_type=exposition.CONTENT_TYPE)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/status",
        handler=status,
        summary="How this agent is, and how far others agree with its table",
        answer=status_schemas.StatusAnswer,
    ),
    Endpoint(
        method="GET",
        path="/v1/stats",
        handler=stats,
        summary="Every counter of the core since the start, by name",
        answer=schemas.Stats,
    ),
    Endpoint(
        method="GET",
        path="/v1/config",
        handler=config,
        summary="The configuration in use",
        answer=schemas.Settings,
    ),
    Endpoint(
        method="GET",
        path="/v1/watch",
        handler=watch,
        summary="Events as they happen (server-sent events); resumes behind a known event",
        media_type="text/event-stream",
        query=("since", "kind", "topic", "member"),
        problems=(503,),
    ),
    Endpoint(
        method="POST",
        path="/v1/join",
        handler=join,
        summary="Add seeds",
        answer=schemas.Joining,
        body=schemas.JoinBody,
        problems=(422, 503),
    ),
    Endpoint(
        method="POST",
        path="/v1/leave",
        handler=leave,
        summary="Leave the cluster, say how many confirmed it, and end the agent",
        answer=schemas.Left,
    ),
    Endpoint(
        method="GET",
        path="/livez",
        handler=livez,
        summary="200 while the agent's loop runs",
        answer=schemas.Health,
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        handler=readyz,
        summary="200 while lookups can be relied on: the verdict of status is ok or degraded",
        answer=schemas.Health,
        problems=(503,),
    ),
    Endpoint(
        method="GET",
        path="/metrics",
        handler=metrics,
        summary="Counters in the text format of Prometheus",
        media_type="text/plain",
    ),
)
