"""Safety: what must hold at every moment. ``SAFETY`` are asked of every run without being named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from gossipmm.core.values.types import NodeState, Status
from gossipmm_sim.faults import select
from gossipmm_sim.judge.base import Check, Judged, check
from gossipmm_sim.judge.violations import Breach, Violation

__all__ = ("SAFETY",)


def _first(run: Judged, violation: Violation) -> Breach | None:
    for one in run.tracker.broken:
        if one.violation is violation:
            return replace(one, at=(one.at or 0.0) - run.zero)
    return None


@check("no_resurrection")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoResurrection(Check):
    """A process that has ended does not return to anybody's lookups."""

    def judge(self, run: Judged) -> Breach | None:
        """Ask the tracker."""
        return _first(run, Violation.RESURRECTED)


@check("no_strangers")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoStrangers(Check):
    """No host is listed under a topic that nobody ever registered it for."""

    def judge(self, run: Judged) -> Breach | None:
        """Ask the tracker."""
        return _first(run, Violation.STRANGER)


@check("alive_to_itself")
@dataclass(frozen=True, slots=True, kw_only=True)
class AliveToItself(Check):
    """Nobody considers itself anything but alive (or impaired, if it says so), or left.

    ``but``: hosts that sign two things, and so are in no lookup.
    """

    but: str = "none"

    def sample(self, run: Judged) -> Breach | None:
        """Look at each host's own line."""
        liars = select(run, self.but)
        for host in run.looked_at():
            if host in liars:
                continue
            me = host.member(host.node_name)
            impaired = me is not None and me.node_state is NodeState.IMPAIRED
            well = Status.PROBATION if impaired else Status.ALIVE
            if me is None or me.status not in (well, Status.LEFT):
                held = "unknown" if me is None else me.status.label
                return Breach(
                    violation=Violation.NOT_ALIVE_TO_ITSELF, observer=host.label, held=held
                )
        return None


@check("monotone")
@dataclass(frozen=True, slots=True, kw_only=True)
class Monotone(Check):
    """Counters only rise within a generation, and nobody knows a heartbeat that was never issued.

    ``but``: hosts whose heartbeats somebody forges.
    """

    but: str = "none"

    def sample(self, run: Judged) -> Breach | None:
        """Compare with the previous sample, and with the owner's counter."""
        forged = {host.node_name for host in select(run, self.but)}
        for host in run.looked_at():
            for member in host.members():
                if member.name in forged:
                    continue
                owner = run.cluster.by_label.get(member.name)
                if owner is None or not owner.boots or owner.core.generation != member.generation:
                    continue
                if member.heartbeat > owner.core.heartbeat:
                    return Breach(
                        violation=Violation.HEARTBEAT_NEVER_ISSUED,
                        observer=host.label,
                        subject=member.name,
                        measured=member.heartbeat,
                        allowed=owner.core.heartbeat,
                    )
                key = (host.index, host.boots, member.name, member.generation)
                before = run.heartbeats.get(key, -1)
                if member.heartbeat < before:
                    return Breach(
                        violation=Violation.HEARTBEAT_FELL,
                        observer=host.label,
                        subject=member.name,
                        measured=member.heartbeat,
                        allowed=before,
                    )
                run.heartbeats[key] = member.heartbeat
        return None


@check("datagram_limit")
@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramLimit(Check):
    """No datagram is larger than ``max_datagram``."""

    def judge(self, run: Judged) -> Breach | None:
        """Ask the network."""
        for at, label, size in run.cluster.network.oversize:
            return Breach(
                violation=Violation.OVERSIZE,
                at=at - run.zero,
                observer=label,
                measured=size,
                allowed=run.cluster.network.limit,
            )
        return None


@check("bounded")
@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded(Check):
    """No host sends more than ``rate`` bytes or ``datagrams`` a second, in any ten seconds.

    Bytes count 28 of IP and UDP header for each datagram.
    """

    rate: float = 200_000.0
    datagrams: float = inf

    def judge(self, run: Judged) -> Breach | None:
        """Ask the samples."""
        for violation, (most, label), allowed in (
            (Violation.TOO_MANY_BYTES, run.peak_bytes, self.rate),
            (Violation.TOO_MANY_DATAGRAMS, run.peak_datagrams, self.datagrams),
        ):
            if most > allowed:
                return Breach(violation=violation, observer=label, measured=most, allowed=allowed)
        return None


SAFETY: tuple[Check, ...] = (
    NoResurrection(),
    NoStrangers(),
    AliveToItself(),
    Monotone(),
    DatagramLimit(),
    Bounded(),
)
