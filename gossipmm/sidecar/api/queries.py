"""The endpoint that asks many members at once."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Annotated, Final

import msgspec

from gossipmm.answers import QueryAnswer
from gossipmm.core.values.questions import Outcome
from gossipmm.sidecar.api.schemas import Count
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint
from gossipmm.text.questions import OUTCOMES

__all__ = ("ENDPOINTS", "QueryBody", "QueryFound", "QueryMember")

#: The most seconds that a query may take here.
_MOST: Final = 30.0


class QueryBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to ask: all members, those of a topic, or those that have some metadata."""

    name: str
    #: As text; or bytes, in base64.
    payload: str = ""
    payload_base64: str = ""
    topic: str | None = None
    metadata: dict[str, str | int | bool] | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0, le=_MOST)] = 2.0


class QueryMember(msgspec.Struct, kw_only=True):
    """What one member said, or why it said nothing."""

    name: str
    #: ``done``, ``failed`` or ``late`` with an answer; else why there is none, in words as well.
    outcome: str
    why: str
    #: It has the question: it answered, or is at work, or said why it does not answer.
    heard: bool
    #: As text, in which bytes that are none are replaced; and as it came, in base64.
    payload: str
    payload_base64: str
    #: It said more than an answer holds.
    cut: bool
    #: Exit status of what failed there.
    status: int
    took: float
    #: The member by which the answer came around a broken way; empty: none.
    via: str


class QueryFound(msgspec.Struct, kw_only=True):
    """What came of a query, by member; and how many answered."""

    name: str
    node: str
    done: Count
    took: float
    answers: list[QueryMember]


async def query(state: State, call: Call) -> QueryFound:
    """Ask members, and wait until all have answered or the time is over."""
    body = call.read(QueryBody)
    payload = body.payload.encode()
    if body.payload_base64:
        if payload:
            raise ProblemError(400, "payload and payload_base64: give one of them")
        try:
            payload = b64decode(body.payload_base64, validate=True)
        except ValueError:
            raise ProblemError(400, "payload_base64 is not base64") from None
    found = await state.agent.query(
        body.name, payload, topic=body.topic, metadata=body.metadata, timeout=body.timeout
    )
    return QueryFound(
        name=found.name,
        node=state.agent.name,
        done=len(found.done),
        took=round(found.took, 4),
        answers=[_shown(one) for one in found.answers],
    )


def _shown(one: QueryAnswer) -> QueryMember:
    return QueryMember(
        name=one.name,
        outcome=one.outcome.value,
        why="" if one.outcome is Outcome.DONE else OUTCOMES[one.outcome],
        heard=one.heard,
        payload=one.payload.decode(errors="replace"),
        payload_base64=b64encode(one.payload).decode(),
        cut=one.cut,
        status=one.status,
        took=round(one.took, 4),
        via=one.via,
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/query",
        handler=query,
        summary="Ask all members, or some, a question that programs there answer",
        answer=QueryFound,
        body=QueryBody,
        problems=(422, 429, 503),
    ),
)
