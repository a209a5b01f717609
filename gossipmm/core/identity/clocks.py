"""The clocks of others, as their statements of life tell: whether this node's own can be believed.

A certificate is judged by time. A node whose clock is a day off would refuse everybody, or take who
should be refused; nobody else can tell it but the others.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from gossipmm.core.identity.certificates import GRACE
from gossipmm.core.values.types import NodeId

__all__ = ("Clocks",)

#: Members whose clocks are remembered, the latest; and how many make a median, where there are so
#: many: one of three may lie.
_KEPT: Final = 9
_ENOUGH: Final = 3


class Clocks:
    """By how much the clocks of some members differ from this node's own [P159]."""

    __slots__ = ("_ahead",)

    def __init__(self) -> None:
        self._ahead: dict[NodeId, float] = {}

    def heard(self, name: NodeId, ahead: float) -> None:
        """Note by how many seconds a member's clock is ahead of this node's."""
        self._ahead.pop(name, None)
        if len(self._ahead) >= _KEPT:
            del self._ahead[next(iter(self._ahead))]
        self._ahead[name] = ahead

    def are_enough(self, peers: int) -> bool:
        """Return whether the clocks of as many members are known as it takes."""
        return len(self._ahead) >= max(1, min(_ENOUGH, peers))

    @property
    def ahead(self) -> float:
        """The median of how far they are ahead, in seconds; 0 before any is known."""
        return median(self._ahead.values()) if self._ahead else 0.0

    def agree(self, peers: int) -> bool:
        """Return whether this node's clock is known to be right, within the grace."""
        return self.are_enough(peers) and abs(self.ahead) <= GRACE
