"""Pushes of user events: to some members at once, again a moment later, and fewer under load."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gossipmm.core.messages.event_memory import EventSender, Stored
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("EventPushes", "packed", "space")

#: Bytes a second of pushes, and at once. Whatever finds no room is left to the exchanges.
_RATE: Final = 32_768.0
_BURST: Final = 65_536.0
#: Above this share of the burst in use, an event is pushed once instead of twice; above the second,
#: to half as many members.
_ONCE: Final = 0.25
_FEW: Final = 0.75
#: Under load pushes wait for up to so many ``second_push``, and so several events share a datagram.
_GATHER: Final = 3.0
#: An event that came so often before its second push is known well enough.
_KNOWN: Final = 3
#: Bytes around the items of a datagram: heads of the options, and a claim about the receiver.
_AROUND: Final = 24


def space(room: int) -> int:
    """Return how many bytes of a datagram are left for items about events."""
    return room - wire.FRAME_SIZE - _AROUND


def packed(items: Iterable[bytes], room: int) -> list[bytes]:
    """Return the options of as few datagrams as hold these events, in order [P167]."""
    most = space(room)
    filled: list[list[bytes]] = []
    left = 0
    for item in items:
        if len(item) > most:
            continue  # of a member with a larger max_datagram: others pass it on
        if len(item) > left or len(filled[-1]) == 23:
            filled.append([])
            left = most
        filled[-1].append(item)
        left -= len(item)
    # A map of one key, 24, in which there is an array of up to 23 items.
    return [b"\xa1\x18\x18" + bytes((0x80 | len(one),)) + b"".join(one) for one in filled]


class EventPushes:
    """Pushes new events of anybody to members that may not have them."""

    def __init__(self, local: LocalState, outbox: Outbox) -> None:
        self._local = local
        self._outbox = outbox
        self._fresh: list[tuple[EventSender, Stored]] = []
        self._again: list[tuple[float, EventSender, Stored]] = []
        self._timer: Token | None = None
        self._not_before = local.now
        self._left = _BURST
        self._filled_at = local.now
        self._onward = False

    def add(self, sender: EventSender, stored: Stored) -> None:
        """Push an event that is new here, as soon as the pace allows it [P167]."""
        self._fresh.append((sender, stored))
        self._wake(max(self._local.now, self._not_before))

    def _wake(self, when: float) -> None:
        if self._timer is not None:
            if self._timer.when <= when:
                return
            cancel(self._timer)
        self._timer = self._local.timers.at(when, self._push)

    def _push(self, _: None) -> None:
        self._timer = None
        local, now = self._local, self._local.now
        self._left = min(_BURST, self._left + (now - self._filled_at) * _RATE)
        self._filled_at = now
        load = 1.0 - self._left / _BURST
        fresh, self._fresh = self._fresh, []
        due = [(one[1], one[2]) for one in self._again if one[0] <= now]
        self._again = [one for one in self._again if one[0] > now]
        twice = load < _ONCE and Mechanism.SECOND_PUSH not in local.without
        # What is to go again under load is left to the exchanges.
        again = [one for one in due if twice and one[1].copies < _KNOWN]
        self._send(fresh + again, load)
        if twice:
            at = now + local.config.second_push
            self._again += [(at, sender, stored) for sender, stored in fresh]
        self._not_before = now + _GATHER * load * local.config.second_push
        if self._again:
            self._wake(max(self._again[0][0], self._not_before))

    def _send(self, what: list[tuple[EventSender, Stored]], load: float) -> None:
        local = self._local
        if not what or not local.table.peers or local.own.leaving:
            return
        now = local.now
        encoded = packed((one.encoded(sender.key, now) for sender, one in what), self._outbox.room)
        size = sum(map(len, encoded)) + wire.FRAME_SIZE * len(encoded)
        copies = local.config.fanout if load < _FEW else max(1, local.config.fanout // 2)
        copies = min(copies, int(self._left / size)) if size else 0
        tellers = {stored.teller for _, stored in what}
        for peer in self._receivers(copies, tellers):
            self._left -= size
            for options in encoded:
                self._outbox.send(wire.NEWS, peer, options=options)

    def _receivers(self, count: int, tellers: set[int]) -> list[Member]:
        """Return members to push to: a neighbour on the ring, so that all are reached [P73]."""
        if count <= 0:
            return []
        peers = self._local.peers
        self._onward = not self._onward
        one = peers.successor() if self._onward else peers.predecessor()
        chosen = [one] if one is not None and one.key not in tellers else []
        but = tellers | {member.key for member in chosen}
        return chosen + peers.sample(count - len(chosen), but)
