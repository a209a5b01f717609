"""The user events that a node remembers, by sender, and how far each sender was told here."""

from __future__ import annotations

from collections.abc import Container
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final, NamedTuple

import cbor2

from gossipmm.core.messages.event_budget import BURST, RATE, EventBudget
from gossipmm.core.values.types import Address, NodeId
from gossipmm.core.values.user_events import EventText
from gossipmm.core.wire.option_checks import MAX_BITS

__all__ = ("KEPT_FOR", "EventMemory", "EventSender", "Stored")

#: Seconds for which an event is remembered, from when it was sent: what was sent on one side of a
#: split, or before a node joined, reaches the others as long as that.
KEPT_FOR: Final = 60.0
#: Bytes of memory for all events, and what one takes beside its text. The member that takes most
#: of it loses its oldest first.
MOST_BYTES: Final = 8_388_608
#: So much is given back at once: to look for the largest of 10,000 senders takes 2 ms.
_ROOM: Final = MOST_BYTES // 64
_OF_ONE: Final = 500
#: What receivers allow a sender beyond what its own door does: what was delayed comes at once.
_TIMES: Final = 4.0
_OFTEN: Final = 2.0


class Stored:
    """One event that is remembered."""

    __slots__ = ("born", "copies", "item", "number", "raw", "signature", "size", "teller", "text")

    def __init__(
        self, number: int, raw: bytes, text: EventText, signature: bytes, born: float
    ) -> None:
        self.number = number
        self.raw = raw
        self.text = text
        self.signature = signature
        #: When it was sent, in core time of this node.
        self.born = born
        #: How often it came, and from which member it came first; 0: it is this node's own.
        self.copies = 0
        self.teller = 0
        #: Bytes that it takes in a datagram, at most.
        self.size = len(raw) + len(signature) + 26

    def encoded(self, key: int, now: float) -> bytes:
        """Return the item of a datagram that tells it."""
        age = max(0, int(1000 * (now - self.born)))
        return cbor2.dumps([key, self.number, age, self.raw, self.signature])


class Asked(NamedTuple):
    """When somebody was asked for an event last, and how often others were, after the first."""

    at: float
    again: int
    #: Where the one is that named it first.
    named_by: Address


class Holder(NamedTuple):
    """A member that said which events it holds: its record key and address, and what names that."""

    key: int
    address: Address
    probe: int


