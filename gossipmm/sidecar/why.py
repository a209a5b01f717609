"""A member's evidence trail in words: who said what of it, and what this node made of it."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import NamedTuple

from gossipmm.core.values.types import Evidence, MemberView, NodeState, Status

__all__ = ("WORDS", "duration", "sentence", "summary")


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


#: Kind of evidence -> its sentence. Every kind that the core notes is here.
WORDS: dict[str, Callable[[_Line], str]] = {
    "joined": lambda line: (
        "it made itself known" if line.who == ITSELF else f"{line.who} made it known"
    ),
    "probe_failed": _probe_failed,
    "accused": lambda line: (
        "this node suspects it, and tells the others"
        if line.who == THIS_NODE
        else f"{line.who} suspects it: it did not answer {line.who}"
    ),
    "confirmed": lambda line: f"{line.who} could not reach it either: {line.detail} now",
    "refuted": lambda line: f"{line.who} heard of it since ({line.detail}): the suspicion is over",
    "buried": lambda line: f"its time to answer ran out: dead here, {line.detail}",
    "death_heard": lambda line: f"{line.who} told that it died {line.detail}",
    "returning": lambda line: (
        f"{line.who} told a higher heartbeat, but from before its death here: "
        "it has to answer for itself"
    ),
    "returned": lambda line: f"it is back, {line.who} reached it ({line.detail})",
    "left": lambda line: "it said that it leaves",
    "probation_ended": lambda line: "it was steady: its probation is over",
    "impaired": lambda line: (
        "it says that its answers do not get through: on probation until it takes that back"
    ),
    "impaired_own": lambda line: (
        f"its own answers did not get through (who asked had to ask a third time in {line.detail}):"
        " it told the others to hold it on probation"
    ),
    "unimpaired_own": lambda line: (
        f"its own answers get through again (asked a third time: {line.detail}), and it said so"
    ),
    "held": _held,
    "other_answered": lambda line: (
        f"{line.who} answered in its place {line.detail}: that address is somebody else's now"
    ),
    "reached_by_helper": lambda line: f"not reached from here, but {line.who} reached it",
    "delivered": lambda line: f"a program here delivered a message to {line.detail}",
    "failure_reported": lambda line: (
        f"a program here could not deliver a message to {line.detail}: it was probed at once"
    ),
    "renewed": lambda line: f"this node began a new generation: {line.detail}",
    "refuted_own": lambda line: (
        f"{line.who} held this node for gone; it answered with {line.detail}"
    ),
    "conflict": lambda line: f"another process uses this name: {line.detail}",
}


def sentence(evidence: Evidence, me: str, of: str) -> str:
    """Put a line of the trail of member ``of`` into words, for somebody at node ``me``."""
    teller = evidence.teller
    who = THIS_NODE if teller == me else ITSELF if teller == of else teller
    line = _Line(who, evidence.detail, evidence.heartbeat)
    words = WORDS.get(evidence.kind)
    if words is None:
        return f"{evidence.kind} ({who}) {line.detail}".rstrip()
    return words(line)


def summary(view: MemberView, trail: tuple[Evidence, ...], me: str, now: float) -> str:
    """Say in one sentence how a member is, and why."""
    name = view.name
    since = duration(now - view.since)
    heard = (
        f"last sign of life {duration(now - view.heard)} ago"
        if isfinite(view.heard)
        else "no sign of life of it ever reached this node"
    )
    if name == me:
        text = f"{name} is this node itself"
    elif view.status is Status.ALIVE:
        text = f"{name} is alive, for {since}; {heard}"
    elif view.status is Status.LEFT:
        return f"{name} left by itself, {since} ago"
    elif view.status is Status.DEAD:
        why = next((e for e in reversed(trail) if e.kind in ("buried", "death_heard")), None)
        because = f" ({why.detail})" if why is not None and why.kind == "buried" else ""
        text = f"{name} is dead, for {since}{because}; {heard}"
    elif view.status is Status.SUSPECT:
        text = f"{name} is suspected, for {since}: it will be held dead unless it answers; {heard}"
    else:
        text = f"{name}: {view.status.label}, for {since}: {view.reason or heard}"
    if view.node_state is NodeState.DRAINING:
        text += "; it is draining, and takes no new work"
    return text


def duration(seconds: float) -> str:
    """Write a duration as people say it: ``340 ms``, ``12.5 s``, ``3 min 20 s``, ``5 h 12 min``."""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h"
