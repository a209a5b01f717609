"""Name conflicts: pages in this node's own name that it did not write."""

from __future__ import annotations

from typing import Final

from gossipmm.addresses import format_address
from gossipmm.core.failure.probes import Probes
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import UNKNOWN_NODE, Address, Generation, NodeId, NodeState, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page

__all__ = ("NameConflict",)

#: Earlier generations of this node's name that were announced as conflicts.
_TOLD: Final = 256


class Conflict:
    """Another live process uses this node's name, with a higher generation than ``ours``."""

    __slots__ = (
        *(
            "answered",
            "asked",
            "confirmed",
            "held_dead_by",
            "key",
            "lived",
            "ours",
            "page",
            "probe",
        ),
    )

    def __init__(self, page: Page, key: int, ours: Generation, now: float, probe: int) -> None:
        self.page = page
        self.key = key
        self.ours = ours
        #: When it last answered this node, or others reached it as they tell.
        self.answered = now
        #: True once it answered this node: a process, and not only a page that somebody wrote.
        self.lived = False
        #: True once it lived, or a member that was asked answered that it holds that life.
        self.confirmed = False
        #: The last member that told that it holds it dead, since it answered.
        self.held_dead_by = UNKNOWN_NODE
        self.probe = probe
        #: How often it was asked.
        self.asked = 0


