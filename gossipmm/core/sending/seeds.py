"""The addresses to join by, and the join probe that is sent there."""

from __future__ import annotations

from typing import Final

from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire

__all__ = ("Seeds",)

#: Seeds tried at once while alone.
AT_ONCE: Final = 8
#: Bytes around page 0 in the options of a join probe, and of what else may be among them.
_BESIDE: Final = 24
#: Join probes that show more than page 0: a node that stays alone would send 19 kB/s.
_WHOLE: Final = 32


class Seeds:
    """The seeds as they last resolved, without this node's addresses."""

    def __init__(self, local: LocalState, outbox: Outbox) -> None:
        self._local = local
        self._outbox = outbox
        self.addresses: list[Address] = []
        self._asked = 0
        #: Names the join probe of this node; its answer may come from anybody at a seed.
        self.probe = local.rng.getrandbits(64) or 1

    def set(self, addresses: list[Address]) -> None:
        """Take the seeds as they resolve now."""
        own = self._local.own.addresses
        self.addresses = [address for address in addresses if address not in own]

    def some(self) -> list[Address]:
        """Return as many as are asked at once while nobody is known."""
        if len(self.addresses) <= AT_ONCE:
            return self.addresses
        return self._local.rng.sample(self.addresses, AT_ONCE)

    def ask(self, address: Address, probe: int = 0) -> None:
        """Send a SYN with page 0 to whoever is at the address: who answers knows this node.

        [P79]
        """
        options = {wire.OPT_PAGES: self._pages()}
        self._outbox.send(wire.SYN, Stranger(address), probe=probe or self.probe, options=options)

    def _pages(self) -> list[bytes]:
        """Return page 0, and at first as many others as fit.

        Whoever passes on that this node lives then passes on what it registers as well.
        """
        own = self._local.me.pages
        pages = [own[0].raw]
        self._asked += 1
        room = self._outbox.room - wire.FRAME_SIZE - _BESIDE - len(pages[0])
        if self._asked <= _WHOLE:
            for number in sorted(own)[1:]:
                room -= len(own[number].raw) + 3
                if room < 0:
                    break
                pages.append(own[number].raw)
        return pages

    def tell(self, probe: int) -> None:
        """Show the seeds the last page 0; nobody waits for their answers."""
        for address in self.addresses[:AT_ONCE]:
            self.ask(address, probe)
