"""User events: sent to all members once, and told here once, in the order of each sender.

A program hands over a name and up to 512 bytes; every member hears of it by pushes, and what
pushes missed by exchanges (``event_exchanges``). Nothing is in the table: an event is over when it
is told, and forgotten after a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final

from gossipmm.core.identity.trust import Trust
from gossipmm.core.messages.event_budget import BURST, BYTES_BURST, BYTES_RATE, RATE, EventBudget
from gossipmm.core.messages.event_exchanges import EventExchanges
from gossipmm.core.messages.event_memory import KEPT_FOR, EventMemory, EventSender, Stored
from gossipmm.core.messages.event_pushes import EventPushes
from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.replies import Replies
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.event_status import UserEventsStatus
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import MOST_AHEAD
from gossipmm.core.values.user_events import (
    EventText,
    UserEvent,
    UserEventsLost,
    UserEventsRefused,
    UserEventStats,
)
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.event_text import encode_event, event_untrusted
from gossipmm.core.wire.option_checks import LAST_EVENT_NUMBER
from gossipmm.core.wire.strict import Refused
from gossipmm.errors import UserEventError, UserEventRateError
from gossipmm.mechanisms import Mechanism
from gossipmm.names import MAX_EVENT, check_event

__all__ = ("UserEvents",)

#: Seconds for which an event waits for an earlier one, and that in exchanges of young events.
_GAP: Final = 3.0
_GAP_EXCHANGES: Final = 16
_EXCHANGE: Final = 12.0
#: An event that is older than this is not pushed, but left to the exchanges.
_PUSHED_FOR: Final = 2.0
#: A number more than this above the next one is refused.
_JUMP: Final = 65_536
#: Seconds for which nobody is asked for events of a sender that has spent its budget.
_REFILLED: Final = 1.0
#: Seconds between two events that tell that events of one sender are refused.
_SAID_AGAIN: Final = 60.0
#: Steps of work (2.5 us) to look at an event, and to take one.
_LOOKED: Final = 1
_TAKEN: Final = 24
#: Bytes that an event takes in a datagram beside its text and a signature, claims about the
#: receiver included.
_AROUND: Final = 26 + 24


class UserEvents:
    """The user events of one node: its own, and those of others."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        replies: Replies,
        admission: Admission,
        trust: Trust | None,
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._replies = replies
        self._admission = admission
        self._trust = trust
        self._looks = trust is not None and Mechanism.SIGNED_PAGES not in local.without
        self._memory = EventMemory()
        self._pushes = EventPushes(local, outbox)
        self._exchanges = EventExchanges(local, outbox, self._memory)
        self._door = EventBudget(local.now)
        #: False: this node sends as much as its programs want. Only hostile ones do.
        self.keeps_budget = True
        self._began = local.now
        self.stats = UserEventStats()

    # -- sending -----------------------------------------------------------------------------

    def send(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Send an event to all members, or those that ``topic`` and ``metadata`` choose [P166].

        Returns its number. Raises UserEventError, UserEventRateError: then nobody is told.
        """
        local = self._local
        raw_payload, chosen = check_event(name, payload, topic, metadata)
        if local.own.leaving:
            raise UserEventError("this node is leaving: it sends no more events")
        mine = self._memory.of(local.me.key, local.own.name, local.now)
        number = max(1, mine.next)
        if number > LAST_EVENT_NUMBER:
            raise UserEventError("this node has sent all events that one life can have: restart it")
        base = mine.first_held() if mine.held else number
        text = EventText(base, name, raw_payload, topic or "", chosen)
        raw = encode_event(text)
        self._check_size(raw)
        wait = self._door.wait(len(raw), local.now) if self.keeps_budget else 0.0
        if wait:
            self.stats.over_budget += 1
            raise UserEventRateError(
                f"this node sends more than {RATE:g} events or {BYTES_RATE:,.0f} bytes of them a "
                f"second ({BURST:g} and {BYTES_BURST:,.0f} at once): try again in {wait:.3f} s",
                retry_after=wait,
            )
        signature = b""
        if self._trust is not None:
            signed = self._trust.texts.of_event(mine.key, number, raw)
            signature = self._trust.identity.signer.sign(signed)
        self.stats.sent += 1
        self._take(mine, Stored(number, raw, text, signature, local.now))
        return number

    def status(self, now: float) -> UserEventsStatus:
        """Return what became of events here, and what this node may send now [P171]."""
        room, room_bytes = self._door.left(now)
        return UserEventsStatus(room=room, room_bytes=room_bytes, **self.stats.as_dict())

    def _check_size(self, raw: bytes) -> None:
        """Refuse what does not fit into a datagram."""
        signature = 64 if self._trust is not None else 0
        most = min(MAX_EVENT, self._outbox.room - wire.FRAME_SIZE - _AROUND - signature)
        if len(raw) > most:
            raise UserEventError(
                f"the event takes {len(raw)} bytes with its name and its filters, more than the "
                f"{most} allowed"
            )

    # -- hearing -----------------------------------------------------------------------------

    def hear(self, inbound: Inbound, teller: Member) -> None:
        """Take what a member tells of events, its own or others', and answer what it asks."""
        options = inbound.frame.options
        if wire.OPT_EVENTS in options:
            self._hear_events(inbound, teller, options[wire.OPT_EVENTS])
        if wire.OPT_MISSED in options or wire.OPT_HELD in options:
            self._hear_exchange(inbound, teller)

    def _hear_events(self, inbound: Inbound, teller: Member, items: list[list[Any]]) -> None:
        local = self._local
        for item in items:
            key, number, age = item[0], item[1], item[2] / 1000
            local.stats.work += _LOOKED
            member = local.table.by_key.get(key)
            if member is None:
                self._ask_who(inbound, key)
                continue
            mine = self._memory.of(key, member.name, local.now)
            if mine.has(number):
                self.stats.repeated += 1
                if (known := mine.held.get(number)) is not None:
                    known.copies += 1
            elif age <= KEPT_FOR:
                self._hear_new(mine, member, teller, item)

    def _hear_exchange(self, inbound: Inbound, teller: Member) -> None:
        """Compare with the events that a member holds; send those that it asks for [P168].

        At length only to an address that is proved, as far as its budget goes [P95].
        """
        local, admission, options = self._local, self._admission, inbound.frame.options
        if wire.OPT_MISSED in options and self._exchanges.proves(inbound):
            admission.prove(inbound.source, local.now)
            self._outbox.end_limit()
        budget = admission.proved.get(inbound.source)
        if budget is not None and not budget.may_be_answered(local.table.size, local.now):
            local.stats.drop(Drop.ANSWERS)
            return
        before = local.stats.sent_bytes
        if wire.OPT_HELD in options:
            proved = budget is not None
            for key in self._exchanges.hear_held(inbound, teller, proved=proved):
                self._ask_who(inbound, key)
        if wire.OPT_MISSED in options and budget is not None:
            self._exchanges.hear_missed(inbound, teller)
        if budget is not None:
            budget.said += local.stats.sent_bytes - before

    def _ask_who(self, inbound: Inbound, key: int) -> None:
        """Ask who a sender is, unless that life is over."""
        if self._local.table.minimum_of_key(key) is None:
            self._replies.ask(inbound.reply, key)

    def _hear_new(self, mine: EventSender, member: Member, teller: Member, item: list[Any]) -> None:
        local = self._local
        number, age, raw, signature = item[1], item[2] / 1000, item[3], item[4]
        local.stats.work += _TAKEN
        if (mine.next and number - mine.next > _JUMP) or number > self._most(member):
            self._refuse(mine, Drop.EVENT_JUMP)
            return
        fault = self._fault(member, number, raw, signature)
        if fault is not None:
            self._refuse(mine, fault)
            return
        if member is local.me:
            self._is_forged(mine, number)
            return
        try:
            text = event_untrusted(raw)
        except Refused as refused:
            self._refuse(mine, refused.reason)
            return
        if text.base > number:
            self._refuse(mine, Drop.BAD_EVENT)
            return
        if mine.budget.wait(len(raw), local.now):
            mine.not_before = local.now + _REFILLED
            self._refuse(mine, Drop.EVENT_RATE)
            return
        stored = Stored(number, raw, text, signature, local.now - age)
        stored.copies, stored.teller = 1, teller.key
        self._take(mine, stored)

    def _most(self, member: Member) -> float:
        """Return the highest number that a life can have come to, clocks a day apart [P195]."""
        local = self._local
        if not local.wall():
            return inf
        return self._memory.may_count(MOST_AHEAD + max(0.0, -local.ahead(member.generation)))

    def _fault(self, member: Member, number: int, raw: bytes, signature: bytes) -> Drop | None:
        """Return why an event is not by the key of its sender's name; None: it is [P170]."""
        trust = self._trust
        if not self._looks or trust is None:
            return None
        me = member is self._local.me
        key = trust.identity.signer.public if me else trust.key_of(member.name)
        if key is None:
            return Drop.NO_CERTIFICATE if trust.require else None
        if not signature:
            return Drop.UNSIGNED
        if trust.verify(key, trust.texts.of_event(member.key, number, raw), signature):
            return None
        return Drop.BAD_SIGNATURE

    def _is_forged(self, mine: EventSender, number: int) -> None:
        """Go on above a number that somebody used in this node's name [P170]."""
        self._refuse(mine, Drop.OWN_EVENT)
        mine.next = number + 1

    def _refuse(self, mine: EventSender, reason: Drop) -> None:
        """Count a refusal, and tell it once in a while."""
        local = self._local
        local.stats.drop(reason)
        self.stats.refused += 1
        if local.now - mine.refused_at >= _SAID_AGAIN:
            mine.refused_at = local.now
            local.events.append(UserEventsRefused(local.now, mine.name, reason))

    # -- telling here ------------------------------------------------------------------------

    def _take(self, mine: EventSender, stored: Stored) -> None:
        """Remember an event, tell it if its turn has come, and pass it on."""
        local = self._local
        if not mine.next:
            self._begin(mine, stored)
        elif stored.text.base > mine.next:
            # Its sender has forgotten what is missing, and so has everybody else.
            self._lose(mine, stored.text.base)
        self.stats.forgotten += self._memory.put(mine, stored)
        self._tell_ready(mine)
        if local.now - stored.born <= _PUSHED_FOR:
            self._pushes.add(mine, stored)
        self._exchanges.wake()

    def _begin(self, mine: EventSender, stored: Stored) -> None:
        """Find out with which number to begin, of a sender that was not heard of [P169]."""
        life = self._local.now - self._began
        mine.next = stored.text.base
        if not self._local.config.replay_events:
            mine.next = max(mine.next, stored.number - self._memory.may_count(life))
        mine.skips = life < KEPT_FOR

    def _tell_ready(self, mine: EventSender) -> None:
        """Tell what is next, as far as it is here; let the rest wait for what is missing."""
        local = self._local
        before = mine.next
        while (stored := mine.held.get(mine.next)) is not None:
            mine.next += 1
            mine.skips = False
            self._tell(mine, stored)
        if mine.top < mine.next:
            mine.waits_since = None
        elif mine.waits_since is None:
            mine.waits_since = local.now
            local.timers.at(local.now + self._patience(), self._has_waited, mine)
        elif mine.next > before:
            mine.waits_since = local.now

    def _patience(self) -> float:
        return max(_GAP, _GAP_EXCHANGES * _EXCHANGE * self._local.config.second_push)

    def _has_waited(self, mine: EventSender) -> None:
        """Give up what did not come in time, and tell what waited for it [P167]."""
        local = self._local
        if mine.waits_since is None or self._memory.senders.get(mine.key) is not mine:
            return
        due = mine.waits_since + self._patience()
        if due > local.now:
            local.timers.at(due, self._has_waited, mine)
            return
        mine.waits_since = None
        # None is left if what waited was forgotten to make room.
        waiting = [number for number in mine.held if number >= mine.next]
        self._lose(mine, min(waiting, default=mine.top + 1))
        self._tell_ready(mine)

    def _lose(self, mine: EventSender, up_to: int) -> None:
        """Go on with a number, and say what is missing before it."""
        local = self._local
        waiting = [number for number in mine.held if mine.next <= number < up_to]
        for number in sorted(waiting):
            self._say_lost(mine, mine.next, number)
            mine.next = number + 1
            self._tell(mine, mine.held[number])
        self._say_lost(mine, mine.next, up_to)
        mine.next = max(mine.next, up_to)
        mine.skips = False
        if mine.top < mine.next:
            mine.waits_since = None
        local.stats.work += _LOOKED

    def _say_lost(self, mine: EventSender, first: int, behind: int) -> None:
        if behind > first and not mine.skips:
            self.stats.lost += behind - first
            now = self._local.now
            self._local.events.append(UserEventsLost(now, mine.name, first, behind - first))

    def _tell(self, mine: EventSender, stored: Stored) -> None:
        """Tell an event to this node's watchers, if it is meant for them [P169, P171]."""
        local, text = self._local, stored.text
        replayed = stored.born < self._began
        if replayed and not local.config.replay_events:
            return
        if not self._is_meant(text):
            self.stats.filtered += 1
            return
        self.stats.delivered += 1
        age = max(0.0, local.now - stored.born)
        about = (mine.name, text.name, text.payload, text.topic, stored.number)
        local.events.append(UserEvent(local.now, *about, age, replayed))

    def _is_meant(self, text: EventText) -> bool:
        own = self._local.own
        if text.topic and all(text.topic != entry.topic for entry in own.registrations()):
            return False
        return all(own.metadata.get(key) == value for key, value in text.metadata.items())
