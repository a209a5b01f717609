"""A member's evidence trail in words: who said what about it, and what this node concluded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.trail import EvidenceKind, Hold
from gossipmm.core.values.types import Evidence, Facts, NodeId
from gossipmm.text.durations import duration
from gossipmm.text.questions import drained, outcome
from gossipmm.text.renewal import SOMEBODY, why_renewed

__all__ = ("DETAILS", "EVIDENCE", "detail", "sentence")


THIS_NODE = "this node"
ITSELF = "itself"


class _Line(NamedTuple):
    """A line of a trail, ready to be put into words: ``who`` told it."""

    who: str
    detail: str
    facts: Facts


def _tries(facts: Facts) -> str:
    if not facts["tries"]:
        return f"nobody at all was heard for {facts['seconds']:.3g} s"
    text = f"{facts['tries']} tries in {facts['seconds']:.3g} s"
    return text + (f"; another node answers at {facts['other']}" if facts["other"] else "")


def _returns(facts: Facts) -> str:
    text = f"return {facts['returns']} within {facts['window']:g} s"
    if facts["probation"]:
        text += f", so on probation for {facts['probation']:g} s"
    return text


def _accusers(facts: Facts) -> str:
    accusers = facts["accusers"]
    assert isinstance(accusers, tuple)
    return f"accused by {', '.join(accusers) or 'nobody'}"


def _share(facts: Facts) -> str:
    return (
        f"{facts['share']:.0%} of the last probes were asked a third time, and "
        f"{facts['missed']:.0%} of what was sent here did not arrive"
    )


def _heartbeat(facts: Facts) -> str:
    return f"heartbeat {facts['heartbeat']}"


def _size(facts: Facts) -> str:
    passes = f"{facts['carries']} bytes pass" if facts["carries"] else "smaller ones pass"
    return f"at {facts['address']}: {passes}, {facts['loses']} do not"


def _later_life(facts: Facts) -> str:
    return f"at {facts['address']}" if facts["address"] else "without an address"


def _drained(facts: Facts) -> str:
    where = f"topic {facts['topic']}" if facts["topic"] else "the node"
    what = f"host {facts['host']} of {where}" if facts["host"] else where
    return f"{what}: {'drain' if facts['draining'] else 'undrain'}: {facts['said']}"


def _host(facts: Facts) -> str:
    return f"{facts['topic']}.{facts['host']}"


#: Kind of evidence -> what its facts say, in short. Those without facts are missing.
DETAILS: Mapping[EvidenceKind, Callable[[Facts], str]] = {
    EvidenceKind.PROBE_FAILED: _tries,
    EvidenceKind.ACCUSED: _heartbeat,
    EvidenceKind.CONFIRMED: lambda facts: f"accusers so far: {facts['count']}",
    EvidenceKind.REFUTED: _heartbeat,
    EvidenceKind.DECLARED_DEAD: _accusers,
    EvidenceKind.DEATH_HEARD: lambda facts: f"{duration(float(str(facts['age'])))} ago",
    EvidenceKind.RETURNED: _returns,
    EvidenceKind.CRASHED: _returns,
    EvidenceKind.IMPAIRED_OWN: _share,
    EvidenceKind.UNIMPAIRED_OWN: _share,
    EvidenceKind.HELD: lambda facts: str(facts["why"]),
    EvidenceKind.OTHER_ANSWERED: lambda facts: f"at {facts['address']}",
    EvidenceKind.NO_PATH: lambda facts: f"at {facts['address']}",
    EvidenceKind.PATH_FOUND: lambda facts: f"at {facts['address']}",
    EvidenceKind.SMALL_PATH: _size,
    EvidenceKind.LARGE_PATH: lambda facts: f"at {facts['address']}: {facts['carries']} bytes pass",
    EvidenceKind.SOURCE_DIFFERS: lambda facts: str(facts["address"]),
    EvidenceKind.SOURCE_AGREES: lambda facts: str(facts["address"]),
    EvidenceKind.LATER_LIFE: _later_life,
    EvidenceKind.LATER_LIFE_SILENT: _later_life,
    EvidenceKind.DRAIN_ASKED: _drained,
    EvidenceKind.EQUIVOCATED: lambda facts: f"page {facts['page']}",
    EvidenceKind.DELIVERED: _host,
    EvidenceKind.FAILURE_REPORTED: _host,
    EvidenceKind.RENEWED: lambda facts: str(facts["reason"]),
    EvidenceKind.REFUTED_OWN: _heartbeat,
    EvidenceKind.CONFLICT: lambda facts: f"older: {facts['older']}, newer: {facts['newer']}",
}


def _held(line: _Line) -> str:
    if line.facts["why"] == Hold.DEAF:
        return "this node heard from nobody at all and may be to blame: the accusation waits"
    if line.facts["why"] == Hold.HEARS_LITTLE:
        return "this node hears too little of what is sent to it: the accusation waits"
    return "this node itself was slow: the accusation waits"


def _drain_asked(line: _Line) -> str:
    facts = line.facts
    what = drained(str(facts["topic"]), str(facts["host"]), draining=bool(facts["draining"]))
    if line.who == THIS_NODE:
        return f"this node asked it to {what}: {outcome(str(facts['said']))}"
    return f"{line.who} asked this node to {what}: {outcome(str(facts['said']))}"


def _renewed(line: _Line) -> str:
    reason = why_renewed(RenewalReason(str(line.facts["reason"])), line.who)
    return f"this node began a new generation: {reason}"


#: Kind of evidence -> its sentence. All kinds are here.
EVIDENCE: Mapping[EvidenceKind, Callable[[_Line], str]] = {
    EvidenceKind.JOINED: lambda line: (
        "it announced itself" if line.who == ITSELF else f"{line.who} announced it"
    ),
    EvidenceKind.PROBE_FAILED: lambda line: f"it did not answer {line.who} ({line.detail})",
    EvidenceKind.ACCUSED: lambda line: (
        "this node suspects it and tells the others"
        if line.who == THIS_NODE
        else f"{line.who} suspects it, having had no answer"
    ),
    EvidenceKind.CONFIRMED: lambda line: f"{line.who} could not reach it either ({line.detail})",
    EvidenceKind.REFUTED: lambda line: (
        f"{line.who} has heard from it since ({line.detail}): the suspicion is over"
    ),
    EvidenceKind.DECLARED_DEAD: lambda line: f"it did not answer in time: dead here, {line.detail}",
    EvidenceKind.DEATH_HEARD: lambda line: f"{line.who} reported that it died {line.detail}",
    EvidenceKind.RETURNING: lambda line: (
        f"{line.who} reported a higher heartbeat, but from before its death here: "
        "it has to answer for itself"
    ),
    EvidenceKind.RETURNED: lambda line: f"it is back: {line.who} reached it ({line.detail})",
    EvidenceKind.CRASHED: lambda line: (
        f"it started again without having left before ({line.detail})"
    ),
    EvidenceKind.LEFT: lambda line: "it said that it was leaving",
    EvidenceKind.PROBATION_ENDED: lambda line: "it has been steady: its probation is over",
    EvidenceKind.IMPAIRED: lambda line: (
        "it says that most of what it sends or is sent is lost: on probation until it says "
        "otherwise"
    ),
    EvidenceKind.IMPAIRED_OWN: lambda line: (
        f"most of what this node sends or is sent is lost ({line.detail}): it told the others to "
        "put it on probation"
    ),
    EvidenceKind.UNIMPAIRED_OWN: lambda line: (
        f"what this node sends and is sent arrives again ({line.detail}), and it told the others"
    ),
    EvidenceKind.HELD: _held,
    EvidenceKind.OTHER_ANSWERED: lambda line: (
        f"{line.who} answered in its place {line.detail}: that address now belongs to another node"
    ),
    EvidenceKind.REACHED_BY_HELPER: lambda line: (
        f"this node could not reach it, but {line.who} could"
    ),
    EvidenceKind.DELIVERED: lambda line: f"a program here delivered a message to {line.detail}",
    EvidenceKind.FAILURE_REPORTED: lambda line: (
        f"a program here could not deliver a message to {line.detail}, so it was probed at once"
    ),
    EvidenceKind.RENEWED: _renewed,
    EvidenceKind.REFUTED_OWN: lambda line: (
        f"{line.who} took this node for suspect or dead; it answered with {line.detail}"
    ),
    EvidenceKind.NO_PATH: lambda line: (
        f"others reach it, this node does not, {line.detail}: it is told things by others only"
    ),
    EvidenceKind.SMALL_PATH: lambda line: (
        f"large datagrams are lost on the path to it, {line.detail}"
    ),
    EvidenceKind.LARGE_PATH: lambda line: f"large datagrams arrive at it again, {line.detail}",
    EvidenceKind.SOURCE_DIFFERS: lambda line: (
        f"it sends from {line.detail}, which it does not announce: an address translator?"
    ),
    EvidenceKind.SOURCE_AGREES: lambda line: (
        f"it sends from {line.detail} again, which it announces"
    ),
    EvidenceKind.PATH_FOUND: lambda line: f"this node reaches it again, {line.detail}",
    EvidenceKind.CONFLICT: lambda line: f"another process uses this name ({line.detail})",
    EvidenceKind.LATER_LIFE: lambda line: (
        f"{line.who} announced a later life of it {line.detail}: it counts once it answers there"
    ),
    EvidenceKind.DRAIN_ASKED: _drain_asked,
    EvidenceKind.EQUIVOCATED: lambda line: (
        f"it signed two versions of one page ({line.detail}): in no answer until its next life"
    ),
    EvidenceKind.LATER_LIFE_SILENT: lambda line: (
        f"nobody answered for the later life of it that was announced {line.detail}: this one stays"
    ),
}


def detail(evidence: Evidence) -> str:
    """Say in short what a line of evidence says beside its kind; empty: nothing."""
    words = DETAILS.get(evidence.kind)
    return words(evidence.facts) if words is not None else ""


def sentence(evidence: Evidence, me: NodeId, of: NodeId) -> str:
    """Put a line of the trail of member ``of`` into words, for somebody at node ``me``."""
    reporter = evidence.reporter
    who = THIS_NODE if reporter == me else ITSELF if reporter == of else reporter or SOMEBODY
    return EVIDENCE[evidence.kind](_Line(who, detail(evidence), evidence.facts))
