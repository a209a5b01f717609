"""The evidence trail of a member: what was said about it, by which node, to what effect."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("EvidenceKind",)


class EvidenceKind(StrEnum):
    """Kinds of lines in a trail. Values are stable names: append only.

    The sentence of each is in ``gossipmm.text.evidence``.
    """

    JOINED = "joined"  #: the teller made it known, alive
    PROBE_FAILED = "probe_failed"  #: it did not answer this node, nor any helper
    ACCUSED = "accused"  #: suspected, by the first accuser
    CONFIRMED = "confirmed"  #: another accuser of one that is suspected
    REFUTED = "refuted"  #: a fresher heartbeat ended the suspicion
    BURIED = "buried"  #: the suspicion ran out: dead here
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
    CONFLICT = "conflict"  #: another process uses this node's name
