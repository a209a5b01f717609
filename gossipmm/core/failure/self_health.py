"""How well this node itself is, as it may say so: what the detector goes by (design section 5)."""

from __future__ import annotations

from typing import NamedTuple

from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Context


class Health(NamedTuple):
    """This node's own state at one moment."""

    #: Its own timers fired late just now: it holds its accusations.
    slow: bool
    #: It heard nobody for two intervals, although more than one other member lives.
    deaf: bool
    #: Members whose accusation it holds back because of either.
    held: int
    #: Share of answered probes that needed more than one try (smoothed): its own loss.
    loss: float
    #: Smoothed round trip in seconds; 0 before the first answer.
    rtt: float
    #: Its own answers do not get through: it is on probation everywhere.
    impaired: bool
    #: Share of the last probes of this node whose sender asked a third time.
    unheard: float
    #: Members of whom news waits to be pushed.
    news: int


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
    )
