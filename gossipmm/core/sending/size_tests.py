"""Finds out whether a path carries large datagrams, by asking with a large and a small one at once.

A large question that is answered settles it. Where small ones are answered and large ones are not,
the path is small: what goes there is cut from then on. Where neither is, nothing is known. Before
that is told, and whenever it is tried again, questions as large as the parts are asked as well.
"""

from __future__ import annotations

from typing import Final

from gossipmm.addresses import format_address
from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.path_sizes import SmallPath
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Address, PathFault, Status
from gossipmm.mechanisms import Mechanism

__all__ = ("SizeTests",)

#: Small questions answered, and no large one, after which what goes there is cut; and how many more
#: until that is told, with and without losses seen elsewhere. With random loss of 25 % each way it
#: is wrong once in 80 tests, and told wrongly once in 100,000; at any loss once in 20 (e^-3) and
#: 3,000 (e^-8).
_ENOUGH: Final = 3
_SURE, _SURE_WITH_LOSS = 2, 5
#: Share of lost tries from which on the path counts as one with losses.
_LOSS: Final = 0.02
#: Small questions that are answered beyond that, and none as large as a part, until it is told that
#: parts do not arrive either.
_EVEN_LESS: Final = 3
#: Pairs asked, as a multiple of that, until a test ends without a result: nearly all is lost.
_PAIRS: Final = 4
#: Units of resends between two pairs: four round trips, if those are longer.
_APART: Final = 4
#: Exchanges in a row in which tables still differ, after something large was sent: one may have
#: been on its way with it.
_DOUBTS: Final = 2
#: Seconds that the peer's table may take to show what was sent to it.
_SHOWS_WITHIN: Final = 0.2
#: Seconds for which a path that carried a large datagram is not doubted: where something changes
#: all the time, tables differ for other reasons.
_CARRIED_FOR: Final = 10.0
#: Tests at once, tests that may begin at once, and seconds in which another one may: 120 B/s.
_AT_ONCE: Final = 4
_BURST: Final = 8.0
_EVERY: Final = 10.0
#: Seconds until a small path is tried again, at first and at most (RFC 8899, section 5.1.1), and
#: between two such tries of all paths.
_WAIT, _LONGEST_WAIT = 60.0, 600.0
_BETWEEN_TRIES: Final = 6.0


#: Sizes of questions.
_TINY, _PART, _LARGE = range(3)


class _Test:
    """One path that is being tested."""

    __slots__ = ("address", "answers", "asks", "enough", "member", "names", "pairs", "timer")

    def __init__(
        self, member: Member, address: Address, enough: int, asks: tuple[int, ...]
    ) -> None:
        self.member = member
        self.address = address
        #: Sizes that it asks at once, the largest first; how often it did, and answers to each.
        self.asks = asks
        self.pairs = 0
        self.answers = [0, 0, 0]
        #: Answers to small questions that are enough.
        self.enough = enough
        #: What names its questions: probe id -> size.
        self.names: dict[int, int] = {}
        self.timer: Token | None = None

    @property
    def ended(self) -> bool:
        """True when it is known that nothing large arrives, and whether parts do."""
        more = _EVEN_LESS if _PART in self.asks and not self.answers[_PART] else 0
        return self.answers[_TINY] >= self.enough + more


