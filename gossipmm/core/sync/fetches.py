"""Records being fetched: asked of one peer at a time, and on until they are whole.

A digest says which hash a record has at its sender. What differs is asked for by the pages held
(WANT), in answers of one burst; more may be left, and some of it may be lost. Until the record has
that hash its sender is asked on: at once when a whole burst has come, else when no more comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.packing import BURST, want_size
from gossipmm.core.sending.replies import MOST_NAMED, Replies
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.wire import frame as wire

__all__ = ("Fetches", "Found")

#: Peers that are asked for records at once.
_PEERS: Final = 64
#: Pages named in wants that answer one datagram: about four datagrams. A digest of 54 rows about
#: large records was answered with 54 datagrams, in 3 ms.
_NAMED: Final = 300
#: Of these, so many are a step of work: 2.5 us.
_AT_A_STEP: Final = 8
#: Seconds without a datagram after which a burst that began has ended; or round trips, if that is
#: longer. One that has not begun waits for so many units of resends, then for twice as many.
_ENDS_AFTER: Final = 0.01
_TRIPS: Final = 4
_BEGINS_WITHIN: Final = 2
#: Questions in a row without an answer after which somebody else is asked: of who answered before.
#: A path may carry nothing so large, and costs a burst each time.
_SILENT: Final = 4


class Found:
    """A record that a peer holds otherwise: at which hash, and of what that is."""

    __slots__ = ("announced", "of_versions", "page_hash")

    def __init__(self, page_hash: bytes, *, of_versions: bool, announced: bool = False) -> None:
        self.page_hash = page_hash
        self.of_versions = of_versions
        #: It was told as a change that is too large to be pushed.
        self.announced = announced


class _Item:
    """A record being fetched."""

    __slots__ = ("before", "found", "in_vain", "part", "spare")

    def __init__(self, found: Found) -> None:
        self.found = found
        #: Hash of the versions held when it was last asked for.
        self.before = 0
        #: The part that is asked for, from the end: what is missing of a new record is there.
        self.part = 0
        #: Parts asked for in turn that brought nothing.
        self.in_vain = 0
        #: Another peer that holds it so.
        self.spare: tuple[int, Found] | None = None


class _Fetch:
    """What is fetched of one peer."""

    __slots__ = ("answered", "at", "datagrams", "items", "silent", "timer")

    def __init__(self) -> None:
        self.items: dict[int, _Item] = {}
        #: Datagrams of the answer that is coming, and when the last one came, or it was asked for.
        self.datagrams = 0
        self.at = 0.0
        #: It has answered before.
        self.answered = False
        #: Questions in a row without an answer.
        self.silent = 0
        self.timer: Token | None = None


class Fetches:
    """Asks for records, and on until they are whole [P56, P136]."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        replies: Replies,
        whole: Callable[[Member], None],
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._replies = replies
        #: Called with a member whose record was announced and is here.
        self._whole = whole
        self._fetches: dict[int, _Fetch] = {}
        #: Record key -> peer that is being asked for it.
        self._of: dict[int, int] = {}

    def begin(self, peer: Member, found: dict[int, Found]) -> None:
        """Ask a peer for records that it holds otherwise, unless they are being fetched already."""
        fetch: _Fetch | None = None
        added: list[int] = []
        for key, one in found.items():
            member = self._local.table.by_key.get(key)
            full = member is not None and not self._local.changes.has_room(member, self._local.now)
            if full or self._is_coming(key, peer, one):
                continue
            self._drop(key)  # which ends the fetch of a peer that was asked for nothing else
            fetch = self._fetches.get(peer.key) or self._new(peer)
            item = fetch.items[key] = _Item(one)
            self._of[key] = peer.key
            if member is not None:
                parts = self._replies.parts(member)
                if parts > 1 and not one.announced:
                    item.part = self._local.rng.randrange(parts)  # whatever is held may differ
            added.append(key)
        if fetch is not None and added:
            self._ask(peer, fetch, added)

    def _is_coming(self, key: int, peer: Member, found: Found) -> bool:
        """Return whether a record is being fetched; then this peer is the next one to be asked."""
        if not self._is_fresh(key):
            return False
        of = self._of[key]
        if of != peer.key:
            self._fetches[of].items[key].spare = peer.key, found
        return True

    def _is_fresh(self, key: int) -> bool:
        """Return whether a record is being fetched, and more of it can be expected."""
        of = self._of.get(key)
        if of is None:
            return False
        fetch = self._fetches[of]
        return self._local.now - fetch.at <= self._patience(fetch)

    @property
    def expects_news(self) -> bool:
        """True while a record comes that was announced: why tables differ is known."""
        return any(
            item.found.announced and self._is_fresh(key)
            for fetch in self._fetches.values()
            for key, item in fetch.items.items()
        )

    def _patience(self, fetch: _Fetch) -> float:
        """Return the seconds after which nothing more comes."""
        least = _ENDS_AFTER
        if not fetch.datagrams:
            least = _BEGINS_WITHIN * 2**fetch.silent * self._local.config.resend_base
        return max(least, _TRIPS * self._local.stats.rtt)

    def _new(self, peer: Member) -> _Fetch:
        if len(self._fetches) >= _PEERS:
            self._end(next(iter(self._fetches)))
        fetch = self._fetches[peer.key] = _Fetch()
        return fetch

    def _drop(self, key: int) -> None:
        """Fetch a record no longer."""
        of = self._of.pop(key, None)
        if of is not None:
            fetch = self._fetches[of]
            del fetch.items[key]
            if not fetch.items:
                self._end(of)

    def _end(self, peer_key: int) -> None:
        fetch = self._fetches.pop(peer_key)
        cancel(fetch.timer)
        for key in fetch.items:
            del self._of[key]

    def _ask(self, peer: Member, fetch: _Fetch, keys: list[int]) -> None:
        fetch.datagrams = 0
        fetch.at = self._local.now
        asked: list[tuple[Member, int | None]] = []
        for key in keys:
            member = self._local.table.by_key.get(key)
            if member is not None:  # else the row about it asks
                item = fetch.items[key]
                item.before = member.versions_hash
                asked.append((member, item.part))
        self._send_wants(peer, asked)
        self._watch(peer.key, fetch)

    def ask(self, peer: Member, members: list[Member]) -> None:
        """Ask a peer once for records that it holds at pages that count before those here.

        Not for those that are coming: their pages would come twice.
        """
        self._send_wants(peer, [(one, None) for one in members if not self._is_fresh(one.key)])

    def _send_wants(self, peer: Member, asked: list[tuple[Member, int | None]]) -> None:
        """Send wants, in as many datagrams as they take; of these, as many as name few pages."""
        wants: list[list[Any]] = []
        named = 0
        for member, part in asked:
            if named > _NAMED:
                break
            wants.append(self._replies.want(member, part))
            named += min(len(member.pages), MOST_NAMED)
        self._local.stats.work += len(wants) + named // _AT_A_STEP
        room = self._outbox.room - wire.FRAME_SIZE - wire.ROW_SIZE - 16
        batch: list[list[Any]] = []
        left = room
        for want in wants:
            size = want_size(want)
            if size > left and batch:
                self._outbox.send(wire.NEWS, peer, options={wire.OPT_WANT: batch})
                batch, left = [], room
            batch.append(want)
            left -= size
        if batch:
            self._outbox.send(wire.NEWS, peer, options={wire.OPT_WANT: batch})

    def _watch(self, peer_key: int, fetch: _Fetch) -> None:
        cancel(fetch.timer)
        when = fetch.at + self._patience(fetch)
        fetch.timer = self._local.timers.at(when, self._look, peer_key)

    def _look(self, peer_key: int) -> None:
        """See whether the answer has ended: what is missing was lost, or did not fit into it."""
        fetch = self._fetches.get(peer_key)
        if fetch is None:
            return
        if self._local.now < fetch.at + self._patience(fetch):
            self._watch(peer_key, fetch)
            return
        peer = self._local.table.by_key.get(peer_key)
        if fetch.datagrams:
            self._go_on(peer_key, fetch)
            return
        fetch.silent += 1
        if fetch.answered and fetch.silent < _SILENT and peer is not None:
            self._ask(peer, fetch, list(fetch.items))
        else:
            for key, item in list(fetch.items.items()):
                self._ask_spare(key, item)

    def hear_burst(self, peer: Member, *, pages: bool) -> None:
        """Take a datagram of an answer; one without pages, and without others, is all of it [P56].

        Waiting for the next digest, a record of 1,000 registrations was known to all after 16 s.
        """
        fetch = self._fetches.get(peer.key)
        if fetch is None:
            return
        fetch.at = self._local.now
        fetch.datagrams += 1
        fetch.answered = True
        fetch.silent = 0
        if fetch.datagrams == 1:
            self._watch(peer.key, fetch)
        if fetch.datagrams >= BURST or (fetch.datagrams == 1 and not pages):
            self._go_on(peer.key, fetch)
        elif len(fetch.items) == 1:
            (key,) = fetch.items
            if self._is_whole(key, fetch.items[key]):
                self._go_on(peer.key, fetch)

    def _is_whole(self, key: int, item: _Item) -> bool:
        member = self._local.table.by_key.get(key)
        found = item.found
        return (
            member is not None
            and member.complete
            and member.page_hash_bytes(of_versions=found.of_versions) == found.page_hash
        )

    def _go_on(self, peer_key: int, fetch: _Fetch) -> None:
        """Ask for what is not whole, of a large record for another part if nothing of it came."""
        local = self._local
        peer = local.table.by_key.get(peer_key)
        again: list[int] = []
        for key, item in list(fetch.items.items()):
            member = local.table.by_key.get(key)
            if self._is_whole(key, item):
                self._drop(key)
                if item.found.announced and member is not None:
                    self._whole(member)
                continue
            if member is None or peer is None:
                self._ask_spare(key, item)
            elif member.versions_hash != item.before:
                item.in_vain = 0
                again.append(key)
            else:
                item.in_vain += 1
                item.part += 1
                if item.in_vain < self._replies.parts(member):
                    again.append(key)
                else:
                    self._ask_spare(key, item)
        if again and peer is not None and peer_key in self._fetches:
            self._ask(peer, fetch, again)

    def _ask_spare(self, key: int, item: _Item) -> None:
        """Fetch a record no longer of this peer, but of another one that told of it, if any did."""
        self._drop(key)
        if item.spare is not None:
            other = self._local.table.by_key.get(item.spare[0])
            if other is not None:
                self.begin(other, {key: item.spare[1]})
