"""The health of this node as it can measure it; the detector relies on it [P85, P86]."""

from __future__ import annotations

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.types import Health


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
