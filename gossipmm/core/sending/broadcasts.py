"""The broadcast queue: changes to push, and how often each was pushed.

A change (of a page, a suspicion, a refutation, a death, a leave) goes at once to ``fanout`` live
peers and to as many more after ``second_push``; every receiver that finds it new does the same. The
queue has one slot per member, whose content is read when it is sent: a newer claim replaces the
older one, and the queue is bounded by the number of members. Afterwards claims are piggybacked for
a while, as rows of exchanges.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import log2
from typing import Final

from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.packing import (
    BURST,
    Packer,
    claim_row,
    claim_rows,
    digest_row,
    encoded_digest,
    encoded_pages,
    joined_up_to,
)
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_PAGE, MAX_PAGE_NUMBER, in_order
from gossipmm.mechanisms import Mechanism

#: Order of pushing: this node's refutation, deaths, suspicions, the rest [P76].
OWN_REFUTATION, DEATH, SUSPICION, OTHER = 0, 1, 2, 3

#: With an empty budget, pushes are this many times ``second_push`` apart. A thousand joins in ten
#: seconds then take a fifth of the datagrams; below a tenth of the budget nothing waits.
_GATHER: Final = 12

#: A node that has not joined pushes this many times ``second_push`` apart: when many start at once
#: all push what each says, and half of the datagrams of a start were such pushes.
_NEWCOMER: Final = 2

#: Bytes of one member's pages above which they are announced instead: the largest page, since
#: everybody pushes what is new eight times, and a row of a digest takes 70 [P135].
_PUSHED: Final = MAX_PAGE
#: An announcement is repeated after as many times ``second_push`` as the record has bursts, at
#: most so many: then others have it. Its owner sent 2,000 registrations eight times, not four.
_FETCHED: Final = 8
#: Bytes of announcements in one datagram: four rows, which nobody takes for another digest.
MOST_ANNOUNCED: Final = 4 * wire.DIGEST_ROW_SIZE

#: With so many changes in the queue what others told meanwhile is not pushed, and pushes of pages
#: are as far apart as at this load: what is saved is not to be spent on small datagrams [P137].
_MANY, _APART = 32, 0.5

#: Changes in a row without room after which a push looks at no more of them.
_MISSES: Final = 16

_PRIORITY: Final = {Status.DEAD: DEATH, Status.SUSPECT: SUSPICION}


class _Slot:
    """The change to push about one member [P74]."""

    __slots__ = (
        *("announced", "claim", "due", "heard", "number", "pages", "priority", "pushes"),
        *("since", "verdict", "waits"),
    )

    def __init__(self, now: float, number: int) -> None:
        self.claim = self.verdict = False
        self.announced = False  #: What changed is too large to be pushed.
        self.pages: set[int] = set()
        #: Those of the pages that others told meanwhile.
        self.heard: set[int] = set()
        self.pushes = 0
        self.due = now
        self.since = now
        #: Slots of the same age go in order of this.
        self.number = number
        #: Where it stands among those that are due; None while it is not due.
        self.priority: int | None = None
        self.waits = 0  #: Times ``second_push`` that its second push still waits.

    @property
    def is_known(self) -> bool:
        """True when others told all of it meanwhile; verdicts are pushed all the same."""
        return not self.verdict and not self.announced and self.pages <= self.heard


class BroadcastQueue:
    """The queue of pushes, its byte budget, and the rows piggybacked on exchanges [P72]."""

    def __init__(self, local: LocalState, outbox: Outbox) -> None:
        self._local = local
        self._outbox = outbox
        #: Member key -> what is to be told, in order of arrival.
        self._slots: dict[int, _Slot] = {}
        self._count = 0
        #: A heap of those that are due: (priority, since, number, key, slot). One that has moved to
        #: the front, or is gone, is skipped when it comes to the top.
        self._due: list[tuple[int, float, int, int, _Slot]] = []
        #: Those that wait for their second push, or for room: (when, key, slot), in order of time.
        self._later: deque[tuple[float, int, _Slot]] = deque()
        self._timer: Token | None = None
        self._budget = local.config.broadcast_burst
        self._filled_at = local.now
        self._told: set[int] = set()
        #: The next push goes to the predecessor on the ring; else to the successor.
        self._onward = False
        #: No push before this time: under load changes wait a little, to travel together.
        self._not_before = local.now
        #: Member key -> exchanges on which its claim will still be piggybacked.
        self._piggybacked: dict[int, int] = {}

    @property
    def waiting(self) -> int:
        """Return the number of members with changes that wait to be pushed."""
        return len(self._slots)

    # -- putting in ------------------------------------------------------------------------

    def claim(self, member: Member) -> None:
        """Push the changed verdict on a member at once."""
        slot = self._slot(member)
        slot.claim = slot.verdict = True
        self._wait(member, slot)
        self.piggyback(member)

    def page(self, member: Member, number: int) -> None:
        """Push a page that is new here at once, with the member's heartbeat."""
        slot = self._slot(member)
        slot.claim = True
        slot.pages.add(number)
        slot.heard.discard(number)
        self._wait(member, slot)

    def heard(self, member: Member, number: int) -> None:
        """Note that somebody else told a page that waits here [P137]."""
        slot = self._slots.get(member.key)
        if slot is not None and number in slot.pages:
            slot.heard.add(number)

    def announce(self, member: Member) -> None:
        """Tell that a record is here whole, which was too large to be pushed: others ask for it.

        Without this only the members that its owner told had it at once, and all others a second
        later, when fingerprints differed.
        """
        slot = self._slot(member)
        slot.announced = True
        self._wait(member, slot)

    def tell_self(self) -> None:
        """Tell all of this node's registrations, once it has joined [P80].

        The first peer that it was told to may have been another newcomer, which knew nobody: of 25
        hosts that booted at once, all knew of the last one's life for 0.7 to 2.6 s before they
        knew its registrations.
        """
        me = self._local.me
        for number in me.pages:
            if number:
                self.page(me, number)

    def piggyback(self, member: Member) -> None:
        """Piggyback the claim on exchanges, without a push (again)."""
        self._piggybacked.pop(member.key, None)
        self._piggybacked[member.key] = 3 * max(1, int(log2(self._local.table.live_count())) + 1)

    def relay(self, *raws: bytes) -> float:
        """Push pages that do not count here yet, once; return the bytes that this takes."""
        self._refill()
        receivers = self._receivers()
        cost = float((sum(map(len, raws)) + wire.FRAME_SIZE) * len(receivers))
        if cost > self._budget:
            return 0.0
        self._budget -= cost
        for peer in receivers:
            self._outbox.send(wire.NEWS, peer, options={wire.OPT_PAGES: list(raws)})
        return cost

    def retry(self) -> None:
        """Push what could not be told to anybody: the first peer has come."""
        if self._slots:
            self._wake(self._local.now)

    def _slot(self, member: Member) -> _Slot:
        now = self._local.now
        slot = self._slots.get(member.key)
        if slot is None:
            self._count += 1
            slot = self._slots[member.key] = _Slot(now, self._count)
        else:
            slot.pushes = slot.waits = 0
            slot.due = now
        return slot

    def _wait(self, member: Member, slot: _Slot) -> None:
        self._is_due(member, slot)
        self._wake(max(self._local.now, self._not_before))

    def _is_due(self, member: Member, slot: _Slot) -> None:
        """Put a slot among those that are due, or further in front there."""
        priority = self._priority(member, slot)
        if slot.priority is None or priority < slot.priority:
            slot.priority = priority
            heappush(self._due, (priority, slot.since, slot.number, member.key, slot))

    def _wake(self, when: float) -> None:
        if self._timer is not None:
            if self._timer.when <= when:
                return
            cancel(self._timer)
        self._timer = self._local.timers.at(when, self._push)

    # -- pushing ---------------------------------------------------------------------------

    def _push(self, _: None) -> None:
        self._timer = None
        now = self._local.now
        while self._later and self._later[0][0] <= now:
            _when, key, slot = self._later.popleft()
            member = self._local.table.by_key.get(key)
            if self._slots.get(key) is not slot or slot.due > now:
                continue
            if member is None:
                del self._slots[key]
            elif slot.waits:
                slot.waits -= 1
                slot.due = now + self._local.config.second_push
                self._later.append((slot.due, key, slot))
            else:
                self._is_due(member, slot)
        if self._due:
            if not self._local.table.peers:
                self._keep_own()
                return
            self._push_due()
        if self._due:
            self._wake(max(now + self._local.config.second_push, self._not_before))
        elif self._later:
            self._wake(max(self._later[0][0], self._not_before))

    def _keep_own(self) -> None:
        """Nobody is there to be told: the first peer is told this node's own pages (``retry``)."""
        key = self._local.me.key
        own = self._slots.get(key)
        self._slots = {key: own} if own is not None else {}
        self._later.clear()
        self._due.clear()
        if own is not None:
            own.priority = None
            self._later.append((own.due, key, own))

    def _next_due(self) -> tuple[Member, _Slot] | None:
        """Take the first slot out of those that are due, if any is left."""
        while self._due:
            priority, _, _, key, slot = heappop(self._due)
            if slot.priority != priority or self._slots.get(key) is not slot:
                continue  # it has moved to the front, or is gone
            member = self._local.table.by_key.get(key)
            slot.priority = None
            if member is None:
                del self._slots[key]
            elif self._priority(member, slot) > priority:
                self._is_due(member, slot)
            else:
                return member, slot
        return None

    def _push_due(self) -> None:
        local = self._local
        now = local.now
        self._refill()
        packer = Packer(self._outbox.room)
        spent = 0.0
        # What nobody is there to be told costs nothing.
        copies = min(local.config.fanout, len(local.table.peers))
        announced: list[bytes] = []
        without_room = 0
        many = len(self._slots) >= _MANY
        while without_room < _MISSES and (found := self._next_due()) is not None:
            member, slot = found
            if many and slot.is_known:
                del self._slots[member.key]
                continue
            rows, pages, announcement = self._content(member, slot)
            cost = (len(rows) + sum(map(len, pages)) + len(announcement) + 20) * copies
            if spent + cost > self._budget:
                self._postpone(member.key, slot)
                without_room += 1
                continue
            spent += cost
            packer.add(rows, pages)
            if announcement:
                announced.append(announcement)
                slot.waits = min(_FETCHED - 1, len(member.pages) // BURST)
            slot.pushes += 1
            if slot.pushes >= 2 or Mechanism.SECOND_PUSH in local.without:
                del self._slots[member.key]
            else:
                slot.due = now + local.config.second_push
                self._later.append((slot.due, member.key, slot))
        if without_room == _MISSES:
            self._give_up_old()
        self._budget -= spent
        load = 1.0 - self._budget / local.config.broadcast_burst
        filled = packer.finish()
        if many and any(pages for _, pages in filled):
            load = max(load, _APART)
        self._not_before = now + _GATHER * load * local.config.second_push
        if not local.table.joined:
            self._not_before = max(self._not_before, now + _NEWCOMER * local.config.second_push)
        encoded = [(rows, encoded_pages(pages)) for rows, pages in filled]
        encoded += [(b"", encoded_digest(rows)) for rows in joined_up_to(announced, MOST_ANNOUNCED)]
        if not encoded:
            return
        for peer in self._receivers():
            for rows, told in encoded:
                self._outbox.send(wire.NEWS, peer, rows=rows, options=told)
        local.stats.broadcasts_pushed += len(encoded)
        local.stats.pages_sent += sum(len(pages) for _, pages in filled)

    def _give_up_old(self) -> None:
        """Leave to the exchanges what waited for two intervals, without a look at the rest."""
        old = []
        for key, slot in self._slots.items():
            if not self._is_old(slot):
                break
            if slot.due <= self._local.now:
                old.append(key)
        for key in old:
            self._local.stats.drop(Drop.BROADCAST_BUDGET)
            del self._slots[key]

    def _priority(self, member: Member, slot: _Slot) -> int:
        if member is self._local.me:
            return OWN_REFUTATION if not slot.pages else OTHER
        return _PRIORITY.get(member.status, OTHER)

    def _content(self, member: Member, slot: _Slot) -> tuple[bytes, list[bytes], bytes]:
        """Return rows and pages to push, and the row of a digest if its pages are announced."""
        local = self._local
        rows = b""
        if member is local.me:
            rows = local.own_row()
        elif slot.claim:
            rows = claim_rows(member, local.now, local.config.confirmations + 1)
        numbers = sorted(slot.pages & member.pages.keys(), key=in_order)
        pages = [member.pages[number].raw for number in numbers]
        first = [member.pages[number].raw for number in numbers if number in (0, MAX_PAGE_NUMBER)]
        if slot.announced or sum(map(len, pages)) - sum(map(len, first)) > _PUSHED:
            if not member.suspected:
                rows = b""  # the other one says the same
            return rows, first, digest_row(local, member, of_versions=True)
        return rows, pages, b""

    def _receivers(self) -> list[Member]:
        """Return receivers: one neighbour on the ring, half of the others heard from just now.

        Others may have failed; and by chance alone somebody may be left out [P73].
        """
        local = self._local
        fanout = local.config.fanout
        self._onward = not self._onward
        one, other = local.peers.successor(), local.peers.predecessor()
        if not self._onward:
            one, other = other, one
        chosen = [one] if one is not None else []
        but = {peer.key for peer in chosen}
        if len(self._told) + fanout + 2 <= len(local.table.peers):
            but |= self._told
            if other is not None:
                but.add(other.key)  # it is told next time
        since = local.now - 4 * local.config.gossip_interval
        chosen += local.peers.sample_both(fanout - len(chosen), fanout // 2, since, but)
        self._told = {peer.key for peer in chosen}
        return chosen

    def _refill(self) -> None:
        local = self._local
        gained = (local.now - self._filled_at) * local.config.broadcast_rate
        self._budget = min(local.config.broadcast_burst, self._budget + gained)
        self._filled_at = local.now

    def _postpone(self, key: int, slot: _Slot) -> None:
        """Try again shortly, for lack of room; after two intervals leave it to exchanges [P75]."""
        local = self._local
        if self._is_old(slot):
            local.stats.drop(Drop.BROADCAST_BUDGET)
            del self._slots[key]
        else:
            slot.due = local.now + local.config.second_push
            self._later.append((slot.due, key, slot))

    def _is_old(self, slot: _Slot) -> bool:
        return self._local.now - slot.since > 2 * self._local.config.gossip_interval

    # -- rows on exchanges -----------------------------------------------------------------

    def exchange_rows(self, to: Member | None, room: int) -> bytes:
        """Return rows for a SYN: piggybacked claims; without any, one ordinary fresh heartbeat.

        [P77]
        """
        local = self._local
        if self._piggybacked:
            return self.piggyback_rows(to, room)
        latest = local.peers.latest(to)
        if latest is None or latest.status is not Status.ALIVE:
            return b""
        return claim_row(latest, local.now)

    def piggyback_rows(self, to: Member | None, room: int) -> bytes:
        """Return the piggybacked claims, as many as fit [P77]."""
        local = self._local
        if not self._piggybacked or Mechanism.SUSPECT_ROWS in local.without:
            return b""
        parts: list[bytes] = []
        told: list[int] = []
        unknown: list[int] = []
        for key in self._piggybacked:
            member = local.table.by_key.get(key)
            if member is None or member.quiet:
                unknown.append(key)
                continue
            if member is to:
                continue
            rows = local.own_row() if member is local.me else claim_rows(member, local.now, 1)
            if len(rows) > room:
                break
            room -= len(rows)
            parts.append(rows)
            told.append(key)
        for key in told:
            left = self._piggybacked.pop(key) - 1
            member = local.table.by_key.get(key)
            if member is not None and (left > 0 or member.status is Status.SUSPECT):
                self._piggybacked[key] = max(left, 1)  # to the end: the others get their turn
        for key in unknown:
            del self._piggybacked[key]
        return b"".join(parts)
