"""Questions that one member asks another one directly, and what comes of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from gossipmm.core.values.types import NodeId

__all__ = (
    "ASK_DRAIN",
    "ASK_HEALTH",
    "ASK_PLACE",
    "ASK_QUERY",
    "MAX_REASONS",
    "TOLD",
    "Answered",
    "HealthTold",
    "Outcome",
    "is_code",
)

#: What is asked, as numbers of the wire. Append only.
ASK_HEALTH: Final = 0
ASK_DRAIN: Final = 1
ASK_QUERY: Final = 2
ASK_PLACE: Final = 8
#: Reasons of a verdict that are told, at most; the first is that of the verdict.
MAX_REASONS: Final = 8
#: Letters of a code, and of a version, at most.
_LONGEST: Final = 32


class Outcome(StrEnum):
    """What came of a question. Values are stable names: append only."""

    DONE = "done"
    #: What the asked member says.
    NOT_ALLOWED = "not_allowed"  #: its configuration does not allow it
    UNKNOWN_QUESTION = "unknown_question"  #: a later version asks what it does not know
    NO_KEY = "no_key"  #: without a key nobody can be told from somebody else
    NOT_REGISTERED = "not_registered"  #: it has no such registration
    LEAVING = "leaving"
    BUSY = "busy"  #: it was asked too often
    PROVING = "proving"  #: it asks whether the asking node is at its address
    WRONG_ADDRESS = "wrong_address"  #: it was asked from an address that the record does not have
    WORKING = "working"  #: it has the query, and the answer follows
    NO_HANDLER = "no_handler"  #: nothing answers queries of that name there
    FAILED = "failed"  #: what should answer the query failed
    LATE = "late"  #: what should answer the query took too long
    #: What the asking node concludes.
    TOO_OLD = "too_old"  #: it answers, and does not know of questions
    NO_ANSWER = "no_answer"
    OTHER_ANSWERED = "other_answered"  #: somebody else answers at its address
    NOT_LIVE = "not_live"  #: it is not held alive, so nobody asked
    UNKNOWN_MEMBER = "unknown_member"
    NO_TIME = "no_time"  #: there were others to ask first


#: What the wire has for an outcome is its place here. Append only.
TOLD: Final[tuple[Outcome, ...]] = (
    Outcome.DONE,
    Outcome.NOT_ALLOWED,
    Outcome.UNKNOWN_QUESTION,
    Outcome.NO_KEY,
    Outcome.NOT_REGISTERED,
    Outcome.LEAVING,
    Outcome.BUSY,
    Outcome.PROVING,
    Outcome.WRONG_ADDRESS,
    Outcome.WORKING,
    Outcome.NO_HANDLER,
    Outcome.FAILED,
    Outcome.LATE,
)


class HealthTold(NamedTuple):
    """What a member says of its own health: codes, which whoever reads them has words for."""

    verdict: str
    reasons: tuple[str, ...] = ()
    version: str = ""
    #: Seconds for which it has run, and which this was known.
    uptime: float = 0.0
    age: float = 0.0


class Answered(NamedTuple):
    """The end of one question."""

    name: NodeId
    outcome: Outcome
    #: What the member said beside the outcome.
    facts: list[Any]
    #: Seconds that it took.
    took: float
    #: The member by which it came, because the way to the asked one is broken; empty: none.
    via: NodeId = ""


def is_code(text: object) -> bool:
    """Return whether that is a code as programs write them: letters, digits, dots, lines."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return False
    return all(char.isascii() and (char.isalnum() or char in "_.+-") for char in text)
