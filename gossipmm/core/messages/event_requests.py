"""Which user events were asked for, and others that are asked for those that did not come."""

from __future__ import annotations

from math import inf
from typing import Any, Final

from gossipmm.core.messages.event_memory import EventMemory, EventSender, Holder
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.timers import Token
from gossipmm.core.wire import frame as wire

__all__ = ("MOST_WANTED", "EventRequests", "ranges")

#: Numbers asked for at once.
MOST_WANTED: Final = 256
#: Nobody else is asked for a number within so many ``second_push``.
_ASKED: Final = 3.0
_ASKED_MOST: Final = 1024
#: After so many ``second_push`` another one is asked for what did not come, so many times at most.
_AGAIN: Final = 4.0
_TIMES: Final = 8
#: So many that said of late that they hold it.
_HOLDERS: Final = 4


class EventRequests:
    """Remembers what was asked for, and asks again."""

    def __init__(self, local: LocalState, outbox: Outbox, memory: EventMemory) -> None:
        self._local = local
        self._outbox = outbox
        self._memory = memory
        #: Record keys of senders of whose events some were asked for.
        self._open: set[int] = set()
        self._timer: Token | None = None
        self._onward = False

    def since(self) -> float:
        """Return until when others may have been asked for what may be asked for now."""
        return self._local.now - _ASKED * self._local.config.second_push

    def have_room(self, mine: EventSender) -> bool:
        """Return whether more numbers of a sender may be asked for."""
        if len(mine.asked) > _ASKED_MOST:
            since = self.since()
            mine.asked = {number: at for number, at in mine.asked.items() if at >= since}
        return len(mine.asked) <= _ASKED_MOST

    def add(self, mine: EventSender, numbers: list[int], holder: Holder) -> None:
        """Remember what is being asked for and who holds it; look later whether it came [P168]."""
        if not numbers and not mine.asked:
            return
        mine.asked.update(dict.fromkeys(numbers, self._local.now))
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
        left = MOST_WANTED
        for key in sorted(self._open):
            mine = self._memory.senders.get(key)
            numbers = [] if mine is None else self._late(mine, left)
            if mine is None or not mine.asked:
                self._open.discard(key)
            if mine is None or not numbers:
                continue
            left -= len(numbers)
            mine.holders = mine.holders[1:] + mine.holders[:1]
            holder = mine.holders[0]
            holders[holder.probe] = holder
            wants.setdefault(holder.probe, []).append([key] + ranges(numbers))  # noqa: RUF005
            for number in numbers:
                mine.asked[number] = local.now
                mine.asked_again[number] = mine.asked_again.get(number, 0) + 1
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
            if mine.has(number) or mine.asked_again.get(number, 0) >= _TIMES:
                del mine.asked[number]
                mine.asked_again.pop(number, None)
            elif mine.asked.get(number, inf) <= since and len(found) < most:
                found.append(number)
        return found if self._local.now >= mine.not_before else []


def ranges(numbers: list[int]) -> list[int]:
    """Return ascending numbers as first, how many, first, how many, and so on."""
    found: list[int] = []
    for number in numbers:
        if found and number == found[-2] + found[-1]:
            found[-1] += 1
        else:
            found += [number, 1]
    return found
