"""An account of who says that others live, while no question finds them: where all sign [P191].

A heartbeat in a row is a number that anybody can raise. Whoever raises that of a host that crashed
has everybody ask for it, with helpers, for as long as that goes on.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.charges import Charges
from gossipmm.core.values.types import NodeId

__all__ = ("Vouchers",)

#: Questions on the word of one member that may be in vain until its word is not asked about, and
#: seconds after which one is forgiven; at most so many count. At 25 % loss four in ten questions
#: about a member that only one helper reaches bring nothing, and the next one that does ends it.
_FREE, _MOST, _FORGIVEN = 3.0, 6.0, 20.0
#: Members whose account is kept, and questions that are open at a time.
_KEPT: Final = 1024


class Vouchers:
    """Decides whether a member is asked because another one says that it lives."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._charges: dict[NodeId, Charges] = {}
        #: Key of a member held dead -> who had it asked, and when.
        self._open: dict[int, tuple[NodeId, float]] = {}

    def counts(self, member: Member, voucher: NodeId) -> bool:
        """Return whether a member is asked on that word; its own always counts."""
        charges = self._charges.get(voucher)
        if charges is None or voucher == member.name:
            return True
        return charges.room(self._local.now, _FREE)

    def asks_for_dead(self, member: Member, voucher: NodeId) -> bool:
        """Return whether one that is held dead is asked; the last question about it is settled."""
        now = self._local.now
        before = self._open.get(member.key)
        if before is not None:
            if now - before[1] < self._local.config.probe_time:
                return False  # it is being asked
            del self._open[member.key]
            self.in_vain(member, before[0])
        if not self.counts(member, voucher):
            return False
        if len(self._open) >= _KEPT:
            del self._open[next(iter(self._open))]
        self._open[member.key] = voucher, now
        return True

    def in_vain(self, member: Member, voucher: NodeId) -> None:
        """Charge a member on whose word another one was asked, that did not answer."""
        if voucher == member.name:
            return
        charges = self._charges.pop(voucher, None) or Charges(_FORGIVEN)
        charges.add(self._local.now, _MOST)
        if len(self._charges) >= _KEPT:
            del self._charges[next(iter(self._charges))]
        self._charges[voucher] = charges

    def true(self, member: Member, voucher: NodeId) -> None:
        """Clear the account of who said that a member lives, which has answered."""
        self._open.pop(member.key, None)
        self._charges.pop(voucher, None)
