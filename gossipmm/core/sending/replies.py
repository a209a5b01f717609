"""Fills the reply to the datagram being read: what this node asks for and reports."""

from __future__ import annotations

from typing import Any, Final

from gossipmm.core.sending.asked_in_vain import AskedInVain
from gossipmm.core.sending.corrections import Corrections
from gossipmm.core.sending.inbound import Reply
from gossipmm.core.sending.packing import claim_rows
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import in_order
from gossipmm.mechanisms import Mechanism

#: Pages named in one WANT: 10 bytes each. A record with more is compared part by part.
MOST_NAMED: Final = 100
#: Bytes of a datagram that are not for the pages named: frame, envelope, rows, heads.
_BESIDE: Final = 200
#: Units of resends after which a record that has not come is asked for again.
_AGAIN: Final = 4
#: Bytes around a page in a list of an option: the heads of its string and, once, of the list.
_AROUND_PAGE: Final = 6
_KNOWN_CLAIMS: Final = frozenset((wire.ALIVE, wire.SUSPECT, wire.DEAD, wire.LEFT))


class Replies:
    """Fills the reply to a datagram: rows, records wanted, closed generations."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._asked: dict[int, float] = {}
        self.corrections = Corrections(local)
        self._in_vain = AskedInVain(local)
        self._accounts = Mechanism.ASKED_IN_VAIN not in local.without
        self._most = min(MOST_NAMED, (local.config.max_datagram - _BESIDE) // 10)

    def parts(self, member: Member) -> int:
        """Return in how many parts a record is asked for."""
        return max(1, -(-len(member.pages) // self._most))

    def want(self, member: Member, part: int | None = None) -> list[Any]:
        """Ask for pages above those held; of a large record, a part from the end, or any [P56].

        Parts go by the pages held, not by their numbers, which may have gaps.
        """
        pages = member.pages
        numbers = sorted(pages)
        first, last = 0, 1 << 16
        most = self._most
        if len(numbers) > most:
            # Without page 0 the first part, which lacks it: nothing else can be done with a record.
            parts = self.parts(member)
            if part is None:
                part = self._local.rng.randrange(parts)
            start = most * (parts - 1 - part % parts) if member.complete else 0
            first = numbers[start] if start else 0
            last = numbers[start + most] if start + most < len(numbers) else last
            numbers = numbers[start : start + most]
        vector = wire.vector({number: pages[number].version for number in numbers})
        if not vector:
            return [member.key, vector]
        digests = wire.packed_digests(pages[number].digest for number in numbers)
        return [member.key, vector, first, last, digests]

    def tell(self, member: Member) -> bytes:
        """Report how a member is held, as rows."""
        local = self._local
        return local.own_row() if member is local.me else claim_rows(member, local.now, 0)

    def unknown(self, reply: Reply, key: int, claim: int, *, may_ask: bool) -> None:
        """Answer a claim about a member without a record here: ask, or say that it is closed.

        [P40, P48]
        """
        local = self._local
        minimum = local.table.minimum_of_key(key)
        if minimum is not None:
            if minimum[0] == local.own.name:
                reply.pages.append(local.me.pages[0].raw)  # an earlier generation of this node
            else:
                reply.closed(*minimum)
        elif claim in _KNOWN_CLAIMS and may_ask:
            self.ask(reply, key)

    def ask(self, reply: Reply, key: int) -> None:
        """Ask the sender of this datagram for a record, not more often than every 0.1 s [P40].

        Nor one that was asked in vain again and again, where all sign [P186].
        """
        local = self._local
        if local.doubts(key):
            return  # it is here, and has to answer first; or nobody has
        if local.now - self._asked.get(key, -1e9) < _AGAIN * local.config.resend_base:
            return
        if local.all_sign and self._accounts and not self._in_vain.may_ask(reply.to, key):
            local.stats.drop(Drop.ASKED_IN_VAIN)
            return
        if len(self._asked) > 4096:
            self._asked.clear()
        self._asked[key] = local.now
        member = local.table.by_key.get(key)
        reply.wants.append(self.want(member) if member else [key, b""])

    def answer(self, reply: Reply, claim_of: Member) -> None:
        """Answer with how a member is held."""
        reply.rows.append(self.tell(claim_of))

    def own_record(self, room: int) -> dict[int, Any] | None:
        """Return this node's record for the answer to a newcomer, if all of it fits [P79].

        It would ask for it. With a part of it, it would not ask for the rest.
        """
        own = self._local.me.pages
        raws = [own[number].raw for number in sorted(own, key=in_order)]
        if sum(len(raw) + _AROUND_PAGE for raw in raws) > room:
            return None
        return {wire.OPT_PAGES: raws}
