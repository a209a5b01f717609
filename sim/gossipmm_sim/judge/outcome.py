"""Outcome: what the tables and the figures must be when the run ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossipmm.core.values.types import Status
from gossipmm_sim.errors import unknown
from gossipmm_sim.faults import select
from gossipmm_sim.judge.base import Check, Judged, check
from gossipmm_sim.judge.violations import Breach, Violation

if TYPE_CHECKING:
    from gossipmm.core.values.types import MemberView

__all__ = ("Answers", "AtLeast", "AtMost", "Drained", "Forgotten", "Listed", "Lists", "Out")


def _label(member: MemberView | None) -> str:
    return "unknown" if member is None else member.status.label


@check("out")
@dataclass(frozen=True, slots=True, kw_only=True)
class Out(Check):
    """At the end, hosts ``on`` are in no lookup of any other live host."""

    on: str

    def judge(self, run: Judged) -> Breach | None:
        """Look at every table."""
        sick = select(run, self.on)
        names = {host.node_name for host in sick}
        for host in run.cluster.peers:
            if host in sick:
                continue
            for view in host.table.topics.values():
                for name in view.fanout:
                    if name in names:
                        return Breach(
                            violation=Violation.STILL_ANSWERED,
                            observer=host.label,
                            subject=name,
                            topic=view.topic,
                        )
        return None


@check("listed")
@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Check):
    """At the end, hosts ``on`` are alive to every other live host."""

    on: str = "all"

    def judge(self, run: Judged) -> Breach | None:
        """Look at every table."""
        wanted = [host for host in select(run, self.on) if host.up]
        for host in run.cluster.peers:
            for other in wanted:
                member = host.member(other.node_name)
                if member is None or member.status is not Status.ALIVE:
                    return Breach(
                        violation=Violation.NOT_ALIVE,
                        observer=host.label,
                        subject=other.label,
                        held=_label(member),
                    )
        return None


@check("forgotten")
@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten(Check):
    """At the end, nobody has a record of the node ``name``."""

    name: str

    def judge(self, run: Judged) -> Breach | None:
        """Look at every member list."""
        for host in run.cluster.peers:
            member = host.member(self.name)
            if member is not None:
                return Breach(
                    violation=Violation.NOT_FORGOTTEN,
                    observer=host.label,
                    subject=self.name,
                    held=_label(member),
                )
        return None


@check("lists")
@dataclass(frozen=True, slots=True, kw_only=True)
class Lists(Check):
    """At the end, every live host's fanout of ``topic`` has ``count`` hosts."""

    topic: str
    count: int

    def judge(self, run: Judged) -> Breach | None:
        """Look at every table."""
        for host in run.cluster.peers:
            view = host.table.topic(self.topic)
            found = len(view.fanout) if view is not None else 0
            if found != self.count:
                return Breach(
                    violation=Violation.WRONG_COUNT,
                    observer=host.label,
                    topic=self.topic,
                    measured=found,
                    allowed=self.count,
                )
        return None


@check("drained")
@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Check):
    """At the end, hosts ``on`` are in nobody's picks, and in everybody's entries."""

    on: str

    def judge(self, run: Judged) -> Breach | None:
        """Look at every table."""
        for one in select(run, self.on):
            for topic, name in one.wanted:
                for host in run.cluster.peers:
                    view = host.table.topic(topic)
                    if view is None or name not in view.entries:
                        violation = Violation.DRAINING_LOST
                    elif name in view.picks:
                        violation = Violation.DRAINING_PICKED
                    else:
                        continue
                    return Breach(
                        violation=violation, observer=host.label, subject=name, topic=topic
                    )
        return None


@check("answers")
@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Check):
    """At the end, hosts ``on`` have at least so many hosts to answer a topic with."""

    on: str
    topic: str = "compute"
    at_least: int = 1

    def judge(self, run: Judged) -> Breach | None:
        """Ask their tables."""
        for host in select(run, self.on):
            view = host.table.topic(self.topic)
            found = len(view.picks) if view is not None else 0
            if found < self.at_least:
                return Breach(
                    violation=Violation.TOO_FEW_ANSWERS,
                    observer=host.label,
                    topic=self.topic,
                    measured=found,
                    allowed=self.at_least,
                )
        return None


@check("at_most")
@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost(Check):
    """A figure of the run is at most a value."""

    figure: str
    value: float

    def judge(self, run: Judged) -> Breach | None:
        """Look it up."""
        got = _figure(run, self.figure)
        if got <= self.value:
            return None
        return Breach(
            violation=Violation.FIGURE_ABOVE,
            subject=self.figure,
            measured=got,
            allowed=self.value,
        )


@check("at_least")
@dataclass(frozen=True, slots=True, kw_only=True)
class AtLeast(Check):
    """A figure of the run is at least a value: a mechanism was really exercised."""

    figure: str
    value: float = 1.0

    def judge(self, run: Judged) -> Breach | None:
        """Look it up."""
        got = _figure(run, self.figure)
        if got >= self.value:
            return None
        return Breach(
            violation=Violation.FIGURE_BELOW,
            subject=self.figure,
            measured=got,
            allowed=self.value,
        )


def _figure(run: Judged, name: str) -> float:
    if name not in run.figures:
        # Counters that never counted are not there; figures of something measured must be.
        if name.startswith(("dropped.", "events.", "lost.")):
            return 0.0
        raise unknown("figure", name, run.figures)
    return float(run.figures[name])
