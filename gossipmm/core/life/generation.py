"""The generations of this node: how one begins, its heartbeat, and why another one is taken."""

from __future__ import annotations

from typing import Final

from gossipmm.core.life.own_suspicions import OwnSuspicions
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.charges import Charges
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import (
    MAX_GENERATION,
    MOST_AHEAD,
    Address,
    Generation,
    Heartbeat,
    NodeId,
    make_generation,
)
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page
from gossipmm.mechanisms import Mechanism

__all__ = ("OwnGenerations",)

#: Shortest time between two generations taken by itself, doubling up to the longest.
_RENEW_MIN, _RENEW_MAX = 10.0, 600.0
#: Rises in an interval for accusations at heartbeats that were never issued, at most.
_RISES: Final = 10
#: Heartbeats by which it rises at once: the counter lasts for a week of that.
_FAR: Final = 1000
#: Refutations that are pushed at once, and seconds after which one more is: each costs every node
#: as much as 800 bytes. At 25 % loss a node refutes less than twice a minute.
_PUSHES, _PUSH_AGAIN = 2.0, 30.0


class OwnGenerations:
    """Begins this node's generations, writes their pages and raises their heartbeats."""

    def __init__(self, local: LocalState, broadcasts: BroadcastQueue) -> None:
        self._local = local
        self._broadcasts = broadcasts
        self._suspicions = OwnSuspicions(local)
        self._born_ms = local.own.generation >> 16
        self._born_at = local.now
        self._renew_after = local.now
        self._renew_wait = _RENEW_MIN
        self._renewal: Token | None = None
        #: When it may raise its heartbeat for an accusation ahead of it again.
        self._answer_after = local.now
        self._ask_after = local.now  # for a page that says that it left
        self._first_hand = Mechanism.FIRST_HAND_REFUTES not in local.without
        #: Refutations pushed lately.
        self._pushed = Charges(_PUSH_AGAIN)

    def begin(self, pages: list[Page]) -> None:
        """Put this node's own record into the table, alive."""
        local = self._local
        own = local.own
        key = wire.record_key(local.config.cluster, own.name, own.generation)
        me = Member(own.name, own.generation, key)
        me.k = own.heartbeat
        me.heard = local.now
        local.me = local.table.me = me
        local.table.insert(me, local.now)
        for page in pages:
            local.table.replace_page(me, page, local.now)

    def write(self, pages: list[Page]) -> None:
        """Put changed pages of this node into the table, and on the way to the others."""
        local = self._local
        for page in pages:
            local.table.replace_page(local.me, page, local.now)
            if not local.own.left:
                self._broadcasts.page(local.me, page.number)

    def move(self, addresses: tuple[Address, ...]) -> None:
        """Announce other addresses, in page 0. Raises ConfigError, LimitError [P2]."""
        local = self._local
        previous = local.own.addresses
        if addresses == previous or local.own.leaving:
            return
        self.write([local.own.move(addresses)])
        local.events.append(events.AddressChanged(local.now, local.own.name, previous, addresses))

    def raise_heartbeat(self) -> None:
        """Issue the next heartbeat; at the end of the counter, take another generation.

        [P19]
        """
        own = self._local.own
        if own.heartbeat < wire.MAX_COUNTER - 1:
            own.heartbeat += 1
        else:
            self.renew(RenewalReason.HEARTBEAT_EXHAUSTED, own.name)

    def _generation_above(self, above: Generation) -> Generation:
        """Return a generation for now, above ``above`` and above the current one.

        No further than a day ahead of this node's clock: others would refuse it [P14].
        """
        local = self._local
        if local.ahead(above) > MOST_AHEAD:
            above = 0
        wall = self._born_ms + int((local.now - self._born_at) * 1000)
        return make_generation(wall, local.rng, above=max(above, local.own.generation))

    def renew(
        self,
        reason: RenewalReason,
        reporter: NodeId,
        above: Generation = 0,
        *,
        at_once: bool = False,
    ) -> None:
        """Take a new generation, at most once in ten seconds, with backoff [P18].

        ``reporter``: who told what made it necessary; this node itself where nobody did.
        ``at_once``: what made it necessary cannot be said by a forger alone, so nothing waits for
        the backoff, which is as it was afterwards.
        """
        local = self._local
        if local.own.leaving:
            return
        if at_once:
            cancel(self._renewal)
            self._renewal = None
            self._renew(reason, reporter, above)
            return
        if local.now < self._renew_after:
            if self._renewal is None:
                self._renewal = local.timers.at(
                    self._renew_after, self._renew_late, (reason, reporter, above)
                )
            return
        cancel(self._renewal)
        self._renewal = None
        calm = local.now - self._renew_after > _RENEW_MAX
        self._renew_wait = _RENEW_MIN if calm else min(2 * self._renew_wait, _RENEW_MAX)
        self._renew_after = local.now + self._renew_wait
        self._renew(reason, reporter, above)

    def _renew_late(self, wanted: tuple[RenewalReason, NodeId, Generation]) -> None:
        self._renewal = None
        self.renew(*wanted)

    def _renew(self, reason: RenewalReason, reporter: NodeId, above: Generation) -> None:
        local = self._local
        generation = self._generation_above(above)
        if generation >= MAX_GENERATION:
            return  # somebody forged the highest generation there is: nothing can supersede it
        previous = local.own.generation
        local.table.remove(local.me, local.now)
        local.table.close(local.own.name, previous)
        self.begin(local.own.begin(generation))
        for number in local.me.pages:
            self._broadcasts.page(local.me, number)
        local.stats.renewals += 1
        local.me.note(local.now, EvidenceKind.RENEWED, reporter, reason=reason)
        local.events.append(
            events.GenerationRenewed(local.now, generation, previous, reason, reporter)
        )

    def hear_known(self, known: Heartbeat, reporter: Member | None) -> None:
        """A SYN says which heartbeat of this node its sender knows: this one is to be above.

        [P63]
        """
        if known > self._local.own.heartbeat:
            self._local.stats.drop(Drop.OWN_HEARTBEAT)
            if self._local.all_sign:
                self._rise_to(known)
            elif reporter is not None:
                self.renew(RenewalReason.FOREIGN_HEARTBEAT, reporter.name)
        elif known == self._local.own.heartbeat:
            self.raise_heartbeat()

    def hear_of_me(
        self, inbound: Inbound, heartbeat: int, claim: int, reporter: Member, *, answer: bool
    ) -> None:
        """Take a row about this node: refute it, or notice that it is out of date [P17, P38].

        ``answer``: whether the reporter is told as well.
        """
        local = self._local
        own = local.own
        if own.leaving:
            return
        accused = claim == wire.SUSPECT or claim == wire.DEAD
        if accused and heartbeat > own.heartbeat and self._first_hand:
            heartbeat = self._accused_ahead()
        if heartbeat > own.heartbeat:
            local.stats.drop(Drop.OWN_HEARTBEAT)
            if local.all_sign:
                self._rise_to(heartbeat)
                return
            self.renew(RenewalReason.FOREIGN_HEARTBEAT, reporter.name)
        elif claim == wire.LEFT:
            local.stats.drop(Drop.OWN_LEFT)
            if local.all_sign:  # only a copy of this process can have signed that: it is shown
                if local.now >= self._ask_after:
                    self._ask_after = local.now + local.config.gossip_interval
                    inbound.reply.wants.append([local.me.key, wire.vector(local.me.versions)])
            else:
                self.renew(RenewalReason.FOREIGN_LEAVE, reporter.name)
        elif accused:
            if heartbeat == own.heartbeat:
                self.raise_heartbeat()
                local.stats.own_refutations += 1
                self._suspicions.refuted()
                local.me.note(
                    local.now, EvidenceKind.REFUTED_OWN, reporter.name, heartbeat=own.heartbeat
                )
                self._push_refutation()
            frame = inbound.frame
            known = frame.known if frame.target == local.me.key else 0
            if answer and known < own.heartbeat:
                # A reporter that knows it already lacks only the answer to a probe, and would
                # answer this.
                inbound.reply.rows.append(local.own_row())

    def _rise_to(self, heartbeat: Heartbeat) -> None:
        """Rise above a heartbeat that this node never issued, where all have to sign.

        No other life begins for it: whoever says so could end one after the other. Ten times in an
        interval, and not far, so that nobody takes the counter to its end [P157].
        """
        local, own = self._local, self._local.own
        if local.now >= self._answer_after and heartbeat - own.heartbeat <= _FAR:
            self._answer_after = local.now + local.config.gossip_interval / _RISES
            own.heartbeat = heartbeat
            self.raise_heartbeat()

    def _accused_ahead(self) -> int:
        """Return the heartbeat at which an accusation ahead of all that this node said counts.

        At its own, so that it rises; at most ten times in an interval, and below it otherwise. It
        never takes a new generation for that: whoever accuses could then end its life [P38].
        """
        local = self._local
        local.stats.drop(Drop.OWN_HEARTBEAT)
        if local.now < self._answer_after:
            return local.own.heartbeat - 1
        self._answer_after = local.now + local.config.gossip_interval / _RISES
        return local.own.heartbeat

    def _push_refutation(self) -> None:
        """Push the new heartbeat; often accused, only let it ride on exchanges [P133].

        Whoever holds this node suspect says so in each datagram to it, and asks before it declares
        it dead.
        """
        local = self._local
        if self._pushed.room(local.now, _PUSHES) or Mechanism.QUIET_HEARSAY in local.without:
            self._pushed.add(local.now, _PUSHES)
            self._broadcasts.claim(local.me)
        else:
            self._broadcasts.piggyback(local.me)
