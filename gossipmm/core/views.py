"""What a reader sees of a node: its own record, its members, its health. It changes nothing."""

from __future__ import annotations

from gossipmm.core.failure.self_health import health_of
from gossipmm.core.parts import Parts
from gossipmm.core.sending.paths import Paths
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.table.peers import agreement_of
from gossipmm.core.table.table import Table
from gossipmm.core.values.types import (
    Address,
    Agreement,
    Evidence,
    Generation,
    Health,
    Heartbeat,
    MemberView,
    NodeId,
    OwnRegistration,
    PathView,
)

__all__ = ("NodeViews",)


class NodeViews:
    """The part of a ``Node`` that only reads."""

    table: Table
    _local: LocalState
    _parts: Parts
    _paths: Paths

    @property
    def name(self) -> NodeId:
        """This node's name."""
        return self._local.own.name

    @property
    def generation(self) -> Generation:
        """This node's current generation."""
        return self._local.own.generation

    @property
    def heartbeat(self) -> Heartbeat:
        """This node's current heartbeat."""
        return self._local.own.heartbeat

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Addresses that this node announces."""
        return self._local.own.addresses

    @property
    def leaving(self) -> bool:
        """True once ``leave`` was called."""
        return self._local.own.leaving

    @property
    def left(self) -> bool:
        """True once the leave is confirmed, or its time is over."""
        return self._local.own.left

    @property
    def conflict(self) -> tuple[Address, ...]:
        """Addresses of another live process with this node's name; empty without one."""
        conflict = self._parts.conflict.current
        return conflict.page.addresses if conflict is not None else ()

    def registrations(self, now: float) -> tuple[OwnRegistration, ...]:
        """Return what was registered with this node, and the seconds left to each at ``now``."""
        return self._local.own.leased(now)

    def registration(self, topic: str, host: str, now: float) -> OwnRegistration | None:
        """Return one registration made with this node; None when it is not registered here."""
        return self._local.own.leased_one(topic, host, now)

    def members(self) -> tuple[MemberView, ...]:
        """Return all known members, this node included, by name."""
        return tuple(self._view(m) for _, m in sorted(self._local.table.by_name.items()))

    def member(self, name: NodeId) -> MemberView | None:
        """Return one member; None when the name is unknown."""
        member = self._local.table.by_name.get(name)
        return self._view(member) if member is not None else None

    def _view(self, member: Member) -> MemberView:
        view = member.view()
        if member is self._local.me:
            view = view._replace(heartbeat=self._local.own.heartbeat, heard=self._local.now)
        elif self._local.distances.on:
            rtt, error = self._local.distances.estimate(member.key, self._local.now)
            view = view._replace(rtt=rtt, rtt_error=error)
        return self._parts.identities.view(view, member)

    def why(self, name: NodeId) -> tuple[Evidence, ...]:
        """Return the evidence trail of a member, oldest first; empty when the name is unknown."""
        member = self._local.table.by_name.get(name)
        return member.trail if member is not None else ()

    def paths(self) -> tuple[PathView, ...]:
        """Return what is wrong with the paths to members, as this node sees them."""
        return self._paths.troubles()

    def agreement(self) -> Agreement:
        """Return how many live peers agree with this table, which do not, and since when."""
        return agreement_of(self.table)

    def health(self, now: float) -> Health:
        """Return the health of this node: slow, deaf, its loss, what waits to be broadcast."""
        losses = self._parts.reply_loss.lost, self._parts.reply_loss.missed
        health = health_of(self._local, now, losses, self._parts.broadcasts.waiting)
        return health._replace(small_paths=self._paths.count_small())
