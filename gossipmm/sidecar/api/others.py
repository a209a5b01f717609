"""Endpoints that ask other members: how they are, and to drain."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from gossipmm.answers import MemberHealth
from gossipmm.core.values.questions import Outcome
from gossipmm.sidecar.api.listing import listed
from gossipmm.sidecar.api.schemas import Count
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint
from gossipmm.text.questions import OUTCOMES, reason

__all__ = (
    "ENDPOINTS",
    "DrainMemberBody",
    "DrainedMember",
    "EveryStatus",
    "MemberStatus",
    "RoundTrip",
)

#: The most seconds that questions may take.
_MOST: Final = 30.0
_TIMEOUT: Final = 2.0


class MemberStatus(msgspec.Struct, kw_only=True):
    """How a member is, as it says itself, and as this agent holds it."""

    name: str
    #: As this agent holds it.
    status: str
    #: What it says; empty: it does not.
    verdict: str
    reasons: list[str]
    #: The reasons in words.
    reasons_text: list[str]
    #: Why there is no verdict, as a code and in words; ``done`` and empty: there is one.
    outcome: str
    why: str
    version: str
    uptime: float | None
    #: Its table ``agrees``, ``differs``, or was not heard of since this one changed (``unheard``).
    agreement: str
    differs_for: float | None
    took: float
    wire_version: Count


class EveryStatus(msgspec.Struct, kw_only=True):
    """How all members are: the asked one first, then by name."""

    node: str
    members: list[MemberStatus]


class DrainMemberBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to drain of a member: without topic and host, all of it."""

    topic: str | None = None
    host: str | None = None
    draining: bool = True
    timeout: Annotated[float, msgspec.Meta(gt=0, le=_MOST)] = _TIMEOUT


class DrainedMember(msgspec.Struct, kw_only=True):
    """What came of it: ``done``, or why not, as a code and in words."""

    outcome: str
    why: str
    changed: Count
    took: float


class RoundTrip(msgspec.Struct, kw_only=True):
    """The estimated round trip between two members, or why there is none."""

    name: str
    to: str
    seconds: float | None
    #: Share by which such an estimate is usually off.
    error: float | None
    #: ``done``, or why there is none, as a code and in words.
    outcome: str
    why: str
    #: Which of the two did not say where it is; empty: none.
    of: str


async def status_all(state: State, call: Call) -> EveryStatus:
    """Ask all members how they are."""
    found = await state.agent.status_all(_seconds(call.query.get("timeout")))
    shown = await listed(found, lambda part: map(_shown, part))
    return EveryStatus(node=state.agent.name, members=shown)


def _seconds(text: str | None) -> float:
    try:
        seconds = _TIMEOUT if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MOST:
        raise ProblemError(400, f"timeout: {text!r} is not a number of seconds up to {_MOST:g}")
    return seconds


def _shown(one: MemberHealth) -> MemberStatus:
    return MemberStatus(
        name=one.name,
        status=one.status.label,
        verdict=one.verdict,
        reasons=list(one.reasons),
        reasons_text=[reason(code) for code in one.reasons],
        outcome=one.outcome.value,
        why="" if one.outcome is Outcome.DONE else OUTCOMES[one.outcome],
        version=one.version,
        uptime=None if one.uptime is None else round(one.uptime, 3),
        agreement=one.agreement,
        differs_for=None if one.differs_for is None else round(one.differs_for, 3),
        took=round(one.took, 4),
        wire_version=one.wire_version,
    )


async def drain_member(state: State, call: Call) -> DrainedMember:
    """Have another member take itself, or registrations, out of new picks, or put them back."""
    if call.request.tcp:
        why = "other members are drained through the agent's Unix socket only"
        raise ProblemError(403, why, "socket-only")
    body = call.read(DrainMemberBody)
    found = await state.agent.drain_member(
        call.path["name"], body.topic, body.host, draining=body.draining, timeout=body.timeout
    )
    done = found.outcome is Outcome.DONE
    return DrainedMember(
        outcome=found.outcome.value,
        why="" if done else OUTCOMES[found.outcome],
        changed=found.changed,
        took=round(found.took, 4),
    )


async def rtt(state: State, call: Call) -> RoundTrip:
    """Estimate the round trip between two members, each asked for its coordinate."""
    name, to = call.path["name"], call.query.get("to")
    found = await state.agent.rtt(name, to, _seconds(call.query.get("timeout")))
    return RoundTrip(
        name=name,
        to=state.agent.name if to is None else to,
        seconds=None if found.seconds is None else round(found.seconds, 6),
        error=None if found.error is None else round(found.error, 3),
        outcome=found.outcome.value,
        why="" if found.outcome is Outcome.DONE else OUTCOMES[found.outcome],
        of=found.of,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/members/{name}/rtt",
        handler=rtt,
        summary="The estimated round trip between a member and another one",
        answer=RoundTrip,
        query=("to", "timeout"),
        problems=(503,),
    ),
    Endpoint(
        method="GET",
        path="/v1/status/all",
        handler=status_all,
        summary="How all members are: each is asked",
        answer=EveryStatus,
        query=("timeout",),
        problems=(503,),
    ),
    Endpoint(
        method="POST",
        path="/v1/members/{name}/drain",
        handler=drain_member,
        summary="Have another member drained, where its configuration allows it",
        answer=DrainedMember,
        body=DrainMemberBody,
        problems=(403, 503),
    ),
)
