"""A member's evidence trail in words: who said what about it, and what this node concluded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Evidence

__all__ = ("EVIDENCE", "sentence")


THIS_NODE = "this node"
ITSELF = "itself"


class _Line(NamedTuple):
    """A line of a trail, ready to be put into words: ``who`` told it."""

    who: str
    detail: str
    heartbeat: int


def _probe_failed(line: _Line) -> str:
    return f"{line.who} could not reach it: {line.detail}"


def _held(line: _Line) -> str:
    if line.detail == "deaf":
        return "nobody at all was heard here: the accusation waits, this node may be the deaf one"
    return "this node itself was slow: the accusation waits"


#: Kind of evidence -> its sentence. All kinds are here.
EVIDENCE: Mapping[EvidenceKind, Callable[[_Line], str]] = {
    EvidenceKind.JOINED: lambda line: (
        "it made itself known" if line.who == ITSELF else f"{line.who} made it known"
    ),
    EvidenceKind.PROBE_FAILED: _probe_failed,
    EvidenceKind.ACCUSED: lambda line: (
        "this node suspects it, and tells the others"
        if line.who == THIS_NODE
        else f"{line.who} suspects it: it did not answer {line.who}"
    ),
    EvidenceKind.CONFIRMED: lambda line: f"{line.who} could not reach it either: {line.detail} now",
    EvidenceKind.REFUTED: lambda line: (
        f"{line.who} heard of it since ({line.detail}): the suspicion is over"
    ),
    EvidenceKind.BURIED: lambda line: f"its time to answer ran out: dead here, {line.detail}",
    EvidenceKind.DEATH_HEARD: lambda line: f"{line.who} told that it died {line.detail}",
    EvidenceKind.RETURNING: lambda line: (
        f"{line.who} told a higher heartbeat, but from before its death here: "
        "it has to answer for itself"
    ),
    EvidenceKind.RETURNED: lambda line: f"it is back, {line.who} reached it ({line.detail})",
    EvidenceKind.LEFT: lambda line: "it said that it leaves",
    EvidenceKind.PROBATION_ENDED: lambda line: "it was steady: its probation is over",
    EvidenceKind.IMPAIRED: lambda line: (
        "it says that its answers do not get through: on probation until it takes that back"
    ),
    EvidenceKind.IMPAIRED_OWN: lambda line: (
        f"its own answers did not get through (who asked had to ask a third time in {line.detail}):"
        " it told the others to hold it on probation"
    ),
    EvidenceKind.UNIMPAIRED_OWN: lambda line: (
        f"its own answers get through again (asked a third time: {line.detail}), and it said so"
    ),
    EvidenceKind.HELD: _held,
    EvidenceKind.OTHER_ANSWERED: lambda line: (
        f"{line.who} answered in its place {line.detail}: that address is somebody else's now"
    ),
    EvidenceKind.REACHED_BY_HELPER: lambda line: (
        f"not reached from here, but {line.who} reached it"
    ),
    EvidenceKind.DELIVERED: lambda line: f"a program here delivered a message to {line.detail}",
    EvidenceKind.FAILURE_REPORTED: lambda line: (
        f"a program here could not deliver a message to {line.detail}: it was probed at once"
    ),
    EvidenceKind.RENEWED: lambda line: f"this node began a new generation: {line.detail}",
    EvidenceKind.REFUTED_OWN: lambda line: (
        f"{line.who} held this node for gone; it answered with {line.detail}"
    ),
    EvidenceKind.CONFLICT: lambda line: f"another process uses this name: {line.detail}",
}


def sentence(evidence: Evidence, me: str, of: str) -> str:
    """Put a line of the trail of member ``of`` into words, for somebody at node ``me``."""
    teller = evidence.teller
    who = THIS_NODE if teller == me else ITSELF if teller == of else teller
    line = _Line(who, evidence.detail, evidence.heartbeat)
    return EVIDENCE[evidence.kind](line)
