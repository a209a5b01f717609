"""Endpoints about services: what their checks found, and what they say of themselves.

None of them can be added, changed or given a command here: only the configuration file has them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gossipmm.answers import CheckStatus, ServiceStatus
from gossipmm.sidecar.api.schemas import Count, Seconds
from gossipmm.sidecar.api.state import State, ago
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint

__all__ = ("ENDPOINTS", "Service", "shown")

_PATH = "/v1/services/{topic}/{host}/check"
_SELF = "/v1/services/{topic}/check"


class ServiceCheck(msgspec.Struct, kw_only=True):
    """One check of a service, and what its last run found."""

    name: str
    kind: Literal["http", "tcp", "command", "ttl"]
    state: Literal["starting", "passing", "failing"]
    #: What its last run found wrong, or warned of; empty: nothing.
    reason: str
    #: The end of what that run printed, or was answered.
    output: str
    since_ago: Seconds
    #: Seconds since its last run, and how long that took; null: there was none.
    ago: Seconds | None
    took: Seconds | None
    runs: Count
    failures: Count
    skipped: Count


class Service(msgspec.Struct, kw_only=True):
    """A service of this agent's configuration."""

    topic: str
    host: str
    #: starting (not listed yet), up, unhealthy or removed (no longer listed).
    state: Literal["starting", "up", "unhealthy", "removed"]
    #: Why it is not up; empty: it is.
    reason: str
    since_ago: Seconds
    flaps: Count
    checks: list[ServiceCheck]


class Services(msgspec.Struct, kw_only=True):
    """All services of this agent's configuration."""

    node: str
    services: list[Service]


class CheckBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a service with a check of kind ttl says of itself."""

    result: Literal["pass", "warn", "fail"]
    #: What an operator should read; the last 1,024 bytes are kept.
    output: Annotated[str, msgspec.Meta(max_length=65_536)] = ""
    #: Only this check of several; empty: all of kind ttl.
    name: Annotated[str, msgspec.Meta(max_length=1000)] = ""


def shown(found: ServiceStatus, now: float) -> Service:
    """Show a service."""
    return Service(
        topic=found.topic,
        host=found.host,
        state=found.state,  # type: ignore[arg-type]  # one of the four that there are
        reason=found.reason,
        since_ago=ago(now, found.since),
        flaps=found.flaps,
        checks=[_check(one, now) for one in found.checks],
    )


def _check(found: CheckStatus, now: float) -> ServiceCheck:
    return ServiceCheck(
        name=found.name,
        kind=found.kind,  # type: ignore[arg-type]
        state=found.state,  # type: ignore[arg-type]
        reason=found.reason,
        output=found.output,
        since_ago=ago(now, found.since),
        ago=None if found.at is None else ago(now, found.at),
        took=None if found.took is None else round(found.took, 6),
        runs=found.runs,
        failures=found.failures,
        skipped=found.skipped,
    )


def services(state: State, call: Call) -> Services:
    """Show the services of this agent, and what their checks found."""
    now = state.agent.now()
    found = [shown(one, now) for one in state.agent.services()]
    return Services(node=state.agent.name, services=found)


def check(state: State, call: Call) -> None:
    """Take what a service says of itself."""
    body = call.read(CheckBody)
    topic, host = call.path["topic"], call.path.get("host", state.agent.name)
    if not state.agent.check(body.result, topic, host, output=body.output, name=body.name):
        raise ProblemError(
            404,
            f"{topic} of {host} is not among the services of this agent: registrations with a "
            "ttl are renewed by ack_alive",
            "unknown-service",
        )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/services",
        handler=services,
        summary="The services of this agent, and what their checks found",
        answer=Services,
    ),
    *(
        Endpoint(
            method="PUT",
            path=path,
            handler=check,
            operation=operation,
            summary=f"Say how a service{who} is that has a check of kind ttl",
            status=204,
            body=CheckBody,
            problems=(404, 422, 503),
        )
        for path, operation, who in ((_PATH, "check", ""), (_SELF, "check_self", " of this node"))
    ),
)