class SizeTests:
    """The tests that are under way, and what follows from them [P127]."""

    def __init__(self, local: LocalState, outbox: Outbox, admission: Admission) -> None:
        self._local = local
        self._outbox = outbox
        self._paths = outbox.paths
        self._sizes = outbox.paths.sizes
        self._admission = admission
        self._tests: dict[Address, _Test] = {}
        #: What names an open question -> its test.
        self.open: dict[int, _Test] = {}
        self._budget = _BURST
        self._filled_at = local.now
        self._next_try = local.now
        self._discovers = (
            self._sizes.size < local.config.max_datagram
            and Mechanism.PATH_SIZES not in local.without
        )

    # -- doubts --------------------------------------------------------------------------------

    def compared(self, peer: Member) -> None:
        """Doubt a path if tables still differ after something large went there [P127].

        While another path is known to be small, any that is used.
        """
        sent = self._sizes.sent
        if not sent or not peer.complete:
            return
        for address in dict.fromkeys((self._paths.to(peer), peer.source)):
            if address is None or (waiting := sent.get(address)) is None:
                continue
            if peer.differs_since is None:
                del sent[address]
                if self._sizes.small and not self._sizes.carried_within(address, _LONGEST_WAIT):
                    self.doubt(peer, address)  # others may have told it what was lost
            elif self._local.now - waiting.at >= _SHOWS_WITHIN:
                waiting.doubts += 1
                if waiting.doubts >= _DOUBTS:
                    self.doubt(peer, address)

    def doubt(self, member: Member, address: Address) -> None:
        """Test the path to an address: something large that went there does not seem to arrive."""
        sizes = self._sizes
        if (
            address in sizes.small
            or address in self._tests
            or len(self._tests) >= _AT_ONCE
            or sizes.carried_within(address, _CARRIED_FOR)
            or not self._may_ask(member, address)
            or not self._has_budget()
        ):
            return
        self._begin(member, address, 1 if sizes.most_are_small else _ENOUGH, (_LARGE, _TINY))

    def _may_ask(self, member: Member, address: Address) -> bool:
        """Return whether something large may go there: nowhere that has not proved itself."""
        return (
            self._discovers and member.status is Status.ALIVE and address in self._admission.proved
        )

    def _has_budget(self) -> bool:
        now = self._local.now
        gained = (now - self._filled_at) / _EVERY
        self._budget, self._filled_at = min(_BURST, self._budget + gained), now
        if self._budget < 1.0:
            return False
        self._budget -= 1.0
        return True

    # -- asking --------------------------------------------------------------------------------

    def _begin(
        self,
        member: Member,
        address: Address,
        enough: int,
        asks: tuple[int, ...] = (_LARGE, _PART, _TINY),
    ) -> None:
        self._local.stats.size_tests += 1
        test = self._tests[address] = _Test(member, address, enough, asks)
        self._step(test)

    def _step(self, test: _Test) -> None:
        """Ask the next pair, or end the test."""
        local = self._local
        test.timer = None
        if test.ended:
            self._end(test)
            self._does_not_carry(test)
            return
        if (
            test.member.status is not Status.ALIVE
            or test.pairs >= _PAIRS * test.enough + _EVEN_LESS
        ):
            self._end(test)
            self._try_later(test.address)
            return
        test.pairs += 1
        for size in test.asks:
            name = local.probe_id()
            test.names[name] = size
            self.open[name] = test
            most = (0, self._sizes.size, local.config.max_datagram)[size]
            self._outbox.ask_size(test.member, test.address, name, most)
        apart = max(_APART * local.config.resend_base, 4 * local.stats.rtt)
        test.timer = local.timers.at(local.now + apart, self._step, test)

    def _end(self, test: _Test) -> None:
        cancel(test.timer)
        test.timer = None
        for name in test.names:
            self.open.pop(name, None)
        if self._tests.get(test.address) is test:
            del self._tests[test.address]

    def answered(self, identity: int) -> bool:
        """Return True when an ACK answers a question of a test."""
        test = self.open.pop(identity, None)
        if test is None:
            return False
        size = test.names[identity]
        test.answers[size] += 1
        if size == _LARGE:
            self._end(test)
            self._carries(test.member, test.address)
        return True

    # -- what follows --------------------------------------------------------------------------

    def refused(self, member: Member | None, address: Address, size: int) -> None:
        """Take note that the system refused so large a datagram: its own link carries less."""
        sizes = self._sizes
        if size <= sizes.size or not self._discovers:
            return
        test = self._tests.get(address)
        if test is not None:
            self._end(test)
        small = sizes.small.get(address)
        if small is None:
            name = member.name if member is not None else ""
            small = SmallPath(name, _WAIT, sizes.size)
            sizes.is_small(address, small)
            self._try_later(address)
        if member is not None and not small.told:
            self._tell(member, address, small)

    def _does_not_carry(self, test: _Test) -> None:
        """Cut what goes there from now on; say so once a further round had the same result."""
        sizes, member, address = self._sizes, test.member, test.address
        small = sizes.small.get(address)
        if small is None:
            sizes.is_small(address, SmallPath(member.name, _WAIT, sizes.size))
            self._begin(member, address, self._sure)
            return
        before, small.carries = small.carries, sizes.size if test.answers[_PART] else 0
        if not small.told or small.carries != before:
            self._tell(member, address, small)
        else:
            small.wait = min(2 * small.wait, _LONGEST_WAIT)
        self._try_later(address)

    @property
    def _sure(self) -> int:
        if self._sizes.most_are_small:
            return 1
        return _SURE if self._local.stats.loss < _LOSS else _SURE_WITH_LOSS

    def _tell(self, member: Member, address: Address, small: SmallPath) -> None:
        small.told = True
        small.name = member.name
        self._say(member, address, small)

    def _carries(self, member: Member, address: Address) -> None:
        small = self._sizes.small.pop(address, None)
        self._sizes.carried(address)
        if small is not None and small.told:
            self._say(member, address, None)

    def _try_later(self, address: Address) -> None:
        small = self._sizes.small.get(address)
        if small is not None:
            wait = small.wait * (0.9 + 0.2 * self._local.rng.random())
            self._local.timers.at(self._local.now + wait, self._try_again, (address, small))

    def _try_again(self, what: tuple[Address, SmallPath]) -> None:
        """Ask once whether the path carries something large now: a wrong no keeps it as it is."""
        address, small = what
        local, sizes = self._local, self._sizes
        if sizes.small.get(address) is not small or address in self._tests:
            return
        member = local.table.by_name.get(small.name)
        if member is None or (address not in member.addresses and address != member.source):
            del sizes.small[address]  # whoever was known there is gone
        elif local.now < self._next_try:
            local.timers.at(self._next_try, self._try_again, what)
        elif self._may_ask(member, address):
            self._next_try = local.now + _BETWEEN_TRIES
            self._begin(member, address, 1 if small.told else self._sure)
        else:
            self._try_later(address)

    def _say(self, member: Member, address: Address, small: SmallPath | None) -> None:
        local, name = self._local, self._local.own.name
        now, most, at = local.now, local.config.max_datagram, format_address(address)
        if small is not None:
            carries, loses = small.carries, self._sizes.lost_by(small)
            kind = EvidenceKind.SMALL_PATH
            member.note(now, kind, name, address=at, carries=carries, loses=loses)
        else:
            carries, loses = most, 0
            member.note(now, EvidenceKind.LARGE_PATH, name, address=at, carries=carries)
        what = (PathFault.SIZE, small is not None, (address,), carries, loses)
        local.events.append(events.PathTrouble(now, member.name, *what))
