"""The slow care for the dead: tried again, reaped; and for this node, alone for very long."""

from __future__ import annotations

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.suspicion import crowd, retry_probability, retry_weight
from gossipmm.core.life.closed_generations import ClosedGenerations
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sending.outbox import Context
from gossipmm.core.sending.seeds import Seeds
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.types import Status
from gossipmm.mechanisms import Mechanism

__all__ = ("Reaper",)


class Reaper:
    """Probes the dead now and then, and forgets who is gone for ``reap_after``."""

    def __init__(
        self,
        context: Context,
        detector: Detector,
        own_generations: OwnGenerations,
        closed: ClosedGenerations,
        probes: Probes,
        seeds: Seeds,
    ) -> None:
        self._c = context
        self._detector = detector
        self._own = own_generations
        self._closed = closed
        self._probes = probes
        self._seeds = seeds
        #: Since when nobody was reached, if nobody was ever since.
        self._alone_since = context.now

    def begin(self) -> None:
        """Begin to look for records to be reaped."""
        c = self._c
        c.timers.at(c.now + self._reap_every(), self._reap)

    def _reap_every(self) -> float:
        return min(300.0, max(0.5, self._c.config.reap_after / 20))

    def try_gone(self) -> None:
        """Once an interval: probe whoever may be returning, and perhaps one of the dead [P44]."""
        c = self._c
        members = c.table.live_count()
        if Mechanism.DEAD_RETRY in c.without:
            return
        dead: list[Member] = []
        ages: list[float] = []
        for member in list(c.table.gone.values()):
            if member.status is Status.RETURNING:
                if c.chance(crowd(members)):
                    self._probes.start(member, Purpose.RETURNING)
            elif member.status is Status.DEAD:
                dead.append(member)
                ages.append(c.now - member.gone_at)
        if not dead or not c.chance(retry_probability(ages, members, c.config.gossip_interval)):
            return
        weights = [retry_weight(age) + 0.01 for age in ages]
        self._probes.start(c.rng.choices(dead, weights)[0], Purpose.DEAD)

    def _reap(self, _: object) -> None:
        c = self._c
        c.timers.at(c.now + self._reap_every(), self._reap)
        limit = c.config.reap_after
        for member in list(c.table.by_key.values()):
            if member is c.me or member.key in c.table.peers:
                continue
            gone_at = member.gone_at if member.key in c.table.gone else member.since
            if c.now - gone_at > limit:
                self._closed.close(member)

    def watch_loneliness(self) -> None:
        """Once an interval: nobody was reached for so long that the others may have moved on."""
        c = self._c
        if c.now - max(c.last_heard, self._alone_since) > c.config.reap_after / 2:
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Nobody reached for reap_after / 2: the others may have reaped what is held here [P51].

        Forget all but the own record, keep the addresses as seeds, join as a new generation.
        """
        c = self._c
        self._alone_since = c.now
        others = [member for member in c.table.by_key.values() if member is not c.me]
        if not others:
            return
        addresses = [member.addresses[0] for member in others if member.complete]
        seeds = self._seeds
        seeds.addresses = list(dict.fromkeys([*seeds.addresses, *addresses]))[:256]
        for member in others:
            self._detector.forget(member)
            c.table.remove(member, c.now)
            c.events.append(events.MemberReaped(c.now, member.name, member.generation))
        c.table.joined = c.table.agreed = c.table.knows_gone = False
        self._own.renew("nobody reached for half of reap_after")
