"""Names that nobody used before, told by others: each has to answer before it counts [P189].

Only where all have to sign and no authority says which key speaks for which name. Anybody can make
a key and invent a name; who holds that alive pushes it, accuses it and tells of its death.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gossipmm.core.identity.trust import Trust
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.charges import Charges
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.types import NodeId, NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page

__all__ = ("Newcomers",)

#: Newcomers asked at a time, and pages of each that are kept meanwhile, as of later lives (P129).
_IN_ALL, _PAGES = 64, 8
#: Units of ``resend_base`` after which one is asked again, then each so many, tries in all, and
#: intervals that it may take: those of P129, for the same loss.
_AGAIN, _THEN, _TRIES, _WAITS = (1, 3, 7), 8, 8, 2
#: Newcomers taken unasked for each one that answered, as many at most, and seconds without another
#: answer after which none is: in a mass join one in nine is asked.
_FOR_ONE, _CREDIT, _LASTS = 8, 64, 1.0
#: Newcomers that did not answer and are taken all the same, since only others may reach them, and
#: seconds after which one is forgiven: as for who vouches for the dead (P191).
_FREE, _MOST, _FORGIVEN = 3.0, 6.0, 20.0
#: Intervals after its own start, or join, for which a node asks nobody: a rack boots at once.
_BOOTS: Final = 4
#: Seconds for which one that was not taken is not asked for.
_REFUSED: Final = 60.0


class _Newcomer:
    """A name that waits for an answer of its owner."""

    __slots__ = ("asked", "began", "key", "pages", "probe", "timer")

    def __init__(self, key: int, zero: Page, probe: int, now: float) -> None:
        self.key = key
        self.probe = probe
        self.began = now
        self.asked = 0
        self.pages = {0: zero}
        self.timer: Token | None = None


class Newcomers:
    """Asks each new name that others tell of; ``accept`` takes those that answered."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        trust: Trust | None,
        accept: Callable[[list[Page], NodeId, bool], None],
    ) -> None:
        """``accept``: takes pages, whose word they are, and whether they are to be pushed."""
        self._local = local
        self._outbox = outbox
        self._accept = accept
        #: The keys of names; None: nobody has to answer.
        self._trust = trust
        if trust is not None and (trust.certified is not None or not local.all_sign):
            self._trust = None
        self._waiting: dict[NodeId, _Newcomer] = {}
        self._by_probe: dict[int, NodeId] = {}
        self._credit = 0
        self._answered_at = local.now
        self._charges = Charges(_FORGIVEN)
        self._boots_until = local.now + _BOOTS * local.config.gossip_interval
        #: Names that were taken without an answer: their owners may answer by helpers.
        self._unheard: dict[NodeId, None] = {}

    def must_prove(self, inbound: Inbound, page: Page) -> bool:
        """Take a page of a name that is not held here; True: it waits until its owner answers."""
        local, trust = self._local, self._trust
        if trust is None or trust.key_of(page.name) is not None:
            return False
        if not local.table.joined:
            self._boots_until = local.now + _BOOTS * local.config.gossip_interval
        if local.now < self._boots_until:
            return False
        if page.generation <= local.table.minimum_generations.get(page.name, -1):
            return False  # it is answered so
        key = wire.record_key(local.config.cluster, page.name, page.generation)
        waiting = self._waiting.get(page.name)
        if self._is_itself(inbound, page, key):
            if waiting is not None:
                self._end(page.name)
            return False
        if waiting is not None:
            if waiting.key == key and len(waiting.pages) < _PAGES:
                waiting.pages.setdefault(page.number, page)
            return True
        if page.number or local.doubts(key):
            local.stats.drop(Drop.UNPROVED_LIFE)
            return True
        if page.state is not NodeState.LEFT and self._is_credited():
            return False
        if page.state is NodeState.LEFT or len(self._waiting) >= _IN_ALL:
            local.stats.drop(Drop.UNPROVED_LIFE)
            return True
        waiting = _Newcomer(key, page, local.probe_id(), local.now)
        self._waiting[page.name] = waiting
        self._by_probe[waiting.probe] = page.name
        trust.candidates[page.name] = page.generation, page.signer
        local.doubt(key, local.now + _WAITS * local.config.gossip_interval)
        self._ask(page.name)
        return True

    def _is_itself(self, inbound: Inbound, page: Page, key: int) -> bool:
        """Return whether its owner says it, at an address that no other record names.

        Any member can send in other names from its own address.
        """
        source = inbound.source
        if key != inbound.frame.sender or (page.number == 0 and source not in page.addresses):
            return False
        records = self._local.table.by_name.values()
        return not any(source in member.addresses for member in records)

    def _is_credited(self) -> bool:
        """Return whether so many newcomers have just answered that this one need not."""
        if self._credit == 0 or self._local.now - self._answered_at >= _LASTS:
            self._credit = 0
            return False
        self._credit -= 1
        return True

    def _ask(self, name: NodeId) -> None:
        """Ask it at its address, until it has answered or was asked long enough."""
        local, waiting = self._local, self._waiting.get(name)
        if waiting is None:
            return
        if waiting.timer is not None:
            # What this node itself stood still for is not taken from the time for an answer.
            waiting.began += max(0.0, local.now - waiting.timer.when)
        waiting.timer = None
        over = waiting.began + _WAITS * local.config.gossip_interval
        if local.now >= over:
            self._in_vain(name, somebody_else=False)
            return
        if waiting.asked < _TRIES:
            addresses = waiting.pages[0].addresses
            to = Stranger(addresses[waiting.asked % len(addresses)], waiting.key)
            self._outbox.send(wire.SYN, to, probe=waiting.probe)
            waiting.asked += 1
        units = _AGAIN[waiting.asked - 1] if waiting.asked <= len(_AGAIN) else 0
        when = waiting.began + units * local.config.resend_base
        if when <= local.now:
            when = local.now + _THEN * local.config.resend_base
        waiting.timer = local.timers.at(min(when, over), self._ask, name)

    def answered(self, probe: int, sender: int) -> bool:
        """Take an ACK; True: it answers such a question, whoever gave it."""
        name = self._by_probe.get(probe)
        if name is None:
            return False
        waiting = self._waiting[name]
        if waiting.key == sender:
            self._credit = min(_CREDIT, self._credit + _FOR_ONE)
            self._answered_at = self._local.now
            self._take(name, pushed=True)
            return True
        self._local.stats.drop(Drop.WRONG_ANSWERER)
        if len(waiting.pages[0].addresses) == 1:
            self._in_vain(name, somebody_else=True)
        return True

    def _take(self, name: NodeId, *, pushed: bool) -> None:
        waiting = self._end(name)
        pages = [waiting.pages[number] for number in sorted(waiting.pages)]
        self._accept(pages, name, pushed)

    def _in_vain(self, name: NodeId, *, somebody_else: bool) -> None:
        """Refuse a name whose owner did not answer; unless only others may reach it."""
        local, trust = self._local, self._trust
        assert trust is not None
        self._credit = 0
        for known in list(self._unheard):
            pin = trust.pins.get(known)
            if pin is not None and pin.firm:  # it signed that it lives, by a helper [P156]
                self._charges = Charges(_FORGIVEN)
                del self._unheard[known]
            elif pin is None or not local.stands(known):
                del self._unheard[known]
        takes = not somebody_else and self._charges.room(local.now, _FREE)
        if takes:
            self._charges.add(local.now, _MOST)
            self._unheard[name] = None
            self._take(name, pushed=False)
            return
        key = self._end(name).key
        local.stats.drop(Drop.UNPROVED_LIFE)
        local.doubt(key, local.now + _REFUSED)

    def _end(self, name: NodeId) -> _Newcomer:
        waiting = self._waiting.pop(name)
        self._by_probe.pop(waiting.probe, None)
        if self._trust is not None:
            self._trust.candidates.pop(name, None)
        cancel(waiting.timer)
        waiting.timer = None
        self._local.believe(waiting.key)
        return waiting
