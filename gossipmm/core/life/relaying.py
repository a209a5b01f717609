"""Passes queries of others on, and their answers back, where the way between two is broken.

Each charges whoever it hears a question from: nobody else's address is proved to it.
"""

from __future__ import annotations

from typing import Any, Final

from gossipmm.core.life.budgets import Budgets
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.queries import is_query
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire

__all__ = ("Relaying",)

#: Questions of a member that are passed on at once, and a second: a bridge between two halves of
#: 100 hosts is asked for 50 of them at a time.
_BURST: Final = 128.0
_RATE: Final = 32.0
#: Questions whose answers are passed back, and how many datagrams of each: that it is at work, the
#: answer, and both again.
_KEPT: Final = 512
_BACK: Final = 8


class _Passed:
    """A question that was passed on."""

    __slots__ = ("address", "asker", "back", "until")

    def __init__(self, asker: Member, address: Address, until: float) -> None:
        self.asker = asker
        self.address = address
        self.until = until
        self.back = _BACK


class Relaying:
    """What this node passes on for others [P174]."""

    def __init__(self, local: LocalState, outbox: Outbox) -> None:
        self._local = local
        self._outbox = outbox
        self._budgets = Budgets(_BURST, _RATE)
        #: (who asks, who is asked, number of the question).
        self._open: dict[tuple[int, int, int], _Passed] = {}

    def on(self, inbound: Inbound, sender: Member, relay: list[Any]) -> None:
        """Pass a query on for the member that asks it."""
        local = self._local
        asker, target, identity, ask = relay[:4]
        if asker != sender.key or not is_query(ask):
            local.stats.drop(Drop.BAD_OPTION)
            return
        member = local.table.peers.get(target)
        if member is None:
            return
        if not self._budgets.charge(sender.key, local.now):
            local.stats.drop(Drop.QUESTION_RATE)
            return
        name = (asker, target, identity)
        self._open.pop(name, None)
        if len(self._open) >= _KEPT:
            del self._open[next(iter(self._open))]
        self._open[name] = _Passed(sender, inbound.source, local.now + ask[3] / 1000)
        self._outbox.send(wire.NEWS, member, options={wire.OPT_RELAY: relay[:4]})

    def back(self, sender: Member, relayed: list[Any]) -> None:
        """Pass the answer back to who asked."""
        passed = self._open.get((relayed[0], sender.key, relayed[2]))
        if passed is None or relayed[1] != sender.key or not passed.back:
            return
        if self._local.now > passed.until:
            return
        passed.back -= 1
        told = {wire.OPT_RELAYED: relayed[:4]}
        self._outbox.send(wire.NEWS, passed.asker, address=passed.address, options=told)
