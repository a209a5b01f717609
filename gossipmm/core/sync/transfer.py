"""The bulk transfer at join: all records of one peer, paced by the node that asks for them.

They come in order of (page number, record key), so that a joiner knows everybody soon, however
large some records are; only the question for the next burst separates two bursts.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.sending.packing import BURST, Packer
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.pace import Pace
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire

__all__ = ("Transfer",)

#: A pull that brings nothing for so long is repeated, so often.
_WAIT: Final = 0.1
_TRIES: Final = 10
#: Pages looked at in answer to one request, for those of the gone among them.
_LOOKED_AT: Final = 1024


class Transfer:
    """The transfer of this node, if one is under way, and its answers to those of others."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        replies: Replies,
        pace: Pace,
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._replies = replies
        self._pace = pace
        self._from: Address | None = None
        self._cursor = [0, 0]
        self._gone = False
        self._tries = 0
        self._timer: Token | None = None

    def pull(self, address: Address, target: int, *, gone: bool = False) -> None:
        """Begin, or go on with, a bulk transfer from whoever answers at the address.

        ``gone``: only records of members that are dead or left.
        """
        if self._from is None:
            self._from = address
            self._gone = gone
            self._tries = 0
            self._cursor = [0, 0]
            self._ask_for_more(target)

    def _ask_for_more(self, target: int) -> None:
        local = self._local
        assert self._from is not None
        local.stats.bulk_pulls += 1
        cursor = [*self._cursor, True] if self._gone else self._cursor
        options = {wire.OPT_PULL: cursor}
        peer = local.table.by_key.get(target) or Stranger(self._from, target)
        self._outbox.send(wire.NEWS, peer, address=self._from, options=options)
        cancel(self._timer)
        wait = max(_WAIT, 4 * local.stats.rtt)
        self._timer = local.timers.at(local.now + wait, self._again, target)

    def _again(self, target: int) -> None:
        self._tries += 1
        if self._tries >= _TRIES:
            self._from = None
        elif self._from is not None:
            self._ask_for_more(target)

    def hear_more(self, cursor: list[int], sender: int) -> None:
        """Take the position of the transfer from the last datagram of a burst [P58]."""
        if self._from is None:
            return
        cancel(self._timer)
        self._tries = 0
        if cursor[1] == 0:
            self._from = None
            self._local.table.knows_gone = True
            if not self._local.table.joined:
                self._pace.joined()
        elif cursor > self._cursor:
            self._cursor = list(cursor[:2])
            self._ask_for_more(sender)

    def hear_pull(self, peer: Member, cursor: list[int]) -> None:
        """Send a burst of what comes after the cursor, in order of (page number, key) [P58].

        All first pages come before all second ones, so that a joiner knows everybody soon,
        however large some records are.
        """
        local = self._local
        after = (cursor[0], cursor[1])
        gone = cursor[2:3] == [True]
        order = local.table.order
        packer = Packer(self._outbox.room - 24)
        last = after
        ended = True
        begin = bisect_right(order, after)
        end = min(len(order), begin + _LOOKED_AT)
        for place in range(begin, end):
            number, key = order[place]
            member = local.table.by_key.get(key)
            if member is None or member is peer or not member.complete:
                continue
            if gone and key not in local.table.gone:
                continue
            rows = self._replies.tell(member) if number == 0 else b""
            packer.add(rows, [member.pages[number].raw])
            if len(packer.filled) >= BURST:
                # The page just added opened one datagram too many: it goes into the next burst.
                ended = False
                break
            last = (number, key)
        else:
            if end < len(order):
                last, ended = order[end - 1], False
        filled = packer.finish()
        if not ended:
            filled = filled[:BURST]
        local.stats.bulk_datagrams += len(filled)
        for index, (rows, raws) in enumerate(filled):
            options: dict[int, object] = {wire.OPT_MORE: []}
            if raws:
                options[wire.OPT_PAGES] = raws
            if index == len(filled) - 1:
                options[wire.OPT_MORE] = [0, 0] if ended else list(last)
            local.stats.pages_sent += len(raws)
            self._outbox.send(wire.NEWS, peer, rows=rows, options=options)
        if not filled:
            where = [0, 0] if ended else list(last)
            self._outbox.send(wire.NEWS, peer, options={wire.OPT_MORE: where})
