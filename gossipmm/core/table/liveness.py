"""Liveness: three maxima decide who is alive, and nothing else [P22].

For one generation of one node, a holder keeps

* ``k``  the highest heartbeat heard *alive*,
* ``s``  the highest heartbeat *suspected* by anybody,
* ``d``  the highest heartbeat that this holder itself declared *dead*.

The verdict is dead if d >= k, else suspect if s >= k, else alive. Two holders merge by taking
each maximum: commutative, associative, idempotent and monotone, so that claims may come in any
order, twice or late.

The effect of a claim is a table, ``TRANSITIONS``: the standing of the generation here
(``Standing``), and how the claim compares with what is held (``Weight``), give the ``Outcome`` and
the standing afterwards. The detector acts on the outcome.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from math import inf
from typing import Final, NamedTuple

from gossipmm.core.values.evidence_time import EvidenceTime
from gossipmm.core.values.types import Heartbeat, Status

#: Below every heartbeat.
NEVER: Final = -1
#: Before any time. Shared: ``-inf`` is another object of 24 bytes each time that it is computed.
LONG_AGO: Final = -inf


class Maxima(NamedTuple):
    """The three maxima as a value."""

    k: Heartbeat = NEVER
    s: Heartbeat = NEVER
    d: Heartbeat = NEVER


def verdict(k: Heartbeat, s: Heartbeat, d: Heartbeat) -> Status:
    """ALIVE, SUSPECT or DEAD; UNKNOWN for a generation that was never heard alive."""
    if d >= k and d > NEVER:
        return Status.DEAD
    if k <= NEVER:
        return Status.UNKNOWN
    return Status.SUSPECT if s >= k else Status.ALIVE


class Outcome(Enum):
    """What a claim did to a holder's view."""

    STALE = "below what is known here: nothing changed"
    FRESHER = "a higher heartbeat, the same verdict"
    BORN = "first evidence of life"
    REFUTED = "a suspicion ended"
    RENEWED = "fresher, but older than this node's own failed probe: the suspicion rose with it"
    RETURNED = "held dead, alive on evidence younger than the death"
    RETURNING = "held dead, a higher heartbeat on older evidence: worth a probe"
    SUSPECTED = "alive before, suspect now"
    RAISED = "suspect before, at a higher heartbeat now"
    CONFIRMED = "suspect already at this heartbeat"
    CONTRADICTED = "this holder knows a higher heartbeat: the accusation is stale"
    IGNORED = "dead already"


class Standing(IntEnum):
    """The standing of a generation with its holder when a claim arrives."""

    UNHEARD = 0  #: never heard alive; possibly accused
    ALIVE = 1
    ACCUSED = 2  #: s >= k
    DEAD = 3  #: declared dead here, and no higher heartbeat was heard alive
    RETURNING = 4  #: declared dead here; a higher heartbeat came, on evidence older than that


class Weight(IntEnum):
    """How a claim compares with what is held about the generation."""

    #: Claims "alive".
    KNOWN = 0  #: at or below k
    KNOWN_YOUNG = 1  #: at or below k, on evidence younger than the death here
    BELOW = 2  #: above k, but not above the accusation (of the dead: the death)
    OLD = 3  #: above both, on evidence older than this holder's failed probe (the death)
    YOUNG = 4  #: above both, on younger evidence, or with nothing there to be younger than
    #: Claims "suspect".
    ACCUSATION_BELOW = 5  #: below k
    ACCUSATION = 6  #: at or below s
    ACCUSATION_ABOVE = 7  #: above s


class Transition(NamedTuple):
    """The outcome of a claim, and the standing afterwards."""

    outcome: Outcome
    standing: Standing


