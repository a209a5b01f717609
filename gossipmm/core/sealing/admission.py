"""Decides which senders are heard, and how much: before anything of a datagram is read, and after.

Sources are of two kinds. One whose address is validated (it answered something sent there that
nobody else could know, or the envelope says so) has a budget of its own, which is charged only for
what was read: forging its address does not spend it. All others share a budget per IP address,
which is charged before anything is examined, so that refusing them costs next to nothing.

Memory is bounded on both sides: at the limit of other sources, further ones share one budget; at
the limit of validated ones, the one validated first has to be validated again.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final

from gossipmm.config import Config
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address
from gossipmm.core.wire.pages import Page
from gossipmm.core.wire.strict import Refused

__all__ = ("WORK", "Admission", "Budget")

#: A full budget holds what its rate gives in so many seconds.
_BURST: Final = 2.0
#: IP addresses that have a budget of their own without being validated, at most.
_SOURCES: Final = 4096
#: Seconds between two searches for budgets that are full again and can be forgotten.
_SWEEP: Final = 1.0
#: Steps of work (of 2.5 us) that are in the price of a datagram: 5,000 datagrams a second of so
#: much take half of a core. Whatever takes more is charged as several.
WORK: Final = 40
#: Bytes of answers that a peer is sent for each byte that it says. A digest of 54 rows may be
#: answered with as many as it has, and seven datagrams of records that it lacks: seven times as
#: much, which the floor carries as long as such differences are rare.
_TIMES: Final = 4.0
#: Bytes that it is sent whatever it says, in ``_REFILL`` seconds: this, and the table several
#: times. A newcomer asks for all of it in few bytes, and for half of it again at 25 % loss.
_FLOOR: Final = 65_536
_TABLES: Final = 4
_REFILL: Final = 30.0
#: Validated addresses that are remembered, at least, even where the limit of members is small.
_PROVED: Final = 1024


class Budget:
    """Datagrams left to one source, and the core time at which that was so."""

    __slots__ = ("at", "heard", "left", "said", "said_at")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at
        #: Bytes that it said since it was last answered at length.
        self.heard = 0
        #: Bytes of answers that it was sent beyond those, and the core time at which that was so.
        self.said = 0.0
        self.said_at = at

    def may_be_answered(self, size: int, now: float) -> bool:
        """Return whether its questions are answered at the moment; ``size``: bytes of the table.

        [P95]
        """
        floor = float(_FLOOR + _TABLES * size)
        gained = _TIMES * self.heard + (now - self.said_at) * floor / _REFILL
        self.said = max(0.0, self.said - gained)
        self.heard, self.said_at = 0, now
        return self.said < floor


class Admission:
    """Budgets by source, the allow list, and the validated addresses."""

    def __init__(self, config: Config, now: float) -> None:
        self._source_rate, self._peer_rate = config.source_rate, config.peer_rate
        self._networks = tuple(ip_network(text) for text in config.allow)
        self._most_proved = max(_PROVED, 2 * config.max_members)
        #: Addresses whose holder received what was sent there, with their budgets.
        self.proved: dict[Address, Budget] = {}
        self._sources: dict[str, Budget] = {}
        self._others = Budget(_BURST * self._source_rate, now)
        self._swept_at = now

    def allows(self, host: str) -> bool:
        """Return whether the allow list (empty: everybody) has that IP literal [P93]."""
        if not self._networks:
            return True
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def allowing(self, read: Callable[[bytes], Page]) -> Callable[[bytes], Page]:
        """Return a reader that also refuses pages with addresses that are not allowed [P93]."""
        if not self._networks:
            return read

        def read_allowed(raw: bytes) -> Page:
            page = read(raw)
            if not all(self.allows(host) for host, _ in page.addresses):
                raise Refused(Drop.NOT_ALLOWED)
            return page

        return read_allowed

    def refuses(self, source: Address, now: float) -> Drop | None:
        """Charge a datagram to a source that is not validated; return why it is not read [P94]."""
        host = source[0]
        budget = self._sources.get(host)
        if budget is None:
            if not self.allows(host):
                return Drop.NOT_ALLOWED
            budget = self._new_source(host, now)
        budget.left -= 1.0
        if budget.left < 0.0 and not self._refill(budget, self._source_rate, now):
            return Drop.SOURCE_RATE
        return None

    def exceeds(self, budget: Budget, now: float) -> bool:
        """Return whether a validated source has spent its budget for the moment [P94]."""
        return not self._refill(budget, self._peer_rate, now)

    def charge(self, source: Address, work: int) -> None:
        """Charge a source for what its datagram took, beyond what any datagram may [P94]."""
        if work <= WORK:
            return
        budget = self.proved.get(source) or self._sources.get(source[0]) or self._others
        budget.left -= work / WORK - 1.0

    def prove(self, address: Address, now: float) -> None:
        """Note that what was sent to the address was received there [P97]."""
        if address in self.proved or not self.allows(address[0]):
            return
        if len(self.proved) >= self._most_proved:
            del self.proved[next(iter(self.proved))]
        self.proved[address] = Budget(_BURST * self._peer_rate, now)

    @staticmethod
    def _refill(budget: Budget, rate: float, now: float) -> bool:
        """Refill by the time passed, and charge. False: too little is left, nothing is charged."""
        left = min(_BURST * rate, budget.left + 1.0 + (now - budget.at) * rate) - 1.0
        budget.left = left if left >= 0.0 else left + 1.0
        budget.at = now
        return left >= 0.0

    def _new_source(self, host: str, now: float) -> Budget:
        if len(self._sources) >= _SOURCES:
            if now - self._swept_at < _SWEEP:
                return self._others
            self._sweep(now)
            if len(self._sources) >= _SOURCES:
                return self._others
        budget = self._sources[host] = Budget(_BURST * self._source_rate, now)
        return budget

    def _sweep(self, now: float) -> None:
        """Forget sources whose budget is full again."""
        self._swept_at = now
        rate = self._source_rate
        full = _BURST * rate
        self._sources = {
            host: budget
            for host, budget in self._sources.items()
            if budget.left + (now - budget.at) * rate < full
        }
