"""Probes and reaps the dead, and starts over when this node was alone for very long."""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.suspicion import crowd, retry_probability, retry_weight
from gossipmm.core.life.closed_generations import ClosedGenerations
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sending.seeds import Seeds
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.types import Status
from gossipmm.mechanisms import Mechanism

__all__ = ("Reaper",)

#: The gone that are looked at in one interval, for one that is to be tried again: of thousands, a
#: sample tells how many there are of each age.
_LOOKED_AT: Final = 64
#: Records reaped at once, and seconds until the next ones: half of a large cluster may have died in
#: one moment, a day ago.
_REAPED_AT_ONCE: Final = 64
_REAPS_ON_AFTER: Final = 0.02


class Reaper:
    """Probes the dead now and then, and forgets members that are gone for ``reap_after``."""

    def __init__(
        self,
        local: LocalState,
        detector: Detector,
        own_generations: OwnGenerations,
        closed: ClosedGenerations,
        probes: Probes,
        seeds: Seeds,
    ) -> None:
        self._local = local
        self._detector = detector
        self._own = own_generations
        self._closed = closed
        self._probes = probes
        self._seeds = seeds
        #: Time since which nobody was reached.
        self._alone_since = local.now

    def begin(self) -> None:
        """Begin to look for records to reap."""
        local = self._local
        local.timers.at(local.now + self._reap_every(), self._reap)

    def _reap_every(self) -> float:
        return min(300.0, max(0.5, self._local.config.reap_after / 20))

    def try_gone(self, elapsed: float) -> None:
        """Probe members that may be returning, and perhaps a dead one [P44].

        ``elapsed``: seconds since the last time, which the probability goes by.
        """
        local = self._local
        members = local.table.live_count()
        if Mechanism.DEAD_RETRY in local.without:
            return
        dead: list[Member] = []
        ages: list[float] = []
        looked_at = self._some_gone()
        each_stands_for = len(local.table.gone) / max(1, len(looked_at))
        for member in looked_at:
            if member.status is Status.RETURNING and not self._is_only_told(member):
                if local.chance(min(1.0, crowd(members) * each_stands_for)):
                    self._probes.start(member, Purpose.RETURNING)
            elif member.status in (Status.DEAD, Status.RETURNING):
                dead.append(member)
                ages.append(local.now - member.gone_at)
        if not dead or not local.chance(
            retry_probability(ages, members / each_stands_for, elapsed)
        ):
            return
        weights = [retry_weight(age) + 0.01 for age in ages]
        self._probes.start(local.rng.choices(dead, weights)[0], Purpose.DEAD)

    def _is_only_told(self, member: Member) -> bool:
        """Return whether nothing but unsigned words say that one held dead may be returning."""
        buried = member.declared_dead_at
        return self._local.all_sign and buried is not None and member.seen_at < buried

    def _some_gone(self) -> list[Member]:
        """Return all of the gone while they are few; of many, so many at random."""
        table = self._local.table
        if len(table.gone) <= _LOOKED_AT:
            return list(table.gone.values())
        chosen = self._local.rng.sample(table.gone_since, _LOOKED_AT)
        return [table.gone[key] for _, key in chosen]

    def _reap(self, _: object) -> None:
        """Forget those that have been gone, or not heard alive, for long enough; some at a time."""
        local = self._local
        table = local.table
        before = local.now - local.config.reap_after
        for _ in range(_REAPED_AT_ONCE):
            if table.gone_since and table.gone_since[0][0] < before:
                self._closed.close(table.by_key[table.gone_since[0][1]])
            elif (member := next(iter(table.unheard.values()), None)) and member.since < before:
                self._closed.close(member)
            else:
                local.timers.at(local.now + self._reap_every(), self._reap)
                return
        local.timers.at(local.now + _REAPS_ON_AFTER, self._reap)

    def watch_loneliness(self) -> None:
        """Check whether nobody was reached for so long that the others may have moved on."""
        local = self._local
        if local.now - max(local.last_heard, self._alone_since) > local.config.reap_after / 2:
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Start over: nobody was reached for reap_after / 2, others may have reaped all [P51].

        Forget all but this node's record, keep the addresses as seeds, and join as a new
        generation.
        """
        local = self._local
        self._alone_since = local.now
        others = [member for member in local.table.by_key.values() if member is not local.me]
        if not others:
            return
        addresses = [address for member in others for address in member.addresses]
        seeds = self._seeds
        seeds.addresses = list(dict.fromkeys([*seeds.addresses, *addresses]))[:256]
        for member in others:
            self._detector.forget(member)
            local.table.remove(member, local.now)
            local.events.append(events.MemberReaped(local.now, member.name, member.generation))
        local.table.joined = local.table.agreed = local.table.knows_gone = False
        self._own.renew(RenewalReason.ALONE, self._local.own.name)
