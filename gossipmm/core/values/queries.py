"""Queries: what is asked of many members, what one of them says, and the limits of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gossipmm.core.values.questions import ASK_QUERY, Answered, Outcome
from gossipmm.core.values.types import NodeId
from gossipmm.errors import QueryError
from gossipmm.names import OWN_QUERIES, why_not_name

__all__ = (
    "BUILT_IN",
    "FINAL",
    "HEARD",
    "LONGEST",
    "MAX_ANSWER",
    "MAX_PAYLOAD",
    "Query",
    "QueryAsked",
    "Told",
    "check_query",
    "is_query",
    "told_in",
    "why_not_query_name",
)

#: Bytes of a question; and of an answer: what is longer is cut, and says so. With names, keys and
#: the claim about the receiver, either fits in a datagram of 1,200 bytes, passed on or not.
MAX_PAYLOAD: Final = 512
MAX_ANSWER: Final = 900
#: Seconds that a query may last.
LONGEST: Final = 60.0
#: Queries that every node answers itself.
BUILT_IN: Final = OWN_QUERIES
PING, HEALTH, _ = BUILT_IN

#: Outcomes with an answer behind them: what was said, whether it was cut, an exit status.
FINAL: Final = frozenset({Outcome.DONE, Outcome.FAILED, Outcome.LATE})
#: Outcomes that the asked member told itself: it is there, and has the question.
HEARD: Final = FINAL | {
    Outcome.WORKING,
    Outcome.NO_HANDLER,
    Outcome.NOT_ALLOWED,
    Outcome.NOT_REGISTERED,
    Outcome.LEAVING,
    Outcome.BUSY,
    Outcome.UNKNOWN_QUESTION,
    Outcome.TOO_OLD,
}


class Query(NamedTuple):
    """What is asked: of all, or of those with a topic, with metadata, or of these names."""

    name: str
    payload: bytes = b""
    seconds: float = 2.0
    topic: str | None = None
    metadata: Mapping[str, Any] = {}
    members: tuple[NodeId, ...] = ()


class QueryAsked(NamedTuple):
    """A query as the asked member has it, for whoever answers it there."""

    name: str
    payload: bytes
    #: The asking member.
    asker: NodeId
    #: Core time until which an answer is of use.
    until: float
    #: Record key of who asks, and the number of the question: together its name here.
    key: int
    identity: int


class Told(NamedTuple):
    """What a member said to a query, beside the outcome."""

    payload: bytes = b""
    #: It said more than an answer holds.
    cut: bool = False
    #: Exit status of a program that failed.
    status: int = 0


def told_in(answered: Answered) -> Told | None:
    """Read an answer; None: it makes no sense [P177]."""
    facts = answered.facts
    if answered.outcome not in FINAL:
        return Told()
    if len(facts) < 3 or type(facts[0]) is not bytes or type(facts[1]) is not bool:
        return None
    if type(facts[2]) is not int or abs(facts[2]) >= 1 << 31 or len(facts[0]) > MAX_ANSWER:
        return None
    return Told(facts[0], facts[1], facts[2])


def is_query(ask: list[Any]) -> bool:
    """Return whether a question is a query: name, payload, milliseconds, topic or null [P177]."""
    return (
        len(ask) >= 5
        and ask[0] == ASK_QUERY
        and type(ask[1]) is str
        and not why_not_query_name(ask[1])
        and type(ask[2]) is bytes
        and len(ask[2]) <= MAX_PAYLOAD
        and type(ask[3]) is int
        and 0 <= ask[3] <= 1000 * LONGEST
        and (ask[4] is None or type(ask[4]) is str)
    )


def why_not_query_name(name: object) -> str:
    """Say why a query cannot have that name; empty: it can."""
    return why_not_name("name of a query", name)


def check_query(name: object, payload: object, timeout: object) -> tuple[str, bytes, float]:
    """Return the parts of a query, a payload of text as bytes. Raises QueryError [P177]."""
    if reason := why_not_query_name(name):
        raise QueryError(reason)
    if isinstance(payload, str):
        payload = payload.encode(errors="surrogateescape")
    if not isinstance(payload, (bytes, bytearray, memoryview)):
        raise QueryError(f"payload must be bytes or text, not {type(payload).__name__}")
    payload = bytes(payload)
    if len(payload) > MAX_PAYLOAD:
        raise QueryError(
            f"payload of query {name!r} has {len(payload)} bytes, more than the {MAX_PAYLOAD} "
            "allowed: say where the data is, or tell it in several queries"
        )
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
        raise QueryError(f"timeout must be a number of seconds, not {timeout!r}")
    if not 0.0 < timeout <= LONGEST:
        raise QueryError(f"timeout {timeout:g} s is not above 0 and at most {LONGEST:g} s")
    assert isinstance(name, str)
    return name, payload, float(timeout)
