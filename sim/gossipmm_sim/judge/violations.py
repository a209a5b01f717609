"""Broken promises as values; they become words only where a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final

__all__ = ("Breach", "Violation")


class Violation(StrEnum):
    """Kinds of violations."""

    RESURRECTED = "resurrected"
    STRANGER = "stranger"
    NOT_ALIVE_TO_ITSELF = "not_alive_to_itself"
    HEARTBEAT_NEVER_ISSUED = "heartbeat_never_issued"
    HEARTBEAT_FELL = "heartbeat_fell"
    OVERSIZE = "oversize"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_DATAGRAMS = "too_many_datagrams"
    STORM = "storm"
    RAISED = "raised"
    NO_AGREEMENT = "no_agreement"
    VIEWS_DIFFER = "views_differ"
    MEMBERS_MISCOUNTED = "members_miscounted"
    LISTS_UNOWNED = "lists_unowned"
    LACKS_OWNED = "lacks_owned"
    STATE_UNLIKE_OWNER = "state_unlike_owner"
    LATE_JOIN = "late_join"
    LATE_REMOVAL = "late_removal"
    FALSE_DEATH = "false_death"
    VIEW_CHANGED = "view_changed"
    ABSENT = "absent"
    ALTERED = "altered"
    GHOST = "ghost"
    STILL_ANSWERED = "still_answered"
    NOT_ALIVE = "not_alive"
    NOT_FORGOTTEN = "not_forgotten"
    WRONG_COUNT = "wrong_count"
    DRAINING_LOST = "draining_lost"
    DRAINING_PICKED = "draining_picked"
    TOO_FEW_ANSWERS = "too_few_answers"
    FIGURE_ABOVE = "figure_above"
    FIGURE_BELOW = "figure_below"
    EVENT_TWICE = "event_twice"
    EVENT_DISORDER = "event_disorder"
    EVENT_LATE = "event_late"
    EVENT_FORGED = "event_forged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One violation, with what is known about it. ``str()`` puts it into words."""

    violation: Violation
    #: Virtual seconds after the warm-up; None: at the end of the run.
    at: float | None = None
    #: Label of the host that shows it.
    observer: str = ""
    #: Node, host or figure that it is about.
    subject: str = ""
    topic: str = ""
    #: What was found, and what was promised: seconds, bytes, counts. inf seconds: never.
    measured: float = 0
    allowed: float = 0
    #: State in which the observer holds the subject, and the one that would be right.
    held: str = ""
    due: str = ""
    #: Labels of further hosts that show it.
    others: tuple[str, ...] = ()
    #: The error of a run that was ended by one.
    detail: str = ""
    cause: Breach | None = None

    def __str__(self) -> str:
        when = f"at {self.at:.3f} s " if self.at is not None else ""
        why = f": {self.cause}" if self.cause is not None else ""
        return when + _WORDS[self.violation].format(it=self) + why

    @property
    def after(self) -> str:
        """``measured`` as a duration."""
        return "never" if self.measured == inf else f"after {self.measured:.2f} s"

    @property
    def where(self) -> str:
        """The first of ``others``."""
        more = " ..." if len(self.others) > _SHOWN else ""
        return ", ".join(self.others[:_SHOWN]) + more

    @property
    def still(self) -> str:
        """Where it is so to the end; empty when nowhere."""
        return f"; still at {self.where}" if self.others else ""


#: Hosts named in one sentence.
_SHOWN: Final = 8

