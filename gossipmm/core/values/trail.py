"""The evidence trail of a member: what was said about it, by which node, to what effect."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

__all__ = ("FACTS", "EvidenceKind", "Hold")


class EvidenceKind(StrEnum):
    """Kinds of lines in a trail. Values are stable names: append only.

    The sentence of each is in ``gossipmm.text.evidence``.
    """

    JOINED = "joined"  #: the reporter made it known, alive
    PROBE_FAILED = "probe_failed"  #: it did not answer this node, nor any helper
    ACCUSED = "accused"  #: suspected, by the first accuser
    CONFIRMED = "confirmed"  #: another accuser of one that is suspected
    REFUTED = "refuted"  #: a fresher heartbeat ended the suspicion
    DECLARED_DEAD = "declared_dead"  #: the suspicion ran out: dead here
    DEATH_HEARD = "death_heard"  #: an old death, reported by another
    RETURNING = "returning"  #: alive, on evidence older than its death here
    RETURNED = "returned"  #: reached, back from the dead
    LEFT = "left"  #: it said that it leaves
    PROBATION_ENDED = "probation_ended"
    IMPAIRED = "impaired"  #: it says that its replies are being lost
    IMPAIRED_OWN = "impaired_own"  #: this node's replies are being lost
    UNIMPAIRED_OWN = "unimpaired_own"  #: this node's replies arrive again
    HELD = "held"  #: this node may be to blame: its accusation waits
    OTHER_ANSWERED = "other_answered"  #: another node answers at its address
    REACHED_BY_HELPER = "reached_by_helper"
    DELIVERED = "delivered"  #: a program here delivered a message to a host of it
    FAILURE_REPORTED = "failure_reported"  #: a program here could not
    RENEWED = "renewed"  #: this node took a new generation
    REFUTED_OWN = "refuted_own"  #: this node was held suspect or dead, and answered
    CRASHED = "crashed"  #: a new life of its name; the one before had not left
    CONFLICT = "conflict"  #: another process uses this node's name
    NO_PATH = "no_path"  #: others reach it, this node does not, at any of its addresses
    PATH_FOUND = "path_found"  #: this node reaches it again
    SMALL_PATH = "small_path"  #: what is large does not arrive there, what is small does
    LARGE_PATH = "large_path"  #: what is large arrives there again
    SOURCE_DIFFERS = "source_differs"  #: it sends from an address that its record does not name
    SOURCE_AGREES = "source_agrees"  #: it sends from an address of its record again
    LATER_LIFE = "later_life"  #: a later life of it is announced, which has to answer first
    LATER_LIFE_SILENT = "later_life_silent"  #: nobody has answered for such a life
    DRAIN_ASKED = "drain_asked"  #: a member had this node drained, or this node had it drained
    EQUIVOCATED = "equivocated"  #: it signed two pages of one version


class Hold(StrEnum):
    """Why this node takes itself for the one to blame."""

    SLOW = "slow"  #: its timers were late
    DEAF = "deaf"  #: it heard nobody at all
    HEARS_LITTLE = "hears_little"  #: most of what is sent to it is lost


#: Kind of evidence -> the facts that a line of it has. Addresses are text, times seconds.
FACTS: Final[Mapping[EvidenceKind, tuple[str, ...]]] = {
    EvidenceKind.JOINED: (),
    EvidenceKind.PROBE_FAILED: ("tries", "seconds", "other"),  # who else answers there, or ""
    EvidenceKind.ACCUSED: ("heartbeat",),
    EvidenceKind.CONFIRMED: ("count",),  # of accusers, by now
    EvidenceKind.REFUTED: ("heartbeat",),
    EvidenceKind.DECLARED_DEAD: ("accusers",),  # their names
    EvidenceKind.DEATH_HEARD: ("age",),
    EvidenceKind.RETURNING: (),
    EvidenceKind.RETURNED: ("returns", "window", "probation"),  # probation 0: none
    EvidenceKind.LEFT: (),
    EvidenceKind.PROBATION_ENDED: (),
    EvidenceKind.IMPAIRED: (),
    # Of its last probes, asked a third time; of what was sent to it, lost.
    EvidenceKind.IMPAIRED_OWN: ("share", "missed"),
    EvidenceKind.UNIMPAIRED_OWN: ("share", "missed"),
    EvidenceKind.HELD: ("why",),  # a Hold
    EvidenceKind.OTHER_ANSWERED: ("address",),
    EvidenceKind.REACHED_BY_HELPER: (),
    EvidenceKind.DELIVERED: ("topic", "host"),
    EvidenceKind.FAILURE_REPORTED: ("topic", "host"),
    EvidenceKind.RENEWED: ("reason",),  # a RenewalReason
    EvidenceKind.REFUTED_OWN: ("heartbeat",),
    EvidenceKind.CRASHED: ("returns", "window", "probation"),  # probation 0: none
    EvidenceKind.CONFLICT: ("older", "newer"),
    EvidenceKind.NO_PATH: ("address",),
    EvidenceKind.PATH_FOUND: ("address",),
    EvidenceKind.SMALL_PATH: ("address", "carries", "loses"),  # bytes of a datagram
    EvidenceKind.LARGE_PATH: ("address", "carries"),
    EvidenceKind.SOURCE_DIFFERS: ("address",),
    EvidenceKind.SOURCE_AGREES: ("address",),
    EvidenceKind.LATER_LIFE: ("address",),  # of the later life; empty: not known yet
    EvidenceKind.LATER_LIFE_SILENT: ("address",),
    # Empty: the node, or all hosts of the topic. What was said: an Outcome.
    EvidenceKind.DRAIN_ASKED: ("topic", "host", "draining", "said"),
    EvidenceKind.EQUIVOCATED: ("page",),  # its number
}
