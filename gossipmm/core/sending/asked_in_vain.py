"""An account of each address: what it was asked for and did not have, where all sign [P186].

Whoever tells of lives that there are not has everybody ask for them, each time under another key.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.charges import Charges
from gossipmm.core.values.types import Address

__all__ = ("AskedInVain",)

#: Seconds after which a question has brought nothing; round trips of 0.3 s and a loss are less.
_VAIN_AFTER: Final = 1.0
#: Questions in vain until an address is asked no more, and seconds after which one is forgiven. As
#: for accusers (P134): a minute for who goes on.
_FREE, _MOST, _FORGIVEN = 3.0, 6.0, 20.0
#: Questions that are open at an address, and addresses remembered.
_OPEN, _KEPT = 64, 1024
#: Questions that may be open at an address which has brought nothing yet, once this node has
#: joined: two datagrams of a liar name as many.
_FIRST: Final = 8


class _Account:
    """What one address was asked for lately, and what that brought."""

    __slots__ = ("brought", "charges", "open")

    def __init__(self) -> None:
        self.charges = Charges(_FORGIVEN)
        #: Records that were brought since the last question in vain.
        self.brought = 0
        #: Record key -> when it was asked for, and the hash of what was held of it; -1: nothing.
        self.open: dict[int, tuple[float, int]] = {}


class AskedInVain:
    """Decides whether whoever speaks at an address is asked for a record."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._accounts: dict[Address, _Account] = {}

    def may_ask(self, address: Address, key: int) -> bool:
        """Return whether it is asked for that record, and note that it is."""
        now = self._local.now
        account = self._accounts.get(address)
        if account is None:
            if len(self._accounts) >= _KEPT:
                del self._accounts[next(iter(self._accounts))]
            account = self._accounts[address] = _Account()
        self._settle(account)
        charged = account.charges.at(now) > 0.0
        bounded = charged or self._local.table.joined
        most = 1 if charged else _FIRST + account.brought
        if not account.charges.room(now, _FREE) or (bounded and len(account.open) >= most):
            return False
        if len(account.open) < _OPEN:
            account.open[key] = now, self._held(key)
        return True

    def _held(self, key: int) -> int:
        member = self._local.table.by_key.get(key)
        return -1 if member is None else member.page_hash

    def _settle(self, account: _Account) -> None:
        """Close the questions that brought something, from anybody, and those that did not."""
        now = self._local.now
        for key, (asked, held) in list(account.open.items()):
            if self._held(key) != held or self._local.table.minimum_of_key(key) is not None:
                del account.open[key]
                account.brought += 1
            elif now - asked >= _VAIN_AFTER:
                del account.open[key]
                account.brought = 0
                account.charges.add(now, _MOST)