_WORDS: Final[Mapping[Violation, str]] = {
    Violation.RESURRECTED: "{it.observer} takes back {it.subject}, whose process has ended",
    Violation.STRANGER: (
        "{it.observer} lists {it.subject} under {it.topic}, for which nobody ever registered it"
    ),
    Violation.NOT_ALIVE_TO_ITSELF: "{it.observer} holds itself {it.held}",
    Violation.HEARTBEAT_NEVER_ISSUED: (
        "{it.observer} holds heartbeat {it.measured} of {it.subject}, which has issued {it.allowed}"
    ),
    Violation.HEARTBEAT_FELL: (
        "{it.observer}'s heartbeat of {it.subject} fell from {it.allowed} to {it.measured}"
    ),
    Violation.OVERSIZE: "{it.observer} sent {it.measured} bytes, {it.allowed} are allowed",
    Violation.TOO_MANY_BYTES: (
        "{it.observer} sent {it.measured:.0f} bytes/s for ten seconds, {it.allowed:.0f} are allowed"
    ),
    Violation.TOO_MANY_DATAGRAMS: (
        "{it.observer} sent {it.measured:.1f} datagrams/s for ten seconds,"
        " {it.allowed:g} are allowed"
    ),
    Violation.STORM: "storm: {it.detail}; the run was ended",
    Violation.RAISED: "{it.detail}",
    Violation.NO_AGREEMENT: (
        "views agreed {it.after}, not within {it.allowed:g} s of the last fault"
    ),
    Violation.VIEWS_DIFFER: (
        "{it.measured} different views; {it.where} differ from the most common one"
    ),
    Violation.MEMBERS_MISCOUNTED: (
        "all agree, but on {it.measured} members where {it.allowed} are up"
    ),
    Violation.LISTS_UNOWNED: "{it.observer} lists {it.subject} under {it.topic}, unlike its owner",
    Violation.LACKS_OWNED: "{it.observer} lacks {it.subject} under {it.topic}, unlike its owner",
    Violation.STATE_UNLIKE_OWNER: (
        "{it.observer} has {it.subject} under {it.topic} as {it.held}; it is {it.due}"
    ),
    Violation.LATE_JOIN: "all views were complete {it.after}, not within {it.allowed:g} s",
    Violation.LATE_REMOVAL: (
        "{it.subject} was out of all lookups {it.after}, not within {it.allowed:g} s{it.still}"
    ),
    Violation.FALSE_DEATH: (
        "{it.observer} declared {it.subject} dead, which was healthy"
        " (false deaths in all: {it.measured})"
    ),
    Violation.VIEW_CHANGED: "{it.observer}'s view changed",
    Violation.ABSENT: (
        "{it.observer} has lacked {it.subject} for {it.measured:g} s, not {it.allowed:g} s at most"
    ),
    Violation.ALTERED: (
        "{it.observer} has held {it.subject} {it.held} for {it.measured:g} s, not {it.allowed:g} s"
        " at most"
    ),
    Violation.GHOST: (
        "{it.observer} has listed {it.subject}, which does not run, for {it.measured:g} s, not"
        " {it.allowed:g} s at most"
    ),
    Violation.STILL_ANSWERED: "{it.observer} still answers {it.subject} for {it.topic}",
    Violation.NOT_ALIVE: "{it.observer} holds {it.subject} {it.held}",
    Violation.NOT_FORGOTTEN: "{it.observer} still holds {it.subject} {it.held}",
    Violation.WRONG_COUNT: (
        "{it.observer} lists {it.measured} hosts under {it.topic}, not {it.allowed}"
    ),
    Violation.DRAINING_LOST: "{it.observer} no longer finds {it.subject} under {it.topic}",
    Violation.DRAINING_PICKED: "{it.observer} still picks {it.subject}, which is draining",
    Violation.TOO_FEW_ANSWERS: (
        "{it.observer} has {it.measured} hosts for {it.topic}, not {it.allowed}"
    ),
    Violation.FIGURE_ABOVE: "{it.subject} is {it.measured:g}, more than {it.allowed:g}",
    Violation.FIGURE_BELOW: "{it.subject} is {it.measured:g}, less than {it.allowed:g}",
    Violation.EVENT_TWICE: "{it.observer} was told an event of {it.subject} twice",
    Violation.EVENT_DISORDER: (
        "{it.observer} was told an event of {it.subject} behind a later one"
    ),
    Violation.EVENT_LATE: (
        "{it.observer} was told an event of {it.subject} {it.after}, not within {it.allowed:g} s"
    ),
    Violation.EVENT_FORGED: (
        "{it.observer} was told an event that {it.subject} never sent ({it.measured} in all, "
        "{it.allowed} are allowed)"
    ),
}