class NameConflict:
    """Distinguishes this node's earlier lives from another process; asks whether that lives."""

    def __init__(
        self, local: LocalState, outbox: Outbox, own_generations: OwnGenerations, probes: Probes
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._own = own_generations
        self._probes = probes
        #: When the next member that shows such a page is asked whether it holds that life.
        self._asks_after = local.now
        self._held: Conflict | None = None
        self._told: set[int] = set()

    @property
    def current(self) -> Conflict | None:
        """The conflict of this generation; a new one has none yet, and a mere page makes none."""
        held = self._claimed
        return held if held is not None and held.confirmed else None

    @property
    def _claimed(self) -> Conflict | None:
        held = self._held
        return held if held is not None and held.ours == self._local.own.generation else None

    def hear_page(self, inbound: Inbound, page: Page) -> None:
        """Take a page in this node's own name [P16, P120]."""
        local = self._local
        own = local.own
        reporter = inbound.sender
        if page.generation == own.generation:
            held = local.me.pages.get(page.number)
            if held is not None and (held.version > page.version or held.raw == page.raw):
                return
            local.stats.drop(Drop.OWN_RECORD)
            if reporter is not None:
                self._own.renew(RenewalReason.FOREIGN_PAGE, reporter.name)
            return
        if page.generation < own.generation:
            self._older_life(inbound, page)
            return
        other = self._claimed
        if (
            other is not None
            and other.lived
            and page.state is NodeState.LEFT
            and page.generation == other.page.generation
        ):
            self._over(other, page.name if reporter is None else reporter.name)
            return
        overlap = set(page.addresses) & set(own.addresses)
        never_both = page.state is NodeState.LEFT or overlap
        if not own.acknowledged or (never_both and inbound.is_answer):
            by = reporter.name if reporter is not None else UNKNOWN_NODE
            self._own.renew(RenewalReason.LATER_GENERATION, by, page.generation)
        elif page.number == 0 and (reporter is not None or inbound.is_answer):
            if not never_both:
                # The node that answers may be in a life that is not known here.
                self._begin(page, is_held=inbound.is_answer)
            if not inbound.is_answer and reporter and local.now >= self._asks_after:
                # Whoever holds that life shows it again in the answer. Others only pass it on.
                self._asks_after = local.now + local.config.gossip_interval
                self._probes.start(reporter, Purpose.ROUND)

    def _older_life(self, inbound: Inbound, page: Page) -> None:
        """Take a page of an earlier generation of this name, stale or of a live process."""
        local = self._local
        inbound.reply.pages.append(local.me.pages[0].raw)
        key = wire.record_key(local.config.cluster, page.name, page.generation)
        lives = key == inbound.frame.sender and page.number == 0
        elsewhere = not set(page.addresses) & set(local.own.addresses)
        if lives and elsewhere and key not in self._told:
            if len(self._told) >= _TOLD:
                self._told.clear()
            self._told.add(key)
            local.stats.conflicts += 1
            self._tell(ours=False, older=page.addresses, newer=local.own.addresses)

    def _begin(self, page: Page, *, is_held: bool) -> None:
        """Ask whether that process lives; ``is_held``: a member that was asked holds that life."""
        local = self._local
        held = self._claimed
        if held is not None and held.page.generation >= page.generation:
            if is_held and held.page.generation == page.generation:
                self._confirm(held)
            return
        if held is not None and held.lived and not is_held:
            return  # a mere page does not hide who answers
        key = wire.record_key(local.config.cluster, page.name, page.generation)
        self._held = Conflict(page, key, local.own.generation, local.now, local.probe_id())
        if held is not None and held.confirmed:
            self._held.confirmed = True
        elif is_held:
            self._confirm(self._held)
        if held is None:
            self.watch()

    def _confirm(self, conflict: Conflict) -> None:
        """Say once that another process has this node's name, or is held to."""
        if conflict.confirmed:
            return
        conflict.confirmed = True
        local = self._local
        local.stats.conflicts += 1
        self._tell(ours=True, older=local.own.addresses, newer=conflict.page.addresses)

    def _tell(self, *, ours: bool, older: tuple[Address, ...], newer: tuple[Address, ...]) -> None:
        local = self._local
        local.me.note(
            local.now,
            EvidenceKind.CONFLICT,
            local.own.name,
            older=format_address(older[0]),
            newer=format_address(newer[0]),
        )
        local.events.append(events.NameConflict(local.now, local.own.name, ours, older, newer))

    def watch(self) -> None:
        """Ask, once an interval, whether the other process with this name still lives [P121]."""
        local = self._local
        conflict = self._claimed if self._held is not None else None
        if conflict is None:
            return
        silent = local.now - conflict.answered
        by = conflict.held_dead_by
        if silent > (1 if by else 2) * local.config.suspicion_max:
            self._over(conflict, by or local.own.name)
            return
        # Nothing is known of paths to a stranger: each of its addresses has its turn.
        address = conflict.page.addresses[conflict.asked % len(conflict.page.addresses)]
        conflict.asked += 1
        self._outbox.send(
            wire.SYN,
            Stranger(address, conflict.key),
            probe=conflict.probe,
            options={wire.OPT_PAGES: [local.me.pages[0].raw]},
        )

    def _over(self, conflict: Conflict, reporter: NodeId) -> None:
        """Take the name back: at once from a process that is gone, never from a mere page."""
        if not conflict.confirmed:
            self._held = None  # nobody holds what somebody wrote: there is nothing to take back
            return
        above, lived = conflict.page.generation, conflict.lived
        self._own.renew(RenewalReason.CONFLICT_OVER, reporter, above, at_once=lived)

    def hear_claim(self, key: int, claim: int, age: float, reporter: Member) -> bool:
        """Return True for a claim about the other process: others tell whether it lives [P121].

        Two that cannot reach one another, but everybody else, would end one another in turn.
        """
        conflict = self._claimed if self._held is not None else None
        if conflict is None or key != conflict.key:
            return False
        if claim == wire.ALIVE:
            reached = self._local.now - age
            if reached > conflict.answered:
                conflict.answered = reached
                conflict.held_dead_by = UNKNOWN_NODE
        elif claim == wire.DEAD and reporter.status is Status.ALIVE:
            conflict.held_dead_by = reporter.name
        return True

    def answered(self, probe: int, sender: int) -> bool:
        """Return True when an ACK answers this watch."""
        conflict = self._claimed if self._held is not None else None
        if conflict is None or probe != conflict.probe:
            return False
        if sender == conflict.key:
            conflict.answered = self._local.now
            conflict.lived = True
            self._confirm(conflict)
            conflict.held_dead_by = UNKNOWN_NODE
        return True
