"""The bulk transfer at join: all records of one peer, paced by the node that asks for them.

They come in order of (page number, record key), so that a joiner knows everybody soon, however
large some records are; only the question for the next burst separates two bursts.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.sending.packing import BURST, Packer
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.pace import Pace
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.table.order import number_and_key, place_of
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire

__all__ = ("Transfer",)

#: A pull that brings nothing for so long is repeated, so often.
_WAIT: Final = 0.1
_TRIES: Final = 10
#: Seconds until another transfer from where one brought nothing, at first and at most: a path
#: that brings nothing at all must not cost 10 kB a second for ever. Addresses that are remembered.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 16.0
_KEPT: Final = 64
#: Seconds for which the last datagram of a burst may have overtaken another one.
_OVERTAKEN: Final = 0.01
#: The bits of a transfer's probe ids that number the datagrams of a burst.
_NUMBER: Final = 15
_BEGIN: Final = [0, 0]
#: Datagrams of the smallest burst.
_LEAST: Final = 2
#: Pages looked at in answer to one request, for those of the gone among them.
_LOOKED_AT: Final = 1024


class _Burst:
    """What came of one burst: each datagram bears its number, and the last one says so."""

    __slots__ = ("came", "end", "last")

    def __init__(self) -> None:
        #: Number of a datagram -> position of its last page; None: it has none.
        self.came: dict[int, list[int] | None] = {}
        #: Number of the last one, and the position that it names; -1: it has not come.
        self.last = -1
        self.end = _BEGIN

    @property
    def whole(self) -> bool:
        """True when none of it is missing."""
        return self.last >= 0 and len(self.came) > self.last

    def position(self) -> list[int] | None:
        """Return the position up to which nothing is missing; None: the first one is."""
        reached = None
        for number in range(BURST):
            if number not in self.came:
                break
            reached = self.came[number] or reached
        return reached


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
        self._target = 0
        self._cursor = _BEGIN
        self._gone = False
        self._tries = 0
        #: Address -> transfers in a row that brought nothing, and until when none begins.
        self._in_vain: dict[Address, tuple[int, float]] = {}
        #: Datagrams asked for at once: fewer where some are lost, because what follows a missing
        #: one comes again.
        self._window = BURST
        self._timer: Token | None = None
        #: Names the question that is open, and what has come in answer to it.
        self._identity = 0
        self._burst = _Burst()

    def pull(self, address: Address, target: int, *, gone: bool = False) -> None:
        """Begin a bulk transfer from whoever answers at the address, unless one is under way.

        ``gone``: only records of members that are dead or left.
        """
        if self._from is None and self._local.now >= self._in_vain.get(address, (0, 0.0))[1]:
            self._from = address
            self._target = target
            self._gone = gone
            self._tries = 0
            self._cursor = _BEGIN
            self._ask_for_more()

    def _ask_for_more(self) -> None:
        local = self._local
        assert self._from is not None
        local.stats.bulk_pulls += 1
        self._identity = local.rng.getrandbits(64) & ~_NUMBER or 1 + _NUMBER
        self._burst = _Burst()
        cursor: list[int] = list(self._cursor)
        if self._gone or self._window < BURST:
            cursor.append(self._gone)
        if self._window < BURST:
            cursor.append(self._window)
        options = {wire.OPT_PULL: cursor}
        peer = local.table.by_key.get(self._target) or Stranger(self._from, self._target)
        self._outbox.send(
            wire.NEWS, peer, address=self._from, probe=self._identity, options=options
        )
        self._wait(max(_WAIT, 4 * local.stats.rtt))

    def _wait(self, seconds: float) -> None:
        cancel(self._timer)
        self._timer = self._local.timers.at(self._local.now + seconds, self._again)

    def _again(self, _: object) -> None:
        """Ask again, from where the first datagram is missing."""
        if self._from is None:
            return
        self._window = max(_LEAST, self._window // 2)
        reached = self._burst.position()
        if reached is not None and reached > self._cursor:
            self._cursor = reached
            self._tries = 0
            self._in_vain.pop(self._from, None)
        else:
            self._tries += 1
        if self._tries >= _TRIES:
            self._was_in_vain(self._from)
            self._from = None
        else:
            self._ask_for_more()

    def hear_part(self, inbound: Inbound, more: list[int]) -> bool:
        """Take a datagram of a transfer; False if it belongs to none [P58].

        ``more`` is where the transfer stands, in the last one of a burst; else empty.
        """
        identity = inbound.frame.probe
        if self._from is None:
            return False
        if identity & ~_NUMBER != self._identity & ~_NUMBER:
            if identity or not more:
                return False
            self._hear_unnumbered(inbound, more)  # of a version that does not number them
            return True
        burst = self._burst
        burst.came[identity & _NUMBER] = self._last_position(inbound)
        if more:
            burst.last, burst.end = identity & _NUMBER, list(more[:2])
        if burst.whole:
            self._go_on(inbound, burst.end)
        elif burst.last >= 0:
            # One is missing, or overtaken by the last one.
            self._wait(max(_OVERTAKEN, self._local.stats.rtt))
        return True

    def _last_position(self, inbound: Inbound) -> list[int] | None:
        if not inbound.pages:
            return None
        page = inbound.pages[-1]
        key = wire.record_key(self._local.config.cluster, page.name, page.generation)
        return [page.number, key]

    def _hear_unnumbered(self, inbound: Inbound, more: list[int]) -> None:
        if more[1] == 0 or more > self._cursor:
            self._go_on(inbound, list(more[:2]))

    def _was_in_vain(self, address: Address) -> None:
        times = self._in_vain.pop(address, (0, 0.0))[0] + 1
        if len(self._in_vain) >= _KEPT:
            del self._in_vain[next(iter(self._in_vain))]
        wait = min(_FIRST_WAIT * 2 ** min(times - 1, 8), _LONGEST_WAIT)
        self._in_vain[address] = times, self._local.now + wait

    def _go_on(self, inbound: Inbound, end: list[int]) -> None:
        self._tries = 0
        if self._from is not None:
            self._in_vain.pop(self._from, None)
        self._window = min(BURST, 2 * self._window)
        if end[1]:
            self._cursor = end
            self._ask_for_more()
            return
        cancel(self._timer)
        self._from = None
        if wire.OPT_JOINING in inbound.frame.options:
            self._pace.found_others()
            return
        self._local.table.knows_gone = True
        if not self._local.table.joined:
            self._pace.joined()

    def hear_pull(self, peer: Member, cursor: list[int], identity: int) -> None:
        """Send a burst of what comes after the cursor, in order of (page number, key) [P58].

        All first pages come before all second ones, so that a joiner knows everybody soon,
        however large some records are. ``identity`` of the question comes back, with the number of
        each datagram.
        """
        local = self._local
        after = (cursor[0], cursor[1])
        gone = cursor[2:3] == [True]
        most = cursor[3] if len(cursor) > 3 else BURST
        order = local.table.order
        packer = Packer(self._outbox.room - 24)
        last = after
        ended = True
        begin = bisect_right(order, place_of(*after))
        end = min(len(order), begin + _LOOKED_AT)
        for place in range(begin, end):
            number, key = number_and_key(order[place])
            member = local.table.by_key.get(key)
            page = member.pages.get(number) if member is not None else None
            if member is None or page is None or member is peer or not member.complete:
                continue
            if gone and key not in local.table.gone:
                continue
            rows = self._replies.tell(member) if number == 0 else b""
            packer.add(rows, [page.raw] if number else member.first_pages)
            if len(packer.filled) >= most:
                # The page just added opened one datagram too many: it goes into the next burst.
                ended = False
                break
            last = (number, key)
        else:
            if end < len(order):
                last, ended = number_and_key(order[end - 1]), False
        local.stats.work += (place - begin) // 2 if begin < end else 0
        filled = packer.finish()
        if not ended:
            filled = filled[:most]
        local.stats.bulk_datagrams += len(filled)
        for index, (rows, raws) in enumerate(filled):
            options: dict[int, object] = {wire.OPT_MORE: []}
            if raws:
                options[wire.OPT_PAGES] = raws
            if index == len(filled) - 1:
                options[wire.OPT_MORE] = [0, 0] if ended else list(last)
            local.stats.pages_sent += len(raws)
            probe = identity and identity & ~_NUMBER | index
            self._outbox.send(wire.NEWS, peer, probe=probe, rows=rows, options=options)
        if not filled:
            where = [0, 0] if ended else list(last)
            self._outbox.send(
                wire.NEWS, peer, probe=identity & ~_NUMBER, options={wire.OPT_MORE: where}
            )
