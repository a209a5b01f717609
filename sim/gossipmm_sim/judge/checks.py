"""Checkers: frozen values that print and parse, each a promise that a run has kept or broken.

Safety checkers look at every event or every sample and fail with the first violation; liveness
checkers look once the faults have stopped. ``SAFETY`` are asked of every run without being named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from gossipmm.core.values.types import NodeState, Status
from gossipmm_sim.errors import UsageError, unknown
from gossipmm_sim.faults import select
from gossipmm_sim.values import Printed, parse

if TYPE_CHECKING:
    from gossipmm_sim.runs.run import Run

__all__ = ("CHECKS", "SAFETY", "Check", "parse_check")

CHECKS: dict[str, type[Check]] = {}
C = TypeVar("C", bound="type[Check]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Printed):
    """A promise. ``judge`` gives None when it was kept, else the violation in words."""

    def sample(self, run: Run) -> str | None:
        """Look at a running cluster, every half second; a violation ends the looking."""
        return None

    def judge(self, run: Run) -> str | None:
        """Look at a finished run."""
        return None


def check(kind: str) -> Callable[[C], C]:
    """Class decorator: this class is what ``kind ...`` parses to."""

    def add(cls: C) -> C:
        CHECKS[kind] = cls
        cls.kind = kind
        return cls

    return add


def parse_check(text: str) -> Check:
    """Read a check; raises UsageError, naming the nearest kind or parameter that exists."""
    return parse(text, CHECKS, "check")


# -- safety ------------------------------------------------------------------------------------


@check("no_resurrection")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoResurrection(Check):
    """A process that has ended does not return to anybody's lookups."""

    def judge(self, run: Run) -> str | None:
        """Ask the tracker."""
        return _first(run, "resurrects")


@check("no_strangers")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoStrangers(Check):
    """No host is listed under a topic that nobody ever registered it for."""

    def judge(self, run: Run) -> str | None:
        """Ask the tracker."""
        return _first(run, "lists")


def _first(run: Run, word: str) -> str | None:
    for at, observer, what in run.tracker.broken:
        if what.startswith(word):
            return f"at {at - run.zero:.3f} s {observer} {what}"
    return None


@check("alive_to_itself")
@dataclass(frozen=True, slots=True, kw_only=True)
class AliveToItself(Check):
    """Nobody holds itself for anything but alive (or impaired, if it says so), or left."""

    def sample(self, run: Run) -> str | None:
        """Look at each host's own line."""
        for host in run.looked_at():
            me = host.member(host.node_name)
            impaired = me is not None and me.node_state is NodeState.IMPAIRED
            well = Status.PROBATION if impaired else Status.ALIVE
            if me is None or me.status not in (well, Status.LEFT):
                held = "nothing" if me is None else me.status.label
                return f"{host.label} holds itself {held}"
        return None


@check("monotone")
@dataclass(frozen=True, slots=True, kw_only=True)
class Monotone(Check):
    """Counters only rise within a life, and nobody knows a heartbeat that was never issued.

    ``but``: hosts of which somebody forges heartbeats.
    """

    but: str = "none"

    def sample(self, run: Run) -> str | None:
        """Compare with the sample before, and with the owner's own counter."""
        forged = {host.node_name for host in select(run, self.but)}
        for host in run.looked_at():
            for member in host.members():
                if member.name in forged:
                    continue
                owner = run.cluster.by_label.get(member.name)
                if owner is None or not owner.boots or owner.core.generation != member.generation:
                    continue
                if member.heartbeat > owner.core.heartbeat:
                    return (
                        f"{host.label} holds heartbeat {member.heartbeat} of {member.name}, which"
                        f" has issued {owner.core.heartbeat}"
                    )
                key = (host.index, host.boots, member.name, member.generation)
                before = run.heartbeats.get(key, -1)
                if member.heartbeat < before:
                    return (
                        f"{host.label}'s heartbeat of {member.name} fell from {before} to"
                        f" {member.heartbeat}"
                    )
                run.heartbeats[key] = member.heartbeat
        return None


