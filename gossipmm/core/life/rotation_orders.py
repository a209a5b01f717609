"""Rotations of keys that an authority has to order: which may begin here, and who tells of others.

Whoever holds the gossip key can write a register (``values/rotation_state.py``). Where there is an
authority it is heard by this node's own step only if the authority's list has an order for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values import events
from gossipmm.core.values.rotation_order import RotationOrder
from gossipmm.core.values.rotation_state import RotationState
from gossipmm.errors import KeyringError

__all__ = ("RotationOrders",)

#: Members that are named of those that tell of one that was not ordered.
_NAMED: Final = 5


class RotationOrders:
    """What the authority orders, for one node."""

    def __init__(self, local: LocalState, order: Callable[[], RotationOrder | None] | None) -> None:
        """``order``: gives the last one; None: there is no authority, whoever wants to begins."""
        self._local = local
        self._order = order
        #: What others tell of and is not ordered; None: nothing.
        self.unordered: RotationOrder | None = None

    def allows(self, register: RotationState) -> bool:
        """Return whether a rotation that others tell of may begin here [P185]."""
        if self._order is None:
            return True
        order = self._order()
        return order is not None and order.allows(register)

    def ordered(self, register: RotationState) -> RotationState:
        """Return a register that is to begin here, with the members and time of its order.

        Raises KeyringError: what has to be done where the authority is.
        """
        if self._order is None:
            return register
        order, wanted = self._order(), RotationOrder.for_register(register)
        if order is not None:
            register = register._replace(members=order.members, keep=order.keep)
            if order.allows(register):
                return register
        raise KeyringError(
            "the authority of this cluster has not ordered this rotation: where its folder is, run "
            f"gossipmm ca rotate {wanted.text()}, let this agent read the list that it writes "
            "(revocations), and repeat this"
        )

    def watch(self, held: RotationState, told: list[RotationState]) -> None:
        """Say once that members tell of a rotation that was not ordered, and when that is over."""
        if self._order is None:
            return
        strange = [one for one in told if not (one.is_same(held) or self.allows(one))]
        wanted = RotationOrder.for_register(strange[0]) if strange else None
        if wanted == self.unordered:
            return
        self.unordered = wanted
        local = self._local
        if not strange:
            local.events.append(events.RotationUnordered(local.now, False, "", (), ""))
            return
        assert wanted is not None
        by = tuple(sorted(self._tellers(strange[0])))[:_NAMED]
        kid = strange[0].new.hex()
        local.events.append(events.RotationUnordered(local.now, True, kid, by, wanted.text()))

    def _tellers(self, register: RotationState) -> list[str]:
        names = []
        for member in self._local.table.peers.values():
            told = member.pages[0].keys
            if told is not None and told.register.is_same(register):
                names.append(member.name)
        return names
