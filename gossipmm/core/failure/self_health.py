"""How well this node itself is, as it may say so: what the detector goes by [P85, P86]."""

from __future__ import annotations

from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Context
from gossipmm.core.values.types import Health


def health_of(
    context: Context, now: float, reply_loss: ReplyLoss, broadcasts: BroadcastQueue
) -> Health:
    """Return the health of the node at core time ``now``."""
    peers = context.table.peers
    deaf_since = now - 2 * context.config.gossip_interval
    return Health(
        slow=now < context.slow_until,
        deaf=context.last_heard < deaf_since and len(peers) > 1,
        held=sum(member.held_since is not None for member in peers.values()),
        loss=context.stats.loss,
        rtt=context.stats.rtt,
        impaired=reply_loss.impaired,
        unheard=reply_loss.lost,
        news=broadcasts.waiting,
        slow_peers=sum(now < member.slow_until for member in peers.values()),
    )
