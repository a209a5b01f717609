"""Generations of other nodes that are over: superseded, reaped, or closed by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.life.capacity import Capacity
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.replies import Replies
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import (
    MAX_GENERATION,
    MOST_AHEAD,
    UNKNOWN_NODE,
    Generation,
    NodeId,
    Status,
)
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("ClosedGenerations",)

#: Superseded keys remembered, so that a node that still uses one is told.
_SUPERSEDED: Final = 4096
#: Seconds between two floors that are passed on to one owner, which takes a new generation less
#: often (P18).
_PASSED_ON_AFTER: Final = 5.0
#: Seconds after which this node believes another floor in its own name on hearsay. Honest ones come
#: once, when halves meet that had reaped each other.
_BELIEVED_AFTER: Final = 600.0


class ClosedGenerations:
    """Ends generations of others here, and says so to whoever still uses one."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        detector: Detector,
        own_generations: OwnGenerations,
        replies: Replies,
        binds: Callable[[NodeId], bool],
    ) -> None:
        """``binds``: whether only a name's own key ends its lives."""
        self._local = local
        self._outbox = outbox
        self._detector = detector
        self._own = own_generations
        self._replies = replies
        self._binds = binds
        self._superseded_keys: dict[int, NodeId] = {}
        #: Record key -> when its owner was last told of a floor.
        self._passed_on: dict[int, float] = {}
        self._believes_after = local.now
        self.capacity = Capacity(local, self.close)

    def supersede(self, held: Member) -> None:
        """Replace a lower generation of a name: its registrations go at once [P15]."""
        local = self._local
        if held.status is not Status.UNKNOWN:
            if len(local.table.superseded) >= _SUPERSEDED:
                del local.table.superseded[next(iter(local.table.superseded))]
            local.table.superseded[held.name] = held.past()
        self.remember(held.key, held.name)
        self._detector.forget(held)

    def remember(self, key: int, name: NodeId) -> None:
        """Remember a life below the one held of its name: what it asks is answered so [P15].

        Only what comes in the answer to its own question makes it take a generation above [P16].
        """
        if len(self._superseded_keys) >= _SUPERSEDED:
            del self._superseded_keys[next(iter(self._superseded_keys))]
        self._superseded_keys[key] = name

    def hear_stranger(self, inbound: Inbound) -> None:
        """Answer a datagram of an unknown key: an old generation, or a new node [P48, P82].

        If it asks who this node is, it is told: else two that hold nothing of each other would
        ask one another for ever. That its life is over it is told only when it asks by a SYN: two
        that have closed each other would otherwise tell one another for ever.
        """
        frame = inbound.frame
        asks = frame.kind == wire.SYN
        local = self._local
        if any(want[0] == local.me.key for want in frame.options.get(wire.OPT_WANT, ())):
            inbound.reply.pages += local.me.first_pages
        name = self._superseded_keys.get(frame.sender)
        member = local.table.by_name.get(name) if name is not None else None
        minimum = local.table.minimum_of_key(frame.sender)
        if member is not None and member.pages:
            if asks:
                inbound.reply.pages.append(member.any_page.raw)
                if member.complete:
                    # Whether it lives: a copy that ended must not keep the original away [P121].
                    self._replies.answer(inbound.reply, member)
        elif minimum is not None:
            if asks:
                inbound.reply.closed(*minimum)
        else:
            self._replies.ask(inbound.reply, frame.sender)

    def hear_minimums(
        self, minimums: list[list[object]], reporter: Member | None, *, is_answer: bool
    ) -> None:
        """Take generations that somebody closed [P49].

        A stranger (``reporter`` None) that answers a question of this node is heard, but only about
        this node's own name. ``is_answer``: it answers a question of this node, so that nobody
        passes on what he does not hold himself.
        """
        local = self._local
        by = reporter.name if reporter is not None else UNKNOWN_NODE
        for name, generation, *_ in minimums:
            assert isinstance(name, str)
            assert isinstance(generation, int)
            if not 0 < generation < MAX_GENERATION:
                local.stats.drop(Drop.OUT_OF_RANGE)
            elif local.ahead(generation) > MOST_AHEAD:
                local.stats.drop(Drop.AHEAD)
            elif name == local.own.name:
                counts = is_answer or (not self._binds(name) and self._may_believe())
                if generation >= local.own.generation and counts:
                    self._own.renew(RenewalReason.CLOSED, by, generation)
            elif reporter is not None:
                self._hear_minimum(name, generation)

    def _may_believe(self) -> bool:
        """Return whether a floor in this node's own name counts that nobody was asked for."""
        now = self._local.now
        if now < self._believes_after:
            self._local.stats.drop(Drop.UNPROVED_LIFE)
            return False
        self._believes_after = now + _BELIEVED_AFTER
        return True

    def _hear_minimum(self, name: NodeId, generation: Generation) -> None:
        local = self._local
        member = local.table.by_name.get(name)
        if member is None or member.generation > generation:
            return
        if self._binds(name) and member.key not in local.table.gone:
            local.stats.drop(Drop.UNSIGNED)
            return
        if member.key in local.table.peers:
            # It is alive: its owner takes a new generation when it is told; but not of every floor
            # that somebody tells.
            if local.now < self._passed_on.get(member.key, -inf) + _PASSED_ON_AFTER:
                return
            if len(self._passed_on) >= _SUPERSEDED:
                self._passed_on.clear()
            self._passed_on[member.key] = local.now
            self._outbox.send(wire.NEWS, member, options={wire.OPT_MINIMUMS: [[name, generation]]})
        else:
            self.close(member)

    def close(self, member: Member) -> None:
        """Reap a record: its generation, and every lower one, never returns [P47]."""
        local = self._local
        self._detector.forget(member)
        local.table.remove(member, local.now)
        if Mechanism.MINIMUM_GENERATIONS not in local.without:
            local.table.close(member.name, member.generation)
        local.stats.reaped += 1
        local.events.append(events.MemberReaped(local.now, member.name, member.generation))

    def forget(self, name: NodeId) -> bool:
        """Close the generation of one that is gone, or was never alive, everywhere [P50]."""
        table = self._local.table
        member = table.by_name.get(name)
        if member is None or not (member.key in table.gone or member.key in table.unheard):
            return False
        minimum = [[name, member.generation]]
        self.close(member)
        for peer in self._local.peers.all():
            self._outbox.send(wire.NEWS, peer, options={wire.OPT_MINIMUMS: minimum})
        return True
