"""The addresses to join by, and the join probe that is sent there."""

from __future__ import annotations

from typing import Final

from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_PAGE_NUMBER

__all__ = ("Seeds",)

#: Seeds tried at once while alone.
AT_ONCE: Final = 8
#: Bytes around page 0 in the options of a join probe, and of what else may be among them.
_BESIDE: Final = 24
#: Join probes of a seed that come back here, with no answer of another's, until it counts as this
#: node itself: behind the address of a service one may come back by chance.
_CAME_BACK: Final = 3
#: Seconds after which such a seed is asked again. Above the 30 s for which Linux' conntrack sends
#: the datagrams of one port to the same host behind an address (``nf_conntrack_udp_timeout``).
_ASKED_AGAIN: Final = 45.0
#: Join probes that show more than page 0: a node that stays alone would send 19 kB/s.
_WHOLE: Final = 32
#: One of so many join probes of a seed shows page 0 alone.
_ALONE: Final = 3


class Seeds:
    """The seeds as they last resolved, without this node's addresses."""

    def __init__(self, local: LocalState, outbox: Outbox) -> None:
        self._local = local
        self._outbox = outbox
        self.addresses: list[Address] = []
        self._asked = 0
        self._complete = True
        #: Seed -> what names the join probe of it. Its answer may come from anybody there.
        self._probes: dict[Address, int] = {}
        #: Seed -> how many join probes of it came back here, and when the last one did.
        self._came_back: dict[Address, tuple[int, float]] = {}
        #: Seed -> how often it was asked.
        self._tries: dict[Address, int] = {}
        #: Join probes under way: each comes back once, whoever doubles it.
        self._open: set[int] = set()

    def set(self, addresses: list[Address], *, complete: bool) -> None:
        """Take the seeds as they resolve now; ``complete`` if each of their names does."""
        self._complete = complete
        own = self._local.own.addresses
        self.addresses = [address for address in addresses if address not in own]
        known = set(self.addresses)
        for kept in (self._probes, self._came_back, self._tries):
            for address in kept.keys() - known:
                del kept[address]
        self._open &= set(self._probes.values())

    def some(self) -> list[Address]:
        """Return as many as are asked at once while nobody is known."""
        others = [address for address in self.addresses if not self._is_left_alone(address)]
        if len(others) <= AT_ONCE:
            return others
        return self._local.rng.sample(others, AT_ONCE)

    @property
    def others(self) -> list[Address]:
        """Seeds at which this node did not find itself."""
        return [address for address in self.addresses if not self.is_this_node(address)]

    @property
    def are_none(self) -> bool:
        """True when there is nobody to ask: no seed, or only this node itself."""
        return (self._complete or not self.addresses) and not self.others

    def is_this_node(self, address: Address) -> bool:
        """Return whether a seed is this node by another address, as far as is known [P78]."""
        return self._came_back.get(address, (0, 0.0))[0] >= _CAME_BACK

    def _is_left_alone(self, address: Address) -> bool:
        times, last = self._came_back.get(address, (0, 0.0))
        return times >= _CAME_BACK and self._local.now < last + _ASKED_AGAIN

    def is_probe(self, probe: int) -> bool:
        """Return whether this names a join probe of this node."""
        return probe in self._probes.values()

    def came_back(self, probe: int) -> bool:
        """Note that a join probe arrived here; return whether its seed is now known for this node.

        [P78]
        """
        seed = next((seed for seed, known in self._probes.items() if known == probe), None)
        if seed is None or probe not in self._open:
            return False
        self._open.discard(probe)
        times = self._came_back.get(seed, (0, 0.0))[0] + 1
        self._came_back[seed] = times, self._local.now
        return times == _CAME_BACK

    def answered(self, probe: int) -> None:
        """Note that another node answered a join probe: its seed is not this node."""
        for seed, known in self._probes.items():
            if known == probe:
                self._came_back.pop(seed, None)

    def probe_to(self, address: Address) -> int:
        """Return what names the join probe of a seed: a random number, the same for each try."""
        probe = self._probes.get(address)
        if probe is None:
            probe = self._probes[address] = self._local.probe_id()
        return probe

    def ask(self, address: Address, probe: int = 0) -> None:
        """Send a SYN with page 0 to whoever is at the address: who answers knows this node.

        [P79]
        """
        options = {wire.OPT_PAGES: self._pages(address)}
        if not probe:
            probe = self.probe_to(address)
            self._open.add(probe)
        self._outbox.send(wire.SYN, Stranger(address), probe=probe, options=options)

    def _pages(self, address: Address) -> list[bytes]:
        """Return page 0, and at first as many others as fit.

        Whoever passes on that this node lives then passes on what it registers as well. Every third
        time page 0 alone: the path to the seed may lose what is large.
        """
        own = self._local.me.pages
        pages = self._local.me.first_pages
        self._asked += 1
        tries = self._tries[address] = self._tries.get(address, 0) + 1
        room = self._outbox.room_on(address) - wire.FRAME_SIZE - _BESIDE - sum(map(len, pages))
        if room < 0 or not tries % _ALONE:
            pages = pages[-1:]
        elif self._asked <= _WHOLE:
            for number in sorted(own.keys() - {0, MAX_PAGE_NUMBER}):
                room -= len(own[number].raw) + 3
                if room < 0:
                    break
                pages.append(own[number].raw)
        return pages

    def tell(self, probe: int) -> None:
        """Show the seeds the last page 0; nobody waits for their answers."""
        for address in self.addresses[:AT_ONCE]:
            self.ask(address, probe)
