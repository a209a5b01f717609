"""The health of this node as it can measure it; the detector relies on it [P85, P86]."""

from __future__ import annotations

from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.trail import EvidenceKind, Hold
from gossipmm.core.values.types import Health

#: x the maximum suspicion: then this node believes what it sees.
_SELF_HOLDS: Final = 2.0


def health_of(
    local: LocalState, now: float, losses: tuple[float, float], broadcasts: int
) -> Health:
    """Return the health of the node at core time ``now``.

    ``losses``: the shares of what it sends, and of what it is sent, as it measures them.
    """
    peers = local.table.peers
    deaf_since = now - local.config.quiet_max
    return Health(
        slow=now < local.slow_until,
        deaf=local.last_heard < deaf_since and len(peers) > 1,
        held=sum(member.held_since is not None for member in peers.values()),
        loss=local.stats.loss,
        rtt=local.stats.rtt,
        impaired=local.own.impaired,
        unheard=losses[0],
        missed=losses[1],
        broadcasts=broadcasts,
        slow_peers=sum(now < member.slow_until for member in peers.values()),
    )


def must_hold(local: LocalState, member: Member) -> bool:
    """Return whether this node's own state explains what it sees, for a bounded time [P87]."""
    why = local.to_blame(local.now - local.config.quiet_max)
    if why is None:
        member.held_since = None
        return False
    if member.held_since is None:
        # Deaf it is since it heard somebody last, not since it noticed.
        deaf = why is Hold.DEAF
        member.held_since = min(local.now, local.last_heard) if deaf else local.now
        local.stats.probes_held += 1
        member.note(local.now, EvidenceKind.HELD, local.own.name, why=why)
    return local.now - member.held_since < _SELF_HOLDS * local.config.suspicion_max