#: All pairs that can occur. Nothing is below a generation that was never heard; an alive one has no
#: accusation to be below; a returning one is above its death here, which was above every
#: accusation.
TRANSITIONS: Final[dict[Standing, dict[Weight, Transition]]] = {
    Standing.UNHEARD: {
        Weight.KNOWN: Transition(Outcome.STALE, Standing.UNHEARD),
        Weight.BELOW: Transition(Outcome.BORN, Standing.ACCUSED),
        Weight.YOUNG: Transition(Outcome.BORN, Standing.ALIVE),
        Weight.ACCUSATION: Transition(Outcome.IGNORED, Standing.UNHEARD),
        Weight.ACCUSATION_ABOVE: Transition(Outcome.IGNORED, Standing.UNHEARD),
    },
    Standing.ALIVE: {
        Weight.KNOWN: Transition(Outcome.STALE, Standing.ALIVE),
        Weight.YOUNG: Transition(Outcome.FRESHER, Standing.ALIVE),
        Weight.ACCUSATION_BELOW: Transition(Outcome.CONTRADICTED, Standing.ALIVE),
        Weight.ACCUSATION_ABOVE: Transition(Outcome.SUSPECTED, Standing.ACCUSED),
    },
    Standing.ACCUSED: {
        Weight.KNOWN: Transition(Outcome.STALE, Standing.ACCUSED),
        Weight.BELOW: Transition(Outcome.FRESHER, Standing.ACCUSED),
        Weight.OLD: Transition(Outcome.RENEWED, Standing.ACCUSED),
        Weight.YOUNG: Transition(Outcome.REFUTED, Standing.ALIVE),
        Weight.ACCUSATION_BELOW: Transition(Outcome.CONTRADICTED, Standing.ACCUSED),
        Weight.ACCUSATION: Transition(Outcome.CONFIRMED, Standing.ACCUSED),
        Weight.ACCUSATION_ABOVE: Transition(Outcome.RAISED, Standing.ACCUSED),
    },
    Standing.DEAD: {
        Weight.KNOWN: Transition(Outcome.STALE, Standing.DEAD),
        Weight.KNOWN_YOUNG: Transition(Outcome.STALE, Standing.DEAD),
        Weight.BELOW: Transition(Outcome.FRESHER, Standing.DEAD),
        Weight.OLD: Transition(Outcome.RETURNING, Standing.RETURNING),
        Weight.YOUNG: Transition(Outcome.RETURNED, Standing.ALIVE),
        Weight.ACCUSATION_BELOW: Transition(Outcome.CONTRADICTED, Standing.DEAD),
        Weight.ACCUSATION: Transition(Outcome.IGNORED, Standing.DEAD),
        Weight.ACCUSATION_ABOVE: Transition(Outcome.IGNORED, Standing.DEAD),
    },
    Standing.RETURNING: {
        Weight.KNOWN: Transition(Outcome.STALE, Standing.RETURNING),
        Weight.KNOWN_YOUNG: Transition(Outcome.RETURNED, Standing.ALIVE),
        Weight.OLD: Transition(Outcome.RETURNING, Standing.RETURNING),
        Weight.YOUNG: Transition(Outcome.RETURNED, Standing.ALIVE),
        Weight.ACCUSATION_BELOW: Transition(Outcome.CONTRADICTED, Standing.RETURNING),
        Weight.ACCUSATION_ABOVE: Transition(Outcome.IGNORED, Standing.RETURNING),
    },
}


