"""Asks others of a zone in which somebody is suspected: all of it may be gone [P184]."""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.probes import Probes
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.table.ring import zone_at
from gossipmm.core.values.purpose import Purpose
from gossipmm.mechanisms import Mechanism

__all__ = ("ask_beside",)

#: Of so many of the zone, drawn at random, the first one is asked that is not suspected.
_DRAWN: Final = 4


def ask_beside(local: LocalState, probes: Probes, member: Member) -> None:
    """Ask another one of a suspected member's zone, unless all are in that zone.

    On the ring one member alone looks after a zone that is lost, and comes to it one by one.
    """
    if not local.config.zone_exchanges or Mechanism.ZONE_BESIDE in local.without:
        return
    for other in local.peers.sample_of(zone_at(member.place), _DRAWN):
        if not other.suspected:
            probes.start(other, Purpose.ROUND)
            return
