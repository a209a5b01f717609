"""Purposes of probes."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("Purpose",)


class Purpose(StrEnum):
    """Why a member is probed: decides whether helpers are asked, and whether a failure accuses."""

    ROUND = "round"  #: the exchange of an interval; accuses
    SUSPICION = "suspicion"  #: accused by another node, or by this one, which held it back; accuses
    FAILURE = "failure"  #: a program here could not deliver a message to it; accuses
    DEATH = "death"  #: this node's own question before it declares a member dead; accuses nobody
    HELP = "help"  #: for another node that asked: only reports back
    RETURNING = "returning"  #: held dead, but claimed alive: it has to answer for itself
    DEAD = "dead"  #: held dead: probed now and then, so that a split heals