class Liveness:
    """The maxima of one generation at one holder, and the times that order evidence [P22]."""

    __slots__ = (
        *("brought_by", "by_hearsay", "contested", "d", "declared_dead_at", "failed_at"),
        *("heard", "k", "lifted_at", "quiet", "s", "vouched_at", "vouched_by"),
    )

    def __init__(self) -> None:
        self.k: Heartbeat = NEVER
        self.s: Heartbeat = NEVER
        self.d: Heartbeat = NEVER
        #: Core time of the evidence for k: when somebody reached it, or heard it at first hand.
        self.heard: float = LONG_AGO
        #: When this holder declared it dead; None once it came back on younger evidence.
        self.declared_dead_at: float | None = None
        #: When this holder's own latest failed probe began; None once it was refuted.
        self.failed_at: float | None = None
        #: Key of the member that brought the suspicion; 0: this holder itself, or nobody.
        self.brought_by = 0
        #: True while this holder knows of its suspicion by others alone, and while it tells nobody
        #: of it (``failure/hearsay.py``).
        self.by_hearsay = self.quiet = False

        #: When the word of others last ended a suspicion of it here; -inf once it was reached. How
        #: often such a word has made this holder ask again in this suspicion
        #: (``failure/second_hand.py``).
        self.lifted_at: float = LONG_AGO
        self.contested = 0
        #: How young the evidence is that others told meanwhile, and the key of who told it last.
        self.vouched_at: float = LONG_AGO
        self.vouched_by = 0

    @property
    def suspected(self) -> bool:
        """True while an accusation stands, whatever else readers are told."""
        return self.s >= self.k > NEVER and self.d < self.k

    @property
    def accused_aloud(self) -> bool:
        """True while an accusation stands that others are told of [P147]."""
        return self.suspected and not self.quiet

    @property
    def maxima(self) -> Maxima:
        """The maxima as a value."""
        return Maxima(self.k, self.s, self.d)

    def judged(self) -> Status:
        """The verdict, with the dead who may be returning told apart."""
        result = verdict(self.k, self.s, self.d)
        if self.declared_dead_at is not None and result is not Status.DEAD:
            return Status.RETURNING
        return result

    def merge(self, k: Heartbeat = NEVER, s: Heartbeat = NEVER, d: Heartbeat = NEVER) -> None:
        """Raise each maximum to that of another holder, or of a claim, where that is higher."""
        if k > self.k:
            self.k = k
        if s > self.s:
            self.s = s
        if d > self.d:
            self.d = d

    def standing(self) -> Standing:
        """The standing of the generation here."""
        if self.declared_dead_at is not None:
            return Standing.DEAD if self.d >= self.k else Standing.RETURNING
        if self.k <= NEVER:
            return Standing.UNHEARD if self.d <= NEVER else Standing.ACCUSED
        return Standing.ALIVE if self.s < self.k and self.d < self.k else Standing.ACCUSED

    # -- claims --------------------------------------------------------------------------------

    def hear_alive(
        self,
        heartbeat: Heartbeat,
        evidence: EvidenceTime,
        *,
        any_age: bool = False,
        accused_at: float = inf,
    ) -> Outcome:
        """Take a claim "alive at ``heartbeat``", on evidence of core time ``evidence`` [P23, P41].

        ``any_age`` lets evidence of any age raise the dead (an ablation shows that this is wrong).
        ``accused_at``: evidence younger than that refutes below the accused heartbeat as well.
        """
        k = self.k
        if self.s < k < heartbeat and self.d < k and self.declared_dead_at is None:
            # Standing.ALIVE, Weight.YOUNG: nearly every datagram says so, and no more.
            self.k = heartbeat
            if evidence.heard > self.heard:
                self.heard = evidence.heard
            return Outcome.FRESHER
        standing = self.standing()
        if standing is Standing.ACCUSED and self.k < heartbeat <= self.s:
            self._lower_accusation(heartbeat, evidence, accused_at)
        weight = self._weigh_alive(standing, heartbeat, evidence, any_age)
        outcome = TRANSITIONS[standing][weight].outcome
        if outcome is Outcome.STALE:
            return outcome
        if weight is Weight.KNOWN_YOUNG:
            self.heard = evidence.heard
        else:
            self.merge(heartbeat)
            self.heard = max(self.heard, evidence.heard)
        if outcome is Outcome.RENEWED:
            self.merge(s=heartbeat)
        elif outcome is Outcome.REFUTED:
            self.failed_at = None
        elif outcome is Outcome.RETURNED:
            self.declared_dead_at = self.failed_at = None
        return outcome

    def _lower_accusation(
        self, heartbeat: Heartbeat, evidence: EvidenceTime, accused_at: float
    ) -> None:
        """Count an accusation ahead of younger evidence as one just below that [P132].

        No such heartbeat may ever have been issued, and whoever lives could not refute it.
        """
        if evidence.at > accused_at and self.d < self.k:
            self.s = heartbeat - 1

    def _weigh_alive(
        self, standing: Standing, heartbeat: Heartbeat, evidence: EvidenceTime, any_age: bool
    ) -> Weight:
        declared_dead_at = self.declared_dead_at
        young = declared_dead_at is not None and evidence.at > declared_dead_at
        if heartbeat <= self.k:
            return Weight.KNOWN_YOUNG if young else Weight.KNOWN
        if standing is Standing.ALIVE:
            return Weight.YOUNG
        if declared_dead_at is not None:
            if heartbeat <= self.d:
                return Weight.BELOW
            return Weight.YOUNG if young or any_age else Weight.OLD
        if heartbeat <= self.s:
            return Weight.BELOW
        failed_at = self.failed_at
        if standing is Standing.ACCUSED and failed_at is not None and evidence.at < failed_at:
            return Weight.OLD
        return Weight.YOUNG

    def reached(self, at: float) -> None:
        """Note that this holder's own probe was answered at ``at``, whatever the heartbeat."""
        self.heard = max(self.heard, at)
        self.failed_at = None
        self.lifted_at = LONG_AGO

    def answered(self) -> None:
        """End the suspicion of a member that answered this holder, whatever was accused [P132]."""
        self.s = self.k - 1
        self.failed_at = None

    def hear_suspect(self, heartbeat: Heartbeat) -> Outcome:
        """Take a claim "not reached; best heartbeat known ``heartbeat``" [P28]."""
        if heartbeat < self.k:
            weight = Weight.ACCUSATION_BELOW
        else:
            weight = Weight.ACCUSATION_ABOVE if heartbeat > self.s else Weight.ACCUSATION
        outcome = TRANSITIONS[self.standing()][weight].outcome
        if weight is Weight.ACCUSATION_ABOVE and self.declared_dead_at is None:
            self.merge(s=heartbeat)
        return outcome

    def declare_dead(self, at: float) -> None:
        """Declare dead what is suspect: this holder's own timer ended [P36]."""
        self.merge(d=max(self.s, self.k))
        self.declared_dead_at = at

    def clock_jumped(self, step: float) -> None:
        """Note that the clock went on by ``step`` at once: no evidence may gain by it [P43]."""
        if self.declared_dead_at is not None:
            self.declared_dead_at += step