class EventSender:
    """What is known of the events of one life of a member."""

    __slots__ = (
        *("asked", "budget", "forgotten", "held", "holders", "key", "lowest", "name", "newest"),
        *("next", "not_before", "refused_at", "size", "skips", "top", "waits_since"),
    )

    def __init__(self, key: int, name: NodeId, now: float) -> None:
        self.key = key
        self.name = name
        #: The number that is told next here; 0: none of its events was seen yet.
        self.next = 0
        #: Events remembered, by number, those that wait for an earlier one among them.
        self.held: dict[int, Stored] = {}
        self.lowest = 1
        self.top = 0
        self.size = 0
        #: When its newest event was sent, as far as is known here.
        self.newest = -inf
        #: Since when an event waits for an earlier one; None: none does.
        self.waits_since: float | None = None
        #: True: what is missing before its first event seen here may be older than this node.
        self.skips = False
        #: What was asked for, by number, and did not come yet.
        self.asked: dict[int, Asked] = {}
        #: Those that said of late that they hold what was asked for.
        self.holders: list[Holder] = []
        self.budget = EventBudget(now, times=_TIMES, often=_OFTEN)
        self.refused_at = -inf
        #: Nobody is asked for its events before, because it sent more than it may.
        self.not_before = -inf

    def has(self, number: int) -> bool:
        """Return whether an event is known: told, waiting, or given up."""
        return number < self.next or number in self.held

    def lacks(self, number: int, since: float) -> bool:
        """Return whether an event is not known, and was not asked for since then."""
        asked = self.asked.get(number)
        return not self.has(number) and (asked is None or asked.at < since)

    def first_held(self) -> int:
        """Return the lowest number that is remembered; the next one if none is."""
        if not self.held:
            return max(1, self.next)
        if self.lowest not in self.held:
            self.lowest = self.lowest + 1 if self.lowest + 1 in self.held else min(self.held)
        return self.lowest

    def bits(self) -> bytes:
        """Return which numbers from the next one on are here, one bit each, the lowest first."""
        if self.top < self.next:
            return b""
        found = 0
        for number in range(self.next, min(self.top, self.next + 8 * MAX_BITS - 1) + 1):
            if number in self.held:
                found |= 1 << number - self.next
        return found.to_bytes((found.bit_length() + 7) // 8, "little")


class EventMemory:
    """All senders whose events were seen."""

    def __init__(self) -> None:
        self.senders: dict[int, EventSender] = {}
        self.bytes = 0
        #: Numbers that were asked for and did not come: all, and by where they were named first.
        self.asked = 0
        self.asked_by: dict[Address, int] = {}
        self._swept_at = -inf

    @staticmethod
    def may_count(seconds: float) -> int:
        """Return how many events a sender can have sent within so many seconds [P169]."""
        return int(BURST + RATE * seconds) + 1

    def of(self, key: int, name: NodeId, now: float) -> EventSender:
        """Return what is known of a life that is in the table; begins with nothing."""
        sender = self.senders.get(key)
        if sender is None:
            sender = self.senders[key] = EventSender(key, name, now)
        return sender

    def keep_only(self, keys: Container[int]) -> None:
        """Forget lives that are in the table no more."""
        for key in [key for key in self.senders if key not in keys]:
            gone = self.senders.pop(key)
            self.bytes -= gone.size
            for number in list(gone.asked):
                self.forget_asked(gone, number)

    def put(self, sender: EventSender, stored: Stored) -> int:
        """Remember an event; return how many others were forgotten to make room."""
        sender.held[stored.number] = stored
        sender.top = max(sender.top, stored.number)
        if len(sender.held) == 1 or stored.number < sender.lowest:
            sender.lowest = stored.number
        sender.newest = max(sender.newest, stored.born)
        self.forget_asked(sender, stored.number)
        sender.size += stored.size + _OF_ONE
        self.bytes += stored.size + _OF_ONE
        return self._make_room() if self.bytes > MOST_BYTES else 0

    def _make_room(self) -> int:
        """Have those that take most lose their oldest; return how many events were forgotten."""
        forgotten = 0
        sizes = [(-one.size, key) for key, one in self.senders.items() if one.held]
        heapify(sizes)
        oldest: dict[int, list[int]] = {}
        while self.bytes > MOST_BYTES - _ROOM:
            key = heappop(sizes)[1]
            largest = self.senders[key]
            if key not in oldest:
                oldest[key] = sorted(largest.held, reverse=True)
            self.drop(largest, oldest[key].pop())
            forgotten += 1
            if largest.held:
                heappush(sizes, (-largest.size, key))
        return forgotten

    def ask(self, sender: EventSender, number: int, asked: Asked) -> None:
        """Remember that an event is asked for, and whose word that rests on."""
        known = sender.asked.get(number)
        if known is None:
            self.asked += 1
            self.asked_by[asked.named_by] = self.asked_by.get(asked.named_by, 0) + 1
        else:
            asked = asked._replace(named_by=known.named_by)
        sender.asked[number] = asked

    def forget_asked(self, sender: EventSender, number: int) -> None:
        """Forget that an event was asked for, if it was."""
        asked = sender.asked.pop(number, None)
        if asked is None:
            return
        self.asked -= 1
        left = self.asked_by[asked.named_by] - 1
        if left:
            self.asked_by[asked.named_by] = left
        else:
            del self.asked_by[asked.named_by]

    def drop(self, sender: EventSender, number: int) -> None:
        """Forget an event; its number stays known."""
        stored = sender.held.pop(number)
        sender.size -= stored.size + _OF_ONE
        self.bytes -= stored.size + _OF_ONE

    def sweep(self, now: float) -> None:
        """Forget what is too old, at most once a second."""
        if now - self._swept_at < 1.0:
            return
        self._swept_at = now
        for sender in self.senders.values():
            for number in [one for one in sender.held if now - sender.held[one].born > KEPT_FOR]:
                if number < sender.next:
                    self.drop(sender, number)
