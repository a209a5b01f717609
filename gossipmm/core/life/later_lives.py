"""Later lives that are announced of members that live: each has to answer before it counts.

Anybody who can speak can write a page of a higher generation. So long as the life held stands, such
a page is kept aside, passed on, and its address is asked; whoever answers there is that life.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from gossipmm.addresses import format_address
from gossipmm.core.failure.probes import Probes
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.sending.replies import Replies
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import UNKNOWN_NODE, Generation, NodeId, NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page
from gossipmm.mechanisms import Mechanism

__all__ = ("LaterLives",)

#: Lives asked at a time, of one name and in all; and pages of each kept until it has answered.
#: Four: a forged one must not keep the true one waiting.
_OF_A_NAME, _IN_ALL, _PAGES = 4, 64, 8
#: Units of ``resend_base`` after which one is asked again, and then each so many: at 25 % loss each
#: way seven of a thousand that live have not answered after six tries, and one after eight. It
#: waits for so many intervals in all.
_AGAIN, _THEN, _TRIES, _WAITS = (1, 3, 7), 8, 8, 2
#: Tries while the name is contested: who really lives there says so itself, and is asked again.
_FEW_TRIES: Final = 3
#: Bytes that may go into questions and into passing on, at once and in a minute: so much, and more
#: for each live member, all of which may restart at once. At 20 members that is as much as idle
#: exchanges take.
_BUDGET, _FOR_EACH, _REFILLED_IN = 4096, 600, 60.0
#: Questions in vain after which the life held is asked as well: no address of either may lead there
#: from here, and such members have few turns in the round [P71].
_HELD_TOO: Final = 4
#: Bytes of a question on the wire.
_QUESTION: Final = 65 + 28
#: Seconds for which a life that nobody answers for is remembered, and how many are. Of its name
#: nothing is passed on unproved meanwhile.
_REMEMBERED, _MOST_REMEMBERED = 60.0, 1024


class _Life:
    """A life of a name above the one held."""

    __slots__ = (
        *("asked", "began", "generation", "heard", "key", "name", "pages", "probe", "timer"),
    )

    def __init__(
        self, name: NodeId, generation: Generation, key: int, probe: int, now: float
    ) -> None:
        self.name, self.generation, self.key = name, generation, key
        self.probe = probe
        self.began = now
        #: When a datagram of its own last came.
        self.heard = now
        self.asked = 0
        self.pages: dict[int, Page] = {}
        self.timer: Token | None = None


class LaterLives:
    """Asks each later life of a live member for an answer; ``accept`` takes those that gave one."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        broadcasts: BroadcastQueue,
        replies: Replies,
        probes: Probes,
        accept: Callable[[list[Page], NodeId], None],
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._broadcasts = broadcasts
        self._replies = replies
        self._probes = probes
        self._accept = accept
        self._lives: dict[int, _Life] = {}
        self._by_probe: dict[int, _Life] = {}
        #: Name -> when nobody had answered for a later life of it.
        self._contested: dict[NodeId, float] = {}
        #: When the next life below one that has ended is shown that, and how often that was done.
        self._shows_after = local.now
        self._shown = 0
        self._left = float(_BUDGET + _FOR_EACH)
        self._filled_at = local.now

    # -- what is announced -----------------------------------------------------------------------

    def must_prove(self, inbound: Inbound, held: Member, page: Page) -> bool:
        """Take a page of a higher generation; True: it waits until its owner answers [P129]."""
        local = self._local
        if Mechanism.PROVED_LIVES in local.without:
            return False
        key = wire.record_key(local.config.cluster, page.name, page.generation)
        if not local.stands(held.name):
            if not held.complete:
                return False
            if page.number:
                # Without page 0 it would be unknown here, and keep out whoever comes below it.
                self._replies.ask(inbound.reply, key)
                return True
            self._tell_held(held, page)
            return False
        itself = key == inbound.frame.sender and inbound.source in page.addresses
        life = self._lives.get(key)
        if life is None:
            life = self._begin(inbound, held, page, key, itself=itself)
            if life is None:
                local.stats.drop(Drop.UNPROVED_LIFE)
                if not local.has_doubted(key):
                    until = local.now + _WAITS * local.config.gossip_interval
                    local.doubt(key, until, page.name)
                return True
        self._keep(inbound, life, page)
        if 0 not in life.pages:
            self._replies.ask(inbound.reply, key)
        elif not life.asked:
            self._ask(life, free=itself)
        elif itself and local.now - life.heard >= _THEN * local.config.resend_base:
            life.heard = local.now
            life.asked = min(life.asked, _FEW_TRIES - 1)
            self._ask(life, free=True)
        return True

    def _tell_held(self, held: Member, page: Page) -> None:
        """Show the life before what follows it: if it lives all the same, it takes one above."""
        self._outbox.send(wire.NEWS, held, options={wire.OPT_PAGES: [page.raw]})

    def show(self, held: Member, page: Page, key: int) -> bool:
        """Show a life that others tell of the higher one held here, which it has to exceed [P15].

        If the higher one has ended, this node asks neither of them by itself.
        Return whether it was shown: once an interval, whatever others tell.
        """
        local = self._local
        if local.stands(held.name) or not held.complete or local.now < self._shows_after:
            return False
        self._shows_after = local.now + local.config.gossip_interval
        to = Stranger(page.addresses[self._shown % len(page.addresses)], key)
        self._shown += 1
        self._outbox.send(wire.NEWS, to, options={wire.OPT_PAGES: [held.pages[0].raw]})
        return True

    def _begin(
        self, inbound: Inbound, held: Member, page: Page, key: int, *, itself: bool
    ) -> _Life | None:
        """Begin to ask, if there is room and it did not go unanswered lately."""
        local = self._local
        if page.state is NodeState.LEFT:
            return None  # whoever has left answers nothing
        if not itself:
            if local.doubts(key):
                return None
            of_name = sum(life.name == page.name for life in self._lives.values())
            if of_name >= _OF_A_NAME or len(self._lives) >= _IN_ALL:
                return None
        self._make_room(page.name)
        probe = local.probe_id()
        life = _Life(page.name, page.generation, key, probe, local.now)
        self._lives[key] = self._by_probe[probe] = life
        over = local.now + _WAITS * local.config.gossip_interval
        life.timer = local.timers.at(over, self._ask, life)
        if not held.trail or held.trail[-1].kind is not EvidenceKind.LATER_LIFE:
            by = inbound.sender.name if inbound.sender is not None else UNKNOWN_NODE
            address = format_address(page.addresses[0]) if page.addresses else ""
            held.note(
                local.now, EvidenceKind.LATER_LIFE, page.name if itself else by, address=address
            )
        return life

    def _make_room(self, name: NodeId) -> None:
        """Drop the oldest one of a name, or of all, for one that speaks for itself."""
        of_name = [life for life in self._lives.values() if life.name == name]
        if len(of_name) >= _OF_A_NAME:
            self._end(of_name[0])
        elif len(self._lives) >= _IN_ALL:
            self._end(next(iter(self._lives.values())))

    def _keep(self, inbound: Inbound, life: _Life, page: Page) -> None:
        """Keep a page for when it counts; pass it on, so that no hop waits for another's answer."""
        old = life.pages.get(page.number)
        if old is not None and old.version >= page.version:
            return
        if old is None and len(life.pages) >= _PAGES:
            return
        life.pages[page.number] = page
        if page.number == 0:
            local = self._local
            until = life.began + _WAITS * local.config.gossip_interval
            local.doubt(life.key, until, life.name)
        if life.name in self._contested or wire.OPT_MORE in inbound.frame.options:
            return
        self._refill()
        if self._left >= 0.5 * self._most():
            self._left -= self._broadcasts.relay(page.raw)

    # -- asking ----------------------------------------------------------------------------------

    def _most(self) -> float:
        return _BUDGET + _FOR_EACH * self._local.table.live_count()

    def _refill(self) -> None:
        most = self._most()
        gained = (self._local.now - self._filled_at) * most / _REFILLED_IN
        self._left = min(most, self._left + gained)
        self._filled_at = self._local.now

    def _may_spend(self, size: int) -> bool:
        self._refill()
        if self._left < size:
            return False
        self._left -= size
        return True

    def _ask(self, life: _Life, *, free: bool = False) -> None:
        """Ask at its address, unless the matter has ended meanwhile; ``free``: whatever is left."""
        local = self._local
        if life.timer is not None:
            # What this node itself stood still for is not taken from the time for an answer.
            life.began += max(0.0, local.now - life.timer.when)
            cancel(life.timer)
        life.timer = None
        if self._lives.get(life.key) is not life:
            return
        held = local.table.by_name.get(life.name)
        if held is not None and held.generation >= life.generation:
            self._end(life)
            return
        if held is None or not local.stands(held.name):
            self._accepted(life)
            return
        if local.now - life.began >= _WAITS * local.config.gossip_interval:
            if local.me.key not in held.accusers:
                self._fail(life, held)
                return
            # The life held did not answer this node either: if it dies, this one counts.
            life.timer = local.timers.at(local.now + local.config.probe_time, self._ask, life)
            return
        zero = life.pages.get(0)
        tries = _FEW_TRIES if life.name in self._contested else _TRIES
        if zero is not None and life.asked < tries and (free or self._may_spend(_QUESTION)):
            addresses = zero.addresses
            to = Stranger(addresses[life.asked % len(addresses)], life.key)
            self._outbox.send(wire.SYN, to, probe=life.probe)
            local.stats.later_lives_asked += 1
            life.asked += 1
            if life.asked == min(_HELD_TOO, tries):
                self._probes.start(held, Purpose.SUSPICION)
        units = _AGAIN[life.asked - 1] if 0 < life.asked <= len(_AGAIN) else 0
        since = life.began + units * local.config.resend_base
        when = since if since > local.now else local.now + _THEN * local.config.resend_base
        life.timer = local.timers.at(when, self._ask, life)

    def takes_over(self, held: Member) -> bool:
        """Let a later life take the place of one that would be declared dead now [P129].

        False: none is announced of it.
        """
        of_name = [life for life in self._lives.values() if life.name == held.name]
        whole = [life for life in of_name if 0 in life.pages]
        if not whole:
            return False
        last = max(whole, key=lambda life: life.generation)
        self._tell_held(held, last.pages[0])
        self._accepted(last)
        return True

    def answered(self, probe: int, sender: int) -> bool:
        """Take an ACK; True: it answers such a question, and that life counts from now on."""
        life = self._by_probe.get(probe)
        if life is None:
            return False
        if life.key == sender:
            self._accepted(life)
        else:
            self._local.stats.drop(Drop.WRONG_ANSWERER)
        return True

    def _accepted(self, life: _Life) -> None:
        self._end(life)
        pages = [life.pages[number] for number in sorted(life.pages)]
        self._accept(pages, life.name)

    def _fail(self, life: _Life, held: Member) -> None:
        """Nobody has answered: the life held stays, and its name is contested for a while."""
        local = self._local
        self._end(life)
        local.stats.drop(Drop.UNPROVED_LIFE)
        local.doubt(life.key, local.now + _REMEMBERED, life.name)
        before = self._contested.get(life.name, -inf)
        self._contested.pop(life.name, None)
        if len(self._contested) >= _MOST_REMEMBERED:
            del self._contested[next(iter(self._contested))]
        self._contested[life.name] = local.now
        local.timers.at(local.now + _REMEMBERED, self._calm, life.name)
        if local.now - before >= _REMEMBERED:
            zero = life.pages.get(0)
            addresses = zero.addresses if zero is not None else ()
            address = format_address(addresses[0]) if addresses else ""
            held.note(local.now, EvidenceKind.LATER_LIFE_SILENT, local.own.name, address=address)
            local.events.append(events.NameClaimed(local.now, life.name, addresses))

    def _calm(self, name: NodeId) -> None:
        if self._contested.get(name, self._local.now) <= self._local.now - _REMEMBERED:
            del self._contested[name]

    def _end(self, life: _Life) -> None:
        cancel(life.timer)
        life.timer = None
        self._lives.pop(life.key, None)
        self._by_probe.pop(life.probe, None)
        self._local.believe(life.key)

    def forget(self, name: NodeId) -> bool:
        """Drop what is announced of a name, by hand. False: nothing is."""
        of_name = [life for life in self._lives.values() if life.name == name]
        for life in of_name:
            self._end(life)
            self._local.doubt(life.key, self._local.now + _REMEMBERED, name)
        return bool(of_name)
