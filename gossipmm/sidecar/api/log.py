"""Endpoints about the log of the agent's process: its level, and a stream of it at any level."""

from __future__ import annotations

import logging

from gossipmm.sidecar.api import schemas
from gossipmm.sidecar.api.monitors import MOST
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.messages import Sender, Stream
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint
from gossipmm.sidecar.ops.tap import LEVELS, TAP

__all__ = ("ENDPOINTS",)


def log_level(state: State, call: Call) -> schemas.LogLevel:
    """Show the level of the log."""
    number = TAP.level
    levels = (logging.DEBUG, logging.INFO, logging.WARNING)
    name = next((logging.getLevelName(level) for level in levels if number <= level), "ERROR")
    return schemas.LogLevel(level=name.lower())


def set_log_level(state: State, call: Call) -> schemas.LogLevel:
    """Change the level of the log, until the agent ends."""
    TAP.set_level(LEVELS[call.read(schemas.LogLevel).level])
    return log_level(state, call)


def monitor(state: State, call: Call) -> Stream:
    """Stream what is logged, at a level of the reader's choice."""
    name = call.query.get("level", "info")
    if name not in LEVELS:
        known = ", ".join(LEVELS)
        raise ProblemError(400, f"{name!r} is not a level of the log; known: {known}")
    if state.monitors.count >= MOST:
        raise ProblemError(503, f"{MOST} are reading the log already: end one of them")

    async def run(send: Sender) -> None:
        await state.monitors.serve(send, LEVELS[name])

    # Else nginx holds lines back until its buffer is full.
    return Stream(run, "text/event-stream", (("x-accel-buffering", "no"),))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/monitor",
        handler=monitor,
        summary="What the agent logs, from a level on, as it happens (server-sent events)",
        media_type="text/event-stream",
        query=("level",),
        problems=(503,),
    ),
    Endpoint(
        method="GET",
        path="/v1/log-level",
        handler=log_level,
        summary="The level of the log",
        answer=schemas.LogLevel,
    ),
    Endpoint(
        method="PUT",
        path="/v1/log-level",
        handler=set_log_level,
        summary="Change the level of the log, until the agent ends",
        answer=schemas.LogLevel,
        body=schemas.LogLevel,
    ),
)
