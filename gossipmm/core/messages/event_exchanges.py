"""Anti-entropy of user events: members tell what they hold of late ones, and fetch what they lack.

While nothing was sent for a minute there is nothing to tell, and not a byte is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from typing import Any, Final

from gossipmm.core.messages.event_memory import KEPT_FOR, EventMemory, EventSender, Holder
from gossipmm.core.messages.event_pushes import packed
from gossipmm.core.messages.event_requests import (
    MOST_WANTED,
    EventRequests,
    fitting,
    question,
    runs_in,
)
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.packing import BURST
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.option_checks import LAST_EVENT_NUMBER
from gossipmm.mechanisms import Mechanism

__all__ = ("EventExchanges",)

#: Between two exchanges while an event is younger than ``_YOUNG``: so many ``second_push``.
_SOON: Final = 12.0
_YOUNG: Final = 2.0
#: To so many members while it is younger than that.
_TWO: Final = 1.0
#: Afterwards its age / 4, and so many seconds at most.
_OLDER: Final = 4.0
_LONGEST: Final = 5.0
#: For so many seconds after members came or went, as when a split heals, it is as if young.
_CHANGED: Final = 3.0
#: Every so many seconds all senders that something is held of are named, else those of late.
_ALL: Final = 5.0
#: Senders in one exchange, those that sent last.
_ROWS: Final = 24
#: Of these, the ones that sent last where there are more; the rest are any of the others.
_NEWEST: Final = 12
#: Datagrams of events that the answer to one exchange has.
_OFFERED: Final = 3
_OFFERS: Final = 23 * _OFFERED
#: Numbers for each event that is remembered, above which the events are sorted instead.
_SPARSE: Final = 4
#: Exchanges whose answers prove an address: those of the last seconds.
_NAMES: Final = 64


class EventExchanges:
    """Tells what is held, and answers those who hold something else."""

    def __init__(self, local: LocalState, outbox: Outbox, memory: EventMemory) -> None:
        self._local = local
        self._outbox = outbox
        self._memory = memory
        self._requests = EventRequests(local, outbox, memory)
        self._began = local.now
        self._timer: Token | None = None
        self._peers_version = 0
        self._changed_at = -inf
        self._all_at = -inf
        #: What names the last exchanges, and the address to which each went.
        self._names: dict[int, Address] = {}

    # -- telling -----------------------------------------------------------------------------

    def wake(self) -> None:
        """Begin to tell: there is a new event [P168]."""
        local = self._local
        if Mechanism.EVENT_EXCHANGES in local.without:
            return
        due = local.now + self._period(0.0)
        if self._timer is None or self._timer.when > due:
            cancel(self._timer)
            self._timer = local.timers.at(due, self._tick)

    def _period(self, age: float) -> float:
        """Return how long to wait for the next exchange, by the age of the newest event."""
        soon = _SOON * self._local.config.second_push
        if age >= _YOUNG and self._local.now - self._changed_at >= _CHANGED:
            soon = max(soon, min(age / _OLDER, _LONGEST))
        return soon * (0.8 + 0.4 * self._local.rng.random())

    def _tick(self, _: None) -> None:
        self._timer = None
        local, memory = self._local, self._memory
        memory.sweep(local.now)
        memory.keep_only(local.table.by_key)
        if local.own.leaving:
            return
        if local.table.peers_version != self._peers_version:
            self._peers_version = local.table.peers_version
            self._changed_at = local.now
        newest = max([one.newest for one in memory.senders.values()], default=-inf)
        if local.now - newest > KEPT_FOR:
            return
        period = self._period(local.now - newest)
        # Whoever lacks a young event is named its sender by all others; what is old is compared as
        # a whole, and rarely: so members that are new are told.
        old = local.now - self._all_at >= _ALL or local.now - self._changed_at < period
        if old:
            self._all_at = local.now
        rows = self._rows(KEPT_FOR if old else _YOUNG)
        said = {wire.OPT_HELD: [old and len(rows) < _ROWS, rows]}
        count = 0 if not rows else 2 if local.now - newest < _TWO else 1
        for peer in local.peers.sample(count, set()):
            address = self._outbox.paths.to(peer)
            probe = self._named(address)
            self._outbox.send(wire.NEWS, peer, address=address, probe=probe, options=said)
        self._timer = local.timers.at(local.now + period, self._tick)

    def _named(self, address: Address) -> int:
        """Return what names an exchange: who brings it back from an address receives there."""
        if len(self._names) >= _NAMES:
            del self._names[next(iter(self._names))]
        name = self._local.probe_id()
        self._names[name] = address
        return name

    def proves(self, inbound: Inbound) -> bool:
        """Return whether this answers an exchange that was sent to its address [P97]."""
        return self._names.get(inbound.frame.probe) == inbound.source

    def _rows(self, age: float) -> list[list[Any]]:
        """Return what is held of senders that sent within so many seconds, those of late first."""
        since = self._local.now - age
        lately = [one for one in self._memory.senders.values() if one.next and one.newest >= since]
        lately.sort(key=lambda one: -one.newest)
        if len(lately) > _ROWS:
            others = self._local.rng.sample(lately[_NEWEST:], _ROWS - _NEWEST)
            lately = lately[:_NEWEST] + others
        return [self._row(sender) for sender in lately]

    def _row(self, sender: EventSender) -> list[Any]:
        age = max(0, int(1000 * (self._local.now - sender.newest)))
        return [sender.key, sender.first_held(), sender.next, age, sender.bits()]

    # -- hearing -----------------------------------------------------------------------------

    def hear_held(self, inbound: Inbound, sender: Member, *, proved: bool) -> list[int]:
        """Compare with what a member holds; return record keys that are not known here [P168].

        Not ``proved``: what it lacks is sent once its address is, and what is lacking here asked.
        """
        if Mechanism.EVENT_EXCHANGES in self._local.without:
            return []
        complete, told = inbound.frame.options[wire.OPT_HELD][:2]
        holder = Holder(sender.key, inbound.source, inbound.frame.probe)
        offers: list[bytes] = []
        wants: list[list[int]] = []
        unknown: list[int] = []
        left, runs = MOST_WANTED, self._requests.runs()
        # What is said twice of one sender is looked at once.
        for key, row in {row[0]: row for row in told[:_ROWS]}.items():
            if key not in self._local.table.by_key:
                unknown.append(key)
                continue
            mine = self._memory.of(key, self._local.table.by_key[key].name, self._local.now)
            missing: list[int] = []
            if self._is_wanted(mine, row):
                most = min(left, self._requests.room(mine, inbound.source))
                missing = fitting(self._missing(mine, row, most), runs)
                self._requests.add(mine, missing, holder)
            self._local.stats.work += 4 + len(missing) // 8
            left -= len(missing)
            if missing:
                wants.append(question(key, missing))
                runs -= runs_in(wants[-1])
            if proved and len(offers) < _OFFERS:
                offers += self._offers(mine, row)
        if wants:
            self._answer(inbound, sender, {wire.OPT_MISSED: wants})
        for options in packed(offers, self._outbox.room)[:_OFFERED]:
            self._answer(inbound, sender, options)
        named = {row[0] for row in told}
        # Of senders that it does not name it may be new: it decides what it still wants.
        rest = [row for row in self._rows(KEPT_FOR) if row[0] not in named] if complete else []
        if rest and proved:
            self._answer(inbound, sender, {wire.OPT_HELD: [False, rest]})
        return unknown

    def _answer(self, inbound: Inbound, sender: Member, options: dict[int, Any] | bytes) -> None:
        """Answer where it came from, and bring back what names it."""
        source, probe = inbound.source, inbound.frame.probe
        self._outbox.send(wire.NEWS, sender, address=source, probe=probe, options=options)

    def _is_wanted(self, mine: EventSender, row: list[Any]) -> bool:
        """Return whether something of a row may be told here [P169].

        Of a sender that was not heard of, nothing is that was sent before this node began.
        """
        local = self._local
        newest = local.now - row[3] / 1000
        if local.now < mine.not_before:
            return False
        return bool(mine.next) or local.config.replay_events or newest >= self._began

    def _missing(self, mine: EventSender, row: list[Any], most: int) -> list[int]:
        """Return numbers that the other one holds and this one does not, the lowest first."""
        now, again = self._local.now, self._requests.since()
        lowest, behind, bits = row[1], row[2], int.from_bytes(row[4], "little")
        found: list[int] = []
        first = max(lowest, mine.next or behind - self._memory.may_count(now - self._began))
        number = first
        while number < behind and len(found) < most:
            if mine.lacks(number, again):
                found.append(number)
            number += 1
        # Numbers that are here, or were asked for of late, are passed over one by one.
        self._local.stats.work += max(0, number - first) // 16
        number = behind
        while bits and len(found) < most and number <= LAST_EVENT_NUMBER:
            if bits & 1 and mine.lacks(number, again):
                found.append(number)
            bits >>= 1
            number += 1
        return found

    def _offers(self, mine: EventSender, row: list[Any]) -> Iterator[bytes]:
        """Yield events that this one holds and the other one does not, the lowest first."""
        behind, bits = row[2], int.from_bytes(row[4], "little")
        if mine.top < behind:
            return
        first = max(behind, mine.first_held())
        numbers: Iterable[int] = range(first, mine.top + 1)
        if mine.top - first >= _SPARSE * len(mine.held):
            # A sender that skips numbers has nobody count through them.
            numbers = sorted(number for number in mine.held if number >= first)
            self._local.stats.work += len(mine.held) // 16
        count = 0
        for number in numbers:
            stored = mine.held.get(number)
            if stored is None or bits >> (number - behind) & 1:
                continue
            yield stored.encoded(mine.key, self._local.now)
            count += 1
            if count >= _OFFERS:
                return

    def hear_missed(self, inbound: Inbound, sender: Member) -> None:
        """Send the events that a member asks for, as far as they are remembered [P168]."""
        local = self._local
        found: list[bytes] = []
        left = MOST_WANTED
        for item in inbound.frame.options[wire.OPT_MISSED]:
            mine = self._memory.senders.get(item[0])
            if mine is None:
                continue
            for first, count in zip(item[1::2], item[2::2], strict=False):
                for number in range(first, first + min(count, left)):
                    left -= 1
                    stored = mine.held.get(number)
                    if stored is not None:
                        found.append(stored.encoded(mine.key, local.now))
        local.stats.work += 2 * (MOST_WANTED - left)
        for options in packed(found, self._outbox.room)[:BURST]:
            self._answer(inbound, sender, options)
