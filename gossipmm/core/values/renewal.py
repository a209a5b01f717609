"""Why a node takes a new generation of its own."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("RenewalReason",)


class RenewalReason(StrEnum):
    """Why a life ended and the next one began. Values are stable names: append only.

    The sentence of each is in ``gossipmm.text.renewal``.
    """

    HEARTBEAT_EXHAUSTED = "heartbeat_exhausted"  #: its counter is at its end
    FOREIGN_HEARTBEAT = "foreign_heartbeat"  #: told a heartbeat that this node never issued
    FOREIGN_PAGE = "foreign_page"  #: told a page that this node never wrote
    FOREIGN_LEAVE = "foreign_leave"  #: told that this node left
    LATER_GENERATION = "later_generation"  #: the cluster remembers a later one of this name
    CLOSED = "closed"  #: told that this generation is closed
    CONFLICT_OVER = "conflict_over"  #: the other node of this name is gone
    ALONE = "alone"  #: nobody was reached for half of reap_after
