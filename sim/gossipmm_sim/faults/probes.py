"""Measurements during a run: they only read, and leave a figure. Not faults either."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from gossipmm_sim.faults.base import Context, Window, fault, select

__all__ = ("MeasureBursts", "Pick")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement(Window):
    """Looks again and again until its window ends."""

    def act(self, run: Context, key: str) -> None:
        """Look once, and plan the next look."""
        if run.cluster.now < self.over(run):
            self.look(run, key)
            run.cluster.clock.at(run.cluster.now + self.pause(), self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Leave the figure."""
        raise NotImplementedError

    def look(self, run: Context, key: str) -> None:
        """Look."""
        raise NotImplementedError

    def pause(self) -> float:
        """Seconds between two looks."""
        raise NotImplementedError


@fault("measure_bursts")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureBursts(Measurement):
    """Leaves ``burst_ratio``: datagrams of the busiest 20 ms over the mean of all 20 ms."""

    def look(self, run: Context, key: str) -> None:
        """Count what was sent so far."""
        total = sum(host.sent_datagrams for host in run.cluster)
        run.memory(key, list).append(total)

    def pause(self) -> float:
        """Return 20 ms, the length of a burst."""
        return 0.02

    def end(self, run: Context, key: str) -> None:
        """Compare the largest step with the mean one."""
        totals = run.memory(key, list)
        steps = [after - before for before, after in pairwise(totals)]
        mean = sum(steps) / max(1, len(steps))
        run.measured["burst_ratio"] = max(steps, default=0) / mean if mean else 0.0


@fault("pick")
@dataclass(frozen=True, slots=True, kw_only=True)
class Pick(Measurement):
    """One program picks hosts in turn, ``rate`` times a second, with a matchmaker.

    Leaves ``pick_unfairness``: the most often picked host's picks over the mean of those that were
    present all the time; ``picks_failed``: picks that found nobody; ``picks_dead``: picks of a host
    that had been down for longer than detection takes.
    """

    on: str
    topic: str = "compute"
    rate: float = 100.0
    #: Seconds after a crash from which a pick of that host counts as one too many.
    grace: float = 5.0

    def look(self, run: Context, key: str) -> None:
        """Pick once for each of ``on``."""
        counts = run.memory(key, Counter)
        for host in select(run, self.on):
            found = host.queues(self.topic) if host.up else []
            for _, name in found:
                counts[name] += 1
                target = run.cluster.by_label.get(name or "")
                if target is not None and target.down_for() > self.grace:
                    counts["(dead)"] += 1
            if not found:
                counts["(nobody)"] += 1

    def pause(self) -> float:
        """Return the time to the next pick."""
        return 1.0 / self.rate

    def end(self, run: Context, key: str) -> None:
        """Compare."""
        counts = run.memory(key, Counter)
        run.measured["picks_failed"] = counts.pop("(nobody)", 0)
        run.measured["picks_dead"] = counts.pop("(dead)", 0)
        steady = [
            counts[host.node_name]
            for host in run.cast
            if host.boots == 1 and host.up and host.node_name in counts
        ]
        mean = sum(steady) / max(1, len(steady))
        run.measured["pick_unfairness"] = max(steady, default=0) / mean if mean else 0.0
