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

_new: Final = tuple.__new__

__all__ = ("AGE_RATIO", "OLDEST", "EvidenceTime", "first_hand", "hearsay", "unknown")

#: Ages that rows tell are 0.01 s x a power of this ratio, up to a week at the power of 254.
AGE_RATIO: Final = (604_800.0 / 0.01) ** (1 / 254)
#: The largest age (seconds) that can be told.
OLDEST: Final = 0.01 * AGE_RATIO**254


class EvidenceTime(NamedTuple):
    """When evidence was had (core time, seconds), for two purposes."""

    at: float  #: what burials and failed probes are compared with; -inf: unknown
    heard: float  #: as early as it may have been: its age is told on by this


def first_hand(at: float, waited: float = 0.0) -> EvidenceTime:
    """Return the time of what this node saw itself at core time ``at``, or a while before."""
    # Past the generated constructor: this is done for nearly every datagram.
    return _new(EvidenceTime, (at, at - waited))


def hearsay(now: float, waited: float, age: float, *, dead: bool) -> EvidenceTime:
    """Return the time of evidence that had that age when it was told, in a datagram read ``now``.

    The datagram may have waited here for ``waited`` seconds. For a member that is held dead it
    did; for a living one being read now is young enough: at worst a suspicion ends too early.
    """
    at = now - waited - age if dead else now - age
    return _new(EvidenceTime, (at, at if dead else at - waited))


def unknown(now: float, waited: float) -> EvidenceTime:
    """Return the time of evidence whose age nothing tells."""
    return _new(EvidenceTime, (-inf, now - OLDEST - waited))