@check("datagram_limit")
@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramLimit(Check):
    """No datagram is larger than ``max_datagram``."""

    def judge(self, run: Run) -> str | None:
        """Ask the network."""
        for at, label, size in run.cluster.network.oversize:
            limit = run.cluster.network.limit
            return f"at {at - run.zero:.3f} s {label} sent {size} bytes, {limit} are allowed"
        return None


@check("bounded")
@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded(Check):
    """No host sends more than ``rate`` bytes a second, headers included, in any ten seconds."""

    rate: float = 200_000.0

    def judge(self, run: Run) -> str | None:
        """Ask the samples."""
        if run.peak_rate[0] > self.rate:
            rate, label = run.peak_rate
            return f"{label} sent {rate:.0f} bytes/s for ten seconds, {self.rate:.0f} are allowed"
        return None


SAFETY: tuple[Check, ...] = (
    NoResurrection(),
    NoStrangers(),
    AliveToItself(),
    Monotone(),
    DatagramLimit(),
    Bounded(),
)


# -- liveness ----------------------------------------------------------------------------------


@check("converged")
@dataclass(frozen=True, slots=True, kw_only=True)
class Converged(Check):
    """Once the faults have stopped, all live tables equal their owners' records within X."""

    within: float

    def judge(self, run: Run) -> str | None:
        """Compare, and say who differs."""
        took = run.converged_after
        if took is not None and took <= self.within:
            return run.difference
        seen = "never" if took is None else f"{took:.2f} s"
        why = f": {run.difference}" if run.difference else ""
        return f"views agreed {seen} after the last fault, not within {self.within:g} s{why}"


@check("removed")
@dataclass(frozen=True, slots=True, kw_only=True)
class Removed(Check):
    """Each process that ended is out of every live host's lookups within X."""

    within: float
    how: str = "crash"

    def judge(self, run: Run) -> str | None:
        """Ask the tracker."""
        of = [one for one in run.tracker.endings if one.how == self.how]
        if not of:
            raise UsageError(f"check 'removed' looks at a {self.how}, and none happened")
        worst = max(of, key=lambda one: one.all_seen)
        if worst.all_seen <= self.within:
            return None
        still = [run.cluster.hosts[index].label for index in sorted(worst.pending)]
        where = f"; still at {', '.join(still[:5])}" if still else ""
        took = "never" if worst.all_seen == inf else f"after {worst.all_seen:.2f} s"
        return f"{worst.name} was out of all lookups {took}, not within {self.within:g} s{where}"


@check("kept")
@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Check):
    """No healthy member is declared dead: by healthy ones, or (by=all) by anybody."""

    by: str = "well"

    def judge(self, run: Run) -> str | None:
        """Ask the tracker."""
        rows = run.tracker.false_by_well
        if self.by == "all":
            rows = sorted(rows + run.tracker.false_by_ill)
        if not rows:
            return None
        at, observer, subject = rows[0]
        return (
            f"{len(rows)} false deaths; the first at {at - run.zero:.3f} s: {observer} declared"
            f" {subject} dead, which was healthy"
        )


@check("out")
@dataclass(frozen=True, slots=True, kw_only=True)
class Out(Check):
    """At the end, hosts ``on`` are in no lookup of any other live host."""

    on: str

    def judge(self, run: Run) -> str | None:
        """Look at every table."""
        sick = select(run, self.on)
        names = {host.node_name for host in sick}
        for host in run.cluster.peers:
            if host in sick:
                continue
            for view in host.table.topics.values():
                for name in view.fanout:
                    if name in names:
                        return f"{host.label} still answers {name} for {view.topic}"
        return None


@check("listed")
@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Check):
    """At the end, hosts ``on`` are alive to every other live host."""

    on: str = "all"

    def judge(self, run: Run) -> str | None:
        """Look at every table."""
        wanted = [host for host in select(run, self.on) if host.up]
        for host in run.cluster.peers:
            for other in wanted:
                member = host.member(other.node_name)
                if member is None or member.status is not Status.ALIVE:
                    held = "unknown" if member is None else member.status.label
                    return f"{host.label} holds {other.label} {held}"
        return None


