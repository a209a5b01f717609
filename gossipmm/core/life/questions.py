"""Questions between members: those of this node, and what it answers to those of others."""

from __future__ import annotations

from collections.abc import Callable

from gossipmm.core.life.answering import Answering
from gossipmm.core.life.asking import Asking
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.registrations import Registrations
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState

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
        self.asking = Asking(local, outbox, enter)
        self.answering = Answering(local, outbox, registrations, conflict)
