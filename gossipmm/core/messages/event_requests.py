"""Which user events were asked for, and others that are asked for those that did not come."""

from __future__ import annotations

from typing import Any, Final

from gossipmm.core.messages.event_memory import Asked, EventMemory, EventSender, Holder
from gossipmm.core.messages.event_pushes import space
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.timers import Token
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire

__all__ = ("MOST_WANTED", "EventRequests", "fitting", "question", "runs_in")

#: Numbers asked for at once.
MOST_WANTED: Final = 256
#: Nobody else is asked for a number within so many ``second_push``.
_ASKED: Final = 3.0
_ASKED_MOST: Final = 1024
#: Numbers of all senders that are asked for and did not come; as many of them as of one sender may
#: rest on the word of one address. All are looked through for each question: 1 ms.
_ASKED_OF_ALL: Final = 4 * _ASKED_MOST
#: After so many ``second_push`` another one is asked for what did not come, so many times at most.
_AGAIN: Final = 4.0
_TIMES: Final = 8
#: So many that said of late that they hold it.
_HOLDERS: Final = 4
#: Bytes that a run of numbers takes in a question, at most, and the runs as long as a sender's key.
_RUN: Final = 8
_KEY: Final = 2


class EventRequests:
    """Remembers what was asked for, and asks again."""

    def __init__(self, local: LocalState, outbox: Outbox, memory: EventMemory) -> None:
        self._local = local
        self._outbox = outbox
        self._memory = memory
        #: Record keys of senders of whose events some were asked for.
        self._open: set[int] = set()
        self._timer: Token | None = None
        #: The sender of whose events some were asked for again last.
        self._last = 0

    def since(self) -> float:
        """Return until when others may have been asked for what may be asked for now."""
        return self._local.now - _ASKED * self._local.config.second_push

    def runs(self) -> int:
        """Return how many runs of numbers fit into one question, keys of senders among them."""
        return space(self._outbox.room) // _RUN

    def room(self, mine: EventSender, where: Address) -> int:
        """Return how many numbers of a sender that an address names may be asked for [P195]."""
        memory = self._memory
        if len(mine.asked) > _ASKED_MOST:
            since = self.since()
            for number in [number for number, one in mine.asked.items() if one.at < since]:
                memory.forget_asked(mine, number)
        if len(mine.asked) > _ASKED_MOST:
            return 0
        left = _ASKED_MOST - memory.asked_by.get(where, 0)
        return max(0, min(left, _ASKED_OF_ALL - memory.asked))

    def add(self, mine: EventSender, numbers: list[int], holder: Holder) -> None:
        """Remember what is being asked for and who holds it; look later whether it came [P168]."""
        if not numbers and not mine.asked:
            return
        for number in numbers:
            asked = mine.asked.get(number)
            again = 0 if asked is None else asked.again
            self._memory.ask(mine, number, Asked(self._local.now, again, holder.address))
        mine.holders = [*mine.holders[1 - _HOLDERS :], holder]
        self._open.add(mine.key)
        self._wake()

    def _wake(self) -> None:
        local = self._local
        if self._timer is None:
            due = local.now + _AGAIN * local.config.second_push
            self._timer = local.timers.at(due, self._ask_again)

    def _ask_again(self, _: None) -> None:
        """Ask those that said of late that they hold it, in turn: each has named its exchange.

        What names it proves this node's address there, so the question is answered at once.
        """
        self._timer = None
        local = self._local
        wants: dict[int, list[list[int]]] = {}
        holders: dict[int, Holder] = {}
        left, runs = MOST_WANTED, self.runs()
        # Behind the last one that had room, so that no sender's many numbers keep others' away.
        for key in sorted(self._open, key=lambda one: (one <= self._last, one)):
            mine = self._memory.senders.get(key)
            numbers = [] if mine is None else fitting(self._late(mine, left), runs)
            if mine is None or not mine.asked:
                self._open.discard(key)
            if mine is None or not numbers:
                continue
            left -= len(numbers)
            mine.holders = mine.holders[1:] + mine.holders[:1]
            holder = mine.holders[0]
            holders[holder.probe] = holder
            row = question(key, numbers)
            runs -= runs_in(row)
            self._last = key
            wants.setdefault(holder.probe, []).append(row)
            for number in numbers:
                asked = mine.asked[number]
                self._memory.ask(mine, number, asked._replace(at=local.now, again=asked.again + 1))
        if self._open:
            self._wake()
        if not local.own.leaving:
            for probe, holder in holders.items():
                self._ask(holder, {wire.OPT_MISSED: wants[probe]})

    def _ask(self, holder: Holder, options: dict[int, Any]) -> None:
        """Bring back what names an exchange."""
        member = self._local.table.by_key.get(holder.key)
        if member is not None:
            address, probe = holder.address, holder.probe
            self._outbox.send(wire.NEWS, member, address=address, probe=probe, options=options)

    def _late(self, mine: EventSender, most: int) -> list[int]:
        """Return what was asked for and did not come; forget what was asked for often enough."""
        since = self.since()
        found: list[int] = []
        self._local.stats.work += 1 + len(mine.asked) // 8
        for number in sorted(mine.asked):
            asked = mine.asked[number]
            if mine.has(number) or asked.again >= _TIMES:
                self._memory.forget_asked(mine, number)
            elif asked.at <= since and len(found) < most:
                found.append(number)
        return found if self._local.now >= mine.not_before else []


def question(key: int, numbers: list[int]) -> list[int]:
    """Return a sender's key, then ascending numbers as first, how many, first, how many, ..."""
    found = [key]
    for number in numbers:
        if len(found) > 1 and number == found[-2] + found[-1]:
            found[-1] += 1
        else:
            found += [number, 1]
    return found


def runs_in(row: list[int]) -> int:
    """Return for how many runs one sender's part of a question counts."""
    return _KEY + len(row) // 2


def fitting(numbers: list[int], runs: int) -> list[int]:
    """Return the first of one sender's ascending numbers that, with its key, take so many runs."""
    last, runs = -1, runs - _KEY
    for place, number in enumerate(numbers):
        if number != last + 1 or not place:
            runs -= 1
        if runs < 0:
            return numbers[:place]
        last = number
    return numbers
