"""Measurements over a window: traffic, and what hosts say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from gossipmm.core.values.events import Isolated, Joined
from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults.base import Context, Window, fault, select

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = ("MeasureIsolated", "MeasureJoined", "MeasureListed", "MeasureTraffic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures(Window):
    """Leaves its figures when its window ends; nobody waits for that to ask for agreement."""

    @property
    def last(self) -> float:
        """It disturbs nothing."""
        return 0.0

    def plan(self, run: Context, key: str) -> None:
        """Put begin and end on the clock. Raises UsageError when there is no end."""
        if not self.until:
            raise UsageError(f"{self.kind} at={self.at:g} needs until=: figures are left then")
        Window.plan(self, run, key)


@fault("measure_traffic")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTraffic(Figures):
    """Leaves what each of ``on`` that is up sent a second, from ``at`` to ``until``.

    ``NAME_datagrams`` and ``NAME_bytes`` are means over the hosts, with ``_max`` the most of one
    host; headers are counted.
    """

    on: str = "all"
    name: str = "window"

    def act(self, run: Context, key: str) -> None:
        """Begin to count."""
        run.memory(key, run.cluster.mark)

    def end(self, run: Context, key: str) -> None:
        """Leave the figures."""
        hosts = [host for host in select(run, self.on) if host.up]
        traffic = run.cluster.traffic(since=run.memory(key, run.cluster.mark), hosts=hosts)
        run.measured[f"{self.name}_datagrams"] = traffic.mean_datagrams
        run.measured[f"{self.name}_datagrams_max"] = max(traffic.datagrams, default=0.0)
        run.measured[f"{self.name}_bytes"] = traffic.mean_bytes
        run.measured[f"{self.name}_bytes_max"] = max(traffic.bytes, default=0.0)


@fault("measure_listed")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureListed(Figures):
    """Leaves ``listed_share``: of all looks at lookups of others, the share that answers ``on``."""

    on: str
    topic: str = "compute"
    every: float = 0.1

    def act(self, run: Context, key: str) -> None:
        """Look once at every other host that is up, and plan the next look."""
        if run.cluster.now >= self.over(run):
            return
        looks = run.memory(key, lambda: [0, 0])
        watched = select(run, self.on)
        names = {host.node_name for host in watched}
        for host in run.cast:
            if host.up and host not in watched:
                view = host.table.topic(self.topic)
                looks[0] += len(names)
                looks[1] += len(names.intersection(view.picks)) if view is not None else 0
        run.cluster.clock.at(run.cluster.now + self.every, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Leave the figure."""
        looks = run.memory(key, lambda: [0, 0])
        run.measured["listed_share"] = looks[1] / max(1, looks[0])


@fault("measure_joined")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureJoined(Figures):
    """Leaves what hosts lacked when they said that they had joined, and how many never said so.

    ``joined_lacking``: most registrations of the hosts that were up, not known to a host when it
    said so between ``at`` and ``until``. ``not_joined``: hosts up at the end that are not.
    """

    def act(self, run: Context, key: str) -> None:
        """Listen."""
        run.measured.setdefault("joined_lacking", 0)

        def joined(host: Host, event: Any) -> None:
            if run.cluster.now < self.over(run):
                lacking = sum(1 for one in _registered(run, host) if not _known(host, *one))
                run.measured["joined_lacking"] = max(run.measured["joined_lacking"], lacking)

        run.cluster.watch(Joined, joined)

    def end(self, run: Context, key: str) -> None:
        """Count who has not."""
        run.measured["not_joined"] = sum(not host.table.joined for host in run.cluster.peers)


def _registered(run: Context, but: Host) -> list[tuple[str, str]]:
    others = [host for host in run.cast if host.up and host is not but]
    return [key for host in others for key in host.wanted]


def _known(host: Host, topic: str, name: str) -> bool:
    view = host.table.topic(topic)
    return view is not None and name in view.entries


@fault("measure_isolated")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureIsolated(Figures):
    """Leaves ``isolated_after``: seconds from ``at`` until the last of ``on`` said ``Isolated``."""

    on: str

    def act(self, run: Context, key: str) -> None:
        """Listen."""
        begin = run.cluster.now
        waiting = {host.index for host in select(run, self.on)}
        run.measured["isolated_after"] = inf

        def isolated(host: Host, event: Any) -> None:
            if event.active and host.index in waiting:
                waiting.discard(host.index)
                if not waiting:
                    run.measured["isolated_after"] = run.cluster.now - begin

        run.cluster.watch(Isolated, isolated)

    def end(self, run: Context, key: str) -> None:
        """Do nothing: the figure is already there."""
