"""The event of a drain that another member asked for."""

from __future__ import annotations

from gossipmm.core.values.event import event
from gossipmm.core.values.types import NodeId

__all__ = ("DrainAsked",)


@event
class DrainAsked:
    """Member ``name`` had this node drained, or put back; or was refused that.

    Without ``topic`` and ``host`` (empty) it is the whole node. ``refused`` is the outcome in a
    word, empty when it was done; refusals are told once in 60 s.
    """

    at: float
    name: NodeId
    topic: str
    host: str
    draining: bool
    changed: int
    refused: str
