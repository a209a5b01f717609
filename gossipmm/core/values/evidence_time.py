"""When evidence of a life was had: at first hand, by hearsay of some age, or at a time unknown.

It orders what is heard of a life: a member that was declared dead comes back only on evidence that
is younger than its burial here, whoever tells of it, and however late [P41, P42]. Four things make
evidence look younger than it is, and all of them are thought of here:

* *A replay*, or a datagram that a later one overtook: nothing says how old it is. What a sender
  says of itself has no age either; of a dead one it proves only that it was sent once.
* *Hearsay* has the age that its reporter gives it.
* *A pause of this node*: what it reads just afterwards may have waited in the socket.
* *A jump of the clock* moves the burials instead (``Liveness.clock_jumped``).
"""

from __future__ import annotations

from math import inf
from typing import Final, NamedTuple

__all__ = ("AGE_RATIO", "OLDEST", "EvidenceTime", "evidence_time", "first_hand")

#: Ages that rows tell are 0.01 s x a power of this ratio, up to a week at the power of 254.
AGE_RATIO: Final = (604_800.0 / 0.01) ** (1 / 254)
#: The largest age (seconds) that can be told.
OLDEST: Final = 0.01 * AGE_RATIO**254


class EvidenceTime(NamedTuple):
    """When evidence was had (core time, seconds), for two purposes."""

    at: float  #: what burials and failed probes are compared with; -inf: unknown
    heard: float  #: as early as it may have been: its age is told on by this


def first_hand(at: float) -> EvidenceTime:
    """Return the time of what this node saw itself at core time ``at``."""
    return EvidenceTime(at, at)


def evidence_time(now: float, waited: float, age: float | None, *, buried: bool) -> EvidenceTime:
    """Return the time of evidence in a datagram that is read at core time ``now``.

    It may have waited here for ``waited`` seconds. ``age`` is what its sender gives the evidence
    (0: at first hand); None when nothing says how old it is. ``buried``: the member that it is
    about was declared dead here. For a living one, being read now is young enough: at worst a
    suspicion ends too early.
    """
    if age is None:
        return EvidenceTime(-inf, now - OLDEST - waited)
    if buried:
        at = now - waited - age
        return EvidenceTime(at, at)
    at = now - age
    return EvidenceTime(at, at - waited)
