"""The list of revocations among members: who holds an older one is told, or asks [P158]."""

from __future__ import annotations

from collections.abc import Callable

from gossipmm.core.identity.certified import Certified
from gossipmm.core.identity.revocations import revocations_untrusted
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire

__all__ = ("RevocationList",)


class RevocationList:
    """Pushes a list that is new here, and compares numbers with whoever states that it lives."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        certified: Certified,
        changed: Callable[[], None],
    ) -> None:
        """``changed``: called when the list held is another one."""
        self._local = local
        self._outbox = outbox
        self._certified = certified
        self._changed = changed

    def hear_number(self, member: Member, number: int) -> None:
        """Compare with the number that a member states: it is shown a higher one, or asked."""
        if number != self._certified.number:
            self._show(member)

    def _show(self, to: Member) -> None:
        raw = self._certified.revocations or b""
        self._outbox.send(wire.NEWS, to, options={wire.OPT_REVOKED: raw})

    def hear(self, sender: Member, raw: bytes) -> None:
        """Take a list, or none: take a newer one over, and answer an older one."""
        read = revocations_untrusted(raw) if raw else None
        if read is None or (not isinstance(read, Fault) and read.number < self._certified.number):
            if self._certified.number:
                self._show(sender)
        elif self.take(raw) not in (None, Fault.SUPERSEDED):
            self._local.stats.drop(Drop.BAD_CERTIFICATE)

    def take(self, raw: bytes) -> Fault | None:
        """Take a list, and push it on if it is the newest; else say why it does not count."""
        fault = self._certified.take_revocations(raw)
        if fault is None:
            self._push(None)
            local = self._local
            local.timers.at(local.now + local.config.second_push, self._push, None)
            self._changed()
        return fault

    def _push(self, _: None) -> None:
        for peer in self._local.peers.sample(self._local.config.fanout, set()):
            self._show(peer)
