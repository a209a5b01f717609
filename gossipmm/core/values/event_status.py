"""What a node says of user events beside its counters: plain values, quickly imported."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ("UserEventsStatus",)


class UserEventsStatus(NamedTuple):
    """What became of user events at one node since it started, and what it may send now."""

    sent: int = 0
    #: Given to this node's watchers and handlers, its own events among them.
    delivered: int = 0
    #: Meant for members with another topic or other metadata; heard again.
    filtered: int = 0
    repeated: int = 0
    #: Not told here: they did not come in time; others' that were over their budget or not valid;
    #: forgotten before they were asked for, for want of memory.
    lost: int = 0
    refused: int = 0
    forgotten: int = 0
    #: Those that programs here wanted to send and that were over the budget.
    over_budget: int = 0
    #: Events, and bytes of them, that this node may send at once now.
    room: int = 0
    room_bytes: int = 0
