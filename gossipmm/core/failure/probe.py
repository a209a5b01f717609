"""One probe: a question to one member, sent again until it is answered or its time is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gossipmm.addresses import format_address
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.evidence_time import EvidenceTime
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.timers import Token
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Address, NodeId
from gossipmm.core.wire.option_checks import MAX_QUESTIONS

__all__ = ("Failure", "Findings", "Probe", "note_failure")


class Failure(NamedTuple):
    """A probe that ended without an answer: when it began, and what was tried."""

    began: float
    #: 0: none of its own; nobody at all was heard since.
    tries: int
    seconds: float
    #: Address at which somebody else answered.
    other: Address | None


class Findings(NamedTuple):
    """What to call with what probes find out."""

    #: A probe of the round failed, or nearly did: the next one should come at once.
    trouble: Callable[[], None]
    #: A probe was not answered, and whether this node accuses its target for it.
    failed: Callable[[Member, Failure, bool], None]
    #: Somebody answered this node, whatever for it was asked, or the helper of that name.
    answered: Callable[[Member, NodeId], None]
    #: Somebody held dead answered, known at a heartbeat, with the evidence and its reporter.
    reached: Callable[[Member, int, EvidenceTime, NodeId], object]


class Probe:
    """One question to one target; ``identity`` (random bits) comes back in the answer."""

    __slots__ = (
        "asked_by",
        "began",
        "challenged",
        "deaf",
        "ends",
        "generation",
        "helpers",
        "identity",
        "member",
        "once",
        "order",
        "purpose",
        "questions",
        "sent",
        "signed",
        "stage",
        "timer",
        "to",
        "tries_from",
        "unit",
        "wrong",
    )

    def __init__(
        self,
        identity: int,
        member: Member,
        purpose: Purpose,
        order: tuple[Address, ...],
        now: float,
        unit: float,
    ) -> None:
        self.identity = identity
        self.member = member
        self.purpose = purpose
        #: One try is enough: another probe follows before long.
        self.once = purpose is Purpose.DEAD
        self.began = now
        #: When its tries began: again once who was asked wanted to know first who asks [P192].
        self.tries_from = now
        self.challenged = False
        #: Where its tries go, in turn.
        self.order = order
        #: Where all tries went; None once they went to several addresses: the answer to a later try
        #: can be guessed from the first.
        self.to: Address | None = None
        #: When each try was sent.
        self.sent: list[float] = []
        #: The generation of this node that asked.
        self.generation = 0
        self.stage = 0
        self.unit = unit
        self.ends = now
        self.timer: Token | None = None
        #: Keys of the members that were asked for help, and whether each may still name another.
        self.helpers: dict[int, bool] = {}
        #: Nodes to tell when the target answers: (the one that asked for help, its probe's
        #: identity).
        self.asked_by: list[tuple[Member, Address, int]] = []
        #: True if nobody at all was heard from its beginning to its last try.
        self.deaf = False
        #: Address at which somebody else answered.
        self.wrong: Address | None = None
        #: True if only a signed answer counts [P156].
        self.signed = False
        #: Numbers that the target is to sign, each with the first try that names it.
        self.questions: dict[int, int] = {}

    def ask(self, question: int) -> None:
        """Have the next tries ask for a statement of life that answers a question."""
        if len(self.questions) < MAX_QUESTIONS:
            self.questions.setdefault(question, len(self.sent))

    @property
    def leads_elsewhere(self) -> bool:
        """True when somebody else answered at its only address: tries find no other [P146]."""
        return self.wrong is not None and set(self.order) == {self.wrong}

    def silent(self, number: int, now: float) -> tuple[Address, ...]:
        """Return the other addresses where a try before that one should have been answered."""
        places = len(self.order)
        where = self.order[number % places] if number < len(self.sent) else None
        tried = zip(self.order, self.sent[:number], strict=False)
        return tuple(address for address, at in tried if at <= now - self.unit and address != where)


def note_failure(local: LocalState, member: Member, failure: Failure) -> None:
    """Add a probe that was not answered to the evidence trail of its target."""
    other = "" if failure.other is None else format_address(failure.other)
    member.note(
        local.now,
        EvidenceKind.PROBE_FAILED,
        local.own.name,
        tries=failure.tries,
        seconds=round(failure.seconds, 3),
        other=other,
    )
