"""This node's own identity: generations, conflicts, leaving, closed generations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Context
from gossipmm.core.sending.replies import Replies
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import (
    MAX_GENERATION,
    Address,
    Generation,
    NodeId,
    NodeState,
    Status,
    make_generation,
)
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page
from gossipmm.mechanisms import Mechanism

#: Shortest time between two generations taken by itself, doubling up to the longest.
_RENEW_MIN, _RENEW_MAX = 10.0, 600.0
#: Superseded keys remembered, so that who still uses one is told.
_SUPERSEDED: Final = 4096
#: Earlier lives of this node's name that were told as conflicts, remembered.
_CONFLICTS: Final = 256
#: A leave is told again after these times (seconds) to whom did not confirm.
_LEAVE_AGAIN: Final = (0.05, 0.1, 0.2, 0.4, 0.8)


class Conflict:
    """Another live process uses this node's name, with a higher generation."""

    __slots__ = ("answered", "key", "page", "probe")

    def __init__(self, page: Page, key: int, now: float, probe: int) -> None:
        self.page = page
        self.key = key
        self.answered = now
        self.probe = probe


class Lifecycle:
    """Births, renewals and ends of this node's own lives, and of others' closed ones."""

    def __init__(
        self,
        context: Context,
        detector: Detector,
        broadcasts: BroadcastQueue,
        replies: Replies,
        *,
        tell_seeds: Callable[[int], None],
    ) -> None:
        self._c = context
        self._detector = detector
        self._broadcasts = broadcasts
        self._replies = replies
        self._tell_seeds = tell_seeds
        self._born_ms = context.own.generation >> 16
        self._born_at = context.now
        self._renew_after = context.now
        self._renew_wait = _RENEW_MIN
        self._renewal: Token | None = None
        self._superseded_keys: dict[int, NodeId] = {}
        self._conflict_told: set[int] = set()
        self.conflict: Conflict | None = None
        self.leaving = False
        self.left = False
        self._leave_probe = 0
        self._leave_told: dict[int, Member] = {}
        self._confirmed: set[int] = set()
        self._leave_tries = 0

    # -- this life ---------------------------------------------------------------------------

    def begin(self, pages: list[Page]) -> None:
        """Put this node's own record into the table, alive."""
        c = self._c
        own = c.own
        key = wire.record_key(c.config.cluster, own.name, own.generation)
        me = Member(own.name, own.generation, key)
        me.k = own.heartbeat
        me.heard = c.now
        c.me = c.table.me = me
        c.table.insert(me, c.now)
        for page in pages:
            c.table.replace_page(me, page, c.now)

    def write(self, pages: list[Page]) -> None:
        """Own pages changed: into the table, and on the way to the others."""
        c = self._c
        for page in pages:
            c.table.replace_page(c.me, page, c.now)
            if not self.left:
                self._broadcasts.page(c.me, page.number)

    def raise_heartbeat(self) -> None:
        """Issue the next heartbeat; a life whose counter is at its end is followed by another."""
        own = self._c.own
        if own.heartbeat < wire.MAX_COUNTER - 1:
            own.heartbeat += 1
        else:
            self.renew("its heartbeat is at its end")

    def generation_above(self, floor: Generation) -> Generation:
        """A generation for now that is above ``floor`` and above the current one."""
        c = self._c
        wall = self._born_ms + int((c.now - self._born_at) * 1000)
        return make_generation(wall, c.rng, floor=max(floor, c.own.generation))

    def renew(self, reason: str, floor: Generation = 0) -> None:
        """Take a new generation, at most once in ten seconds (backing off)."""
        c = self._c
        if self.leaving:
            return
        if c.now < self._renew_after:
            if self._renewal is None:
                self._renewal = c.timers.at(self._renew_after, self._renew_late, (reason, floor))
            return
        cancel(self._renewal)
        self._renewal = None
        calm = c.now - self._renew_after > _RENEW_MAX
        self._renew_wait = _RENEW_MIN if calm else min(2 * self._renew_wait, _RENEW_MAX)
        self._renew_after = c.now + self._renew_wait
        self._renew(reason, floor)

    def _renew_late(self, wanted: tuple[str, Generation]) -> None:
        self._renewal = None
        reason, floor = wanted
        self.renew(reason, floor)

    def _renew(self, reason: str, floor: Generation) -> None:
        c = self._c
        generation = self.generation_above(floor)
        if generation >= MAX_GENERATION:
            return  # somebody forged the last generation there is: nothing can supersede it
        previous = c.own.generation
        self.conflict = None
        c.table.remove(c.me, c.now)
        c.table.close(c.own.name, previous)
        self.begin(c.own.begin(generation))
        for number in c.me.pages:
            self._broadcasts.page(c.me, number)
        c.stats.renewals += 1
        c.me.note(c.now, EvidenceKind.RENEWED, c.own.name, reason)
        c.events.append(events.GenerationRenewed(c.now, generation, previous, reason))

    # -- what others say of this node --------------------------------------------------------

    def hear_of_me(self, heartbeat: int, claim: int, teller: Member) -> None:
        """A row about this node itself: refute, or find out that it is out of date."""
        c = self._c
        own = c.own
        if self.leaving:
            return
        if heartbeat > own.heartbeat:
            c.stats.drop(Drop.OWN_HEARTBEAT)
            self.renew(f"{teller.name} told a heartbeat that this node never issued")
        elif claim == wire.LEFT:
            c.stats.drop(Drop.OWN_LEFT)
            self.renew(f"{teller.name} told that this node left")
        elif claim == wire.SUSPECT or claim == wire.DEAD:
            if heartbeat == own.heartbeat:
                self.raise_heartbeat()
                c.stats.own_refutations += 1
                c.me.note(
                    c.now, EvidenceKind.REFUTED_OWN, teller.name, f"heartbeat {own.heartbeat}"
                )
                self._broadcasts.claim(c.me)
            if c.known_to_sender < own.heartbeat:
                # Whoever knows it already lacks an answer to a probe, and would answer this one.
                c.reply.rows.append(c.own_row())

    def own_page(self, page: Page, teller: Member | None) -> None:
        """A page in this node's own name."""
        c = self._c
        own = c.own
        if page.generation == own.generation:
            held = c.me.pages.get(page.number)
            if held is not None and (held.version > page.version or held.raw == page.raw):
                return
            c.stats.drop(Drop.OWN_RECORD)
            if teller is not None:
                self.renew(f"{teller.name} told a page that this node never wrote")
            return
        if page.generation < own.generation:
            self._older_life(page)
            return
        overlap = set(page.addresses) & set(own.addresses)
        if not own.acknowledged or page.state is NodeState.LEFT or overlap:
            self.renew("the cluster remembers a later generation of this name", page.generation)
        elif page.number == 0 and teller is not None:
            self._conflict(page)

    def _older_life(self, page: Page) -> None:
        """An earlier life of this name is still told, or still lives elsewhere."""
        c = self._c
        c.reply.pages.append(c.me.pages[0].raw)
        key = wire.record_key(c.config.cluster, page.name, page.generation)
        lives = key == c.sender_key and page.number == 0
        elsewhere = not set(page.addresses) & set(c.own.addresses)
        if lives and elsewhere and key not in self._conflict_told:
            if len(self._conflict_told) >= _CONFLICTS:
                self._conflict_told.clear()
            self._conflict_told.add(key)
            c.stats.conflicts += 1
            self._tell_conflict(ours=False, older=page.addresses, newer=c.own.addresses)

    def _conflict(self, page: Page) -> None:
        c = self._c
        if self.conflict is not None and self.conflict.page.generation >= page.generation:
            return
        key = wire.record_key(c.config.cluster, page.name, page.generation)
        new = self.conflict is None
        self.conflict = Conflict(page, key, c.now, c.rng.getrandbits(64) or 1)
        if new:
            c.stats.conflicts += 1
            self._tell_conflict(ours=True, older=c.own.addresses, newer=page.addresses)
        self.watch_conflict()

    def _tell_conflict(
        self, *, ours: bool, older: tuple[Address, ...], newer: tuple[Address, ...]
    ) -> None:
        c = self._c
        c.me.note(c.now, EvidenceKind.CONFLICT, c.own.name, f"older {older[0]}, newer {newer[0]}")
        c.events.append(events.NameConflict(c.now, c.own.name, ours, older, newer))

    def watch_conflict(self) -> None:
        """Once an interval, ask whether the other process with this name still lives."""
        c = self._c
        conflict = self.conflict
        if conflict is None:
            return
        if c.now - conflict.answered > 2 * c.config.suspicion_max:
            self.renew("the other node of this name is gone", conflict.page.generation)
            return
        c.send(
            wire.SYN,
            None,
            address=conflict.page.addresses[0],
            target=conflict.key,
            probe=conflict.probe,
            options={wire.OPT_PAGES: [c.me.pages[0].raw]},
        )

    def conflict_answered(self, probe: int, sender: int) -> bool:
        """True when an ACK answers the conflict watch."""
        conflict = self.conflict
        if conflict is None or probe != conflict.probe:
            return False
        if sender == conflict.key:
            conflict.answered = self._c.now
        return True

    # -- others' generations -------------------------------------------------------------------

    def supersede(self, held: Member, page: Page) -> None:
        """A higher generation of a name is heard of: its old registrations go at once."""
        c = self._c
        if held.status not in (Status.UNKNOWN, Status.LEFT):
            if len(c.table.superseded) >= _SUPERSEDED:
                del c.table.superseded[next(iter(c.table.superseded))]
            c.table.superseded[held.name] = held.generation
        if len(self._superseded_keys) >= _SUPERSEDED:
            del self._superseded_keys[next(iter(self._superseded_keys))]
        self._superseded_keys[held.key] = held.name
        self._detector.forget(held)

    def page_changed(self, member: Member, before: tuple[Address, ...]) -> None:
        """Ask for what a new record still lacks; tell a change of address within a life."""
        c = self._c
        if not member.complete:
            c.reply.wants.append([member.key, wire.vector(member.versions)])
        elif before and before != member.addresses:
            c.events.append(events.AddressChanged(c.now, member.name, before, member.addresses))

    def stranger(self, key: int, wants: Iterable[Sequence[Any]], *, asks: bool) -> None:
        """A datagram of an unknown key: an old life, a closed one, or somebody new.

        If it asks who this node is, it is told: else two that hold nothing of each other would
        ask one another for ever. That its life is over it is told only when it ``asks`` (by a
        SYN): two that have closed each other would otherwise tell one another for ever.
        """
        c = self._c
        if any(want[0] == c.me.key for want in wants):
            c.reply.pages.append(c.me.pages[0].raw)
        name = self._superseded_keys.get(key)
        member = c.table.by_name.get(name) if name is not None else None
        floor = c.table.floor_of_key(key)
        if member is not None and member.complete:
            if asks:
                c.reply.pages.append(member.pages[0].raw)
        elif floor is not None:
            if asks:
                c.reply.floors.append(list(floor))
        else:
            self._replies.ask(key)

    def hear_floors(self, floors: list[list[object]], teller: Member | None) -> None:
        """Generations that somebody closed.

        A stranger (``teller`` None) that answers a question of this node's is heard, but of this
        node's own name only.
        """
        c = self._c
        by = teller.name if teller is not None else "the other side of a split"
        for name, generation, *_ in floors:
            assert isinstance(name, str)
            assert isinstance(generation, int)
            if not 0 < generation < MAX_GENERATION:
                c.stats.drop(Drop.OUT_OF_RANGE)
            elif name == c.own.name:
                if generation >= c.own.generation:
                    self.renew(f"{by} told that this generation is closed", generation)
            elif teller is not None:
                self._hear_floor(name, generation)

    def _hear_floor(self, name: NodeId, generation: Generation) -> None:
        c = self._c
        member = c.table.by_name.get(name)
        if member is None or member.generation > generation:
            return
        if member.key in c.table.peers:
            # It lives: its owner takes a new generation when it is told.
            c.send(wire.NEWS, member, options={wire.OPT_FLOORS: [[name, generation]]})
        else:
            self.close(member)

    def close(self, member: Member) -> None:
        """Reap a record: its generation, and every lower one, never returns."""
        c = self._c
        self._detector.forget(member)
        c.table.remove(member, c.now)
        if Mechanism.FLOORS not in c.without:
            c.table.close(member.name, member.generation)
        c.stats.reaped += 1
        c.events.append(events.MemberReaped(c.now, member.name, member.generation))

    def forget(self, name: NodeId) -> bool:
        """Close a dead or left generation by hand, everywhere."""
        c = self._c
        member = c.table.by_name.get(name)
        if member is None or member.key not in c.table.gone:
            return False
        floor = [[name, member.generation]]
        self.close(member)
        for peer in c.peers.all():
            c.send(wire.NEWS, peer, options={wire.OPT_FLOORS: floor})
        return True

    # -- leaving -------------------------------------------------------------------------------

    def leave(self) -> None:
        """Say to every live member that this node leaves, and count who confirms."""
        c = self._c
        if self.leaving:
            return
        self.leaving = True
        c.table.replace_page(c.me, c.own.set_state(NodeState.LEFT), c.now)
        self._leave_probe = c.rng.getrandbits(64) or 1
        self._leave_told = dict(c.table.peers) if self.conflict is None else {}
        if not c.table.peers and self.conflict is None:
            self._tell_seeds(self._leave_probe)  # one may hold this record since the last knock
        c.timers.at(c.now + c.config.leave_timeout, self._leave_over)
        self._tell_leave(None)

    def _tell_leave(self, _: object) -> None:
        c = self._c
        waiting = [m for key, m in self._leave_told.items() if key not in self._confirmed]
        if not waiting:
            self._leave_over(None)
        if self.left:
            return
        options = {wire.OPT_PAGES: [c.me.pages[0].raw]}
        for member in waiting:
            c.send(wire.SYN, member, probe=self._leave_probe, options=options)
        wait = _LEAVE_AGAIN[min(self._leave_tries, len(_LEAVE_AGAIN) - 1)]
        self._leave_tries += 1
        c.timers.at(c.now + wait, self._tell_leave)

    def leave_confirmed(self, probe: int, sender: int) -> bool:
        """True when an ACK confirms the leave."""
        if not self.leaving or probe != self._leave_probe:
            return False
        if sender in self._leave_told:
            self._confirmed.add(sender)
            if len(self._confirmed) == len(self._leave_told):
                self._leave_over(None)
        return True

    def _leave_over(self, _: object) -> None:
        c = self._c
        if not self.left:
            self.left = True
            told = len(self._leave_told)
            c.events.append(events.LeaveFinished(c.now, len(self._confirmed), told))
