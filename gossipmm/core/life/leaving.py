"""Leaving: every live member is told and asked to confirm."""

from __future__ import annotations

from typing import Final

from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.seeds import Seeds
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.types import NodeState
from gossipmm.core.wire import frame as wire

__all__ = ("Leaving",)

#: A leave is repeated after these times (seconds) to members that did not confirm.
_AGAIN: Final = (0.05, 0.1, 0.2, 0.4, 0.8)


class Leaving:
    """This node's leave: the members that were told, and those that confirmed it."""

    def __init__(
        self, local: LocalState, outbox: Outbox, conflict: NameConflict, seeds: Seeds
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._conflict = conflict
        self._seeds = seeds
        self._probe = 0
        self._told: dict[int, Member] = {}
        self._confirmed: set[int] = set()
        self._tries = 0

    def leave(self) -> None:
        """Tells every live member that this node leaves, and counts who confirms [P83]."""
        local = self._local
        if local.own.leaving:
            return
        local.table.replace_page(local.me, local.own.set_state(NodeState.LEFT), local.now)
        self._probe = local.probe_id()
        self._told = dict(local.table.peers) if self._conflict.current is None else {}
        if not local.table.peers and self._conflict.current is None:
            self._seeds.tell(self._probe)  # one may hold this record since the last join probe
        local.timers.at(local.now + local.config.leave_timeout, self._over)
        self._tell(None)

    def _tell(self, _: object) -> None:
        local = self._local
        waiting = [m for key, m in self._told.items() if key not in self._confirmed]
        if not waiting:
            self._over(None)
        if local.own.left:
            return
        options = {wire.OPT_PAGES: [local.me.pages[0].raw]}
        for member in waiting:
            self._outbox.send(wire.SYN, member, probe=self._probe, options=options)
        wait = _AGAIN[min(self._tries, len(_AGAIN) - 1)]
        self._tries += 1
        local.timers.at(local.now + wait, self._tell)

    def hear_confirmed(self, probe: int, sender: int) -> bool:
        """Return True when an ACK confirms the leave."""
        if not self._local.own.leaving or probe != self._probe:
            return False
        if sender in self._told:
            self._confirmed.add(sender)
            if len(self._confirmed) == len(self._told):
                self._over(None)
        return True

    def _over(self, _: object) -> None:
        local = self._local
        if not local.own.left:
            local.own.left = True
            told = len(self._told)
            local.events.append(events.LeaveFinished(local.now, len(self._confirmed), told))
