"""What is answered to who tells what is over or refuted: within a budget, where all sign [P188]."""

from __future__ import annotations

from typing import Final

from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.charges import Charges
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("Corrections",)

#: Corrections to one address at once, and seconds after which there may be one more. An honest
#: member hears them of each record once, and the rest when tables are compared.
_AT_ONCE, _EVERY = 8.0, 4.0
#: Addresses remembered.
_KEPT: Final = 1024


class Corrections:
    """Keeps what corrects others within a budget of each address."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._accounts: dict[Address, Charges] = {}
        self._counts = Mechanism.FEW_CORRECTIONS not in local.without

    def leave(self, inbound: Inbound) -> bool:
        """Take out of the reply to news what only corrects its teller, if it was told enough.

        Returns whether there is anything to reply.
        """
        said = inbound.said
        if said is not None and self._is_enough(inbound):
            self._local.stats.drop(Drop.CORRECTED)
            said.rows, said.pages, said.minimums = [], [], []
        return bool(said)

    def _is_enough(self, inbound: Inbound) -> bool:
        said, frame, local = inbound.said, inbound.frame, self._local
        if said is None or not (said.rows or said.pages or said.minimums):
            return False
        asks = any(key in frame.options for key in wire.LARGE)
        if frame.kind != wire.NEWS or asks or not (local.all_sign and self._counts):
            return False
        account = self._accounts.get(inbound.source)
        if account is None:
            if len(self._accounts) >= _KEPT:
                del self._accounts[next(iter(self._accounts))]
            account = self._accounts[inbound.source] = Charges(_EVERY)
        if account.room(local.now, _AT_ONCE):
            account.add(local.now, _AT_ONCE)
            return False
        return True
