"""The questions of this node, and what it answers to those of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gossipmm.core.life.answering import Answering
from gossipmm.core.life.asking import Asking
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.queried import Queried
from gossipmm.core.life.querying import Querying
from gossipmm.core.life.registrations import Registrations
from gossipmm.core.life.relaying import Relaying
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.queries import is_query
from gossipmm.core.wire import frame as wire

__all__ = ("Questions",)


class Questions:
    """Both sides, each of its own."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        registrations: Registrations,
        conflict: NameConflict,
        enter: Callable[[float], None],
    ) -> None:
        self._local = local
        self.asking = Asking(local, outbox, enter)
        self.answering = Answering(local, outbox, registrations, conflict)
        #: Queries: what this node answers, asks, and passes on for others.
        self.queried = Queried(local, outbox, self.answering, enter)
        self.querying = Querying(local, outbox, self.asking, self.queried)
        self.relaying = Relaying(local, outbox)

    def hear(self, inbound: Inbound, sender: Member) -> None:
        """Answer a question, pass one on, or an answer; the sender's address is proved."""
        options, me = inbound.frame.options, self._local.me.key
        ask: list[Any] | None = options.get(wire.OPT_ASK)
        if ask is not None and inbound.frame.kind == wire.SYN:
            if is_query(ask):
                self.queried.hear(inbound, sender, ask)
            else:
                self.answering.hear(inbound, sender, ask)
        relay: list[Any] | None = options.get(wire.OPT_RELAY)
        if relay is not None:
            if relay[1] == me:
                self.queried.hear_passed_on(inbound, sender, relay)
            else:
                self.relaying.on(inbound, sender, relay)
        relayed: list[Any] | None = options.get(wire.OPT_RELAYED)
        if relayed is not None:
            if relayed[0] == me:
                self.asking.relayed(sender, relayed)
            else:
                self.relaying.back(sender, relayed)