@check("at_most")
@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost(Check):
    """A figure of the run is at most a value."""

    figure: str
    value: float

    def judge(self, run: Run) -> str | None:
        """Look it up."""
        got = _figure(run, self.figure)
        return None if got <= self.value else f"{self.figure} is {got:g}, more than {self.value:g}"


@check("at_least")
@dataclass(frozen=True, slots=True, kw_only=True)
class AtLeast(Check):
    """A figure of the run is at least a value: a mechanism was really exercised."""

    figure: str
    value: float = 1.0

    def judge(self, run: Run) -> str | None:
        """Look it up."""
        got = _figure(run, self.figure)
        return None if got >= self.value else f"{self.figure} is {got:g}, less than {self.value:g}"


def _figure(run: Run, name: str) -> float:
    figures: dict[str, Any] = run.figures
    if name not in figures:
        # Counters that never counted are not there; figures of something measured must be.
        if name.startswith(("dropped.", "events.", "lost.")):
            return 0.0
        raise unknown("figure", name, figures)
    return float(figures[name])


@check("joined")
@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedWithin(Check):
    """After the last boot of the warm-up all views are complete within X."""

    within: float

    def judge(self, run: Run) -> str | None:
        """Ask the run."""
        took = run.joined_after
        if took is not None and took <= self.within:
            return None
        seen = "never" if took is None else f"after {took:.2f} s"
        return f"all views were complete {seen}, not within {self.within:g} s"


@check("unmoved")
@dataclass(frozen=True, slots=True, kw_only=True)
class Unmoved(Check):
    """From the end of the warm-up on, no host's view changes, not even for a moment."""

    def sample(self, run: Run) -> str | None:
        """Compare each fingerprint with the one at the end of the warm-up."""
        for host in run.cluster.peers:
            if host.fingerprint != run.first_fingerprints.get(host.label, host.fingerprint):
                return f"{host.label}'s view changed"
        return None


@check("forgotten")
@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten(Check):
    """At the end, nobody has a record of the node ``name`` any more."""

    name: str

    def judge(self, run: Run) -> str | None:
        """Look at every member list."""
        for host in run.cluster.peers:
            member = host.member(self.name)
            if member is not None:
                return f"{host.label} still holds {self.name} {member.status.label}"
        return None


@check("lists")
@dataclass(frozen=True, slots=True, kw_only=True)
class Lists(Check):
    """At the end, every live host's fanout of ``topic`` has ``count`` hosts."""

    topic: str
    count: int

    def judge(self, run: Run) -> str | None:
        """Look at every table."""
        for host in run.cluster.peers:
            view = host.table.topic(self.topic)
            found = len(view.fanout) if view is not None else 0
            if found != self.count:
                return f"{host.label} lists {found} hosts under {self.topic}, not {self.count}"
        return None


@check("drained")
@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Check):
    """At the end, hosts ``on`` are in nobody's picks, and in everybody's entries."""

    on: str

    def judge(self, run: Run) -> str | None:
        """Look at every table."""
        for one in select(run, self.on):
            for topic, name in one.wanted:
                for host in run.cluster.peers:
                    view = host.table.topic(topic)
                    if view is None or name not in view.entries:
                        return f"{host.label} no longer finds {name} under {topic}"
                    if name in view.picks:
                        return f"{host.label} still picks {name}, which is draining"
        return None


@check("answers")
@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Check):
    """At the end, hosts ``on`` have at least so many hosts to answer a topic with."""

    on: str
    topic: str = "compute"
    at_least: int = 1

    def judge(self, run: Run) -> str | None:
        """Ask their tables."""
        for host in select(run, self.on):
            view = host.table.topic(self.topic)
            found = len(view.picks) if view is not None else 0
            if found < self.at_least:
                return f"{host.label} has {found} hosts for {self.topic}, not {self.at_least}"
        return None
