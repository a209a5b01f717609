"""What a run gives: verdicts, figures, the trace hash, and all that repeats it, as plain data."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gossipmm_sim.errors import UsageError
from gossipmm_sim.scenario import Scenario, find
from gossipmm_sim.search.swarm import swarm

if TYPE_CHECKING:
    from gossipmm_sim.run import Run

__all__ = ("Result", "Verdict")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One checker's answer; ``message`` has the first violation in words."""

    check: str
    ok: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One finished run. ``series`` are the curves for plots; they are not in the JSON line."""

    scenario: Scenario
    seed: int
    verdicts: tuple[Verdict, ...]
    figures: Mapping[str, Any]
    trace_hash: str
    virtual: float
    wall: float
    #: Seconds of one core: what speed is measured by, on a machine that others use, too.
    cpu: float
    datagrams: int
    series: Mapping[str, Any]
    #: Names of the figures that the scenario's own measurements left.
    measured: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run, verdicts: tuple[Verdict, ...], wall: float, cpu: float) -> Result:
        """Collect a finished run."""
        cluster = run.cluster
        series = {
            "views": run.views,
            "bytes": [[host.label, host.sent_bytes] for host in run.cast],
            "crash_seen": [t for e in run.tracker.endings if e.how == "crash" for t in e.seen],
            "registration_known": [t for news in run.tracker.news for t in news.seen],
            "events": [
                (at - run.zero, label, what if isinstance(what, str) else _short(what))
                for at, label, what in cluster.events
            ],
            "samples": {
                "crash_seen_by_all": [e.all_seen for e in run.tracker.endings if e.how == "crash"],
                "leave_seen_by_all": [e.all_seen for e in run.tracker.endings if e.how == "leave"],
                "registration_known_to_all": [news.all_seen for news in run.tracker.news][:1000],
            },
            "hosts": [host.label for host in cluster],
        }
        return cls(
            scenario=run.scenario,
            seed=run.seed,
            verdicts=verdicts,
            figures=run.figures,
            trace_hash=cluster.trace.hexdigest(),
            virtual=cluster.now,
            wall=wall,
            cpu=cpu,
            datagrams=sum(host.received_datagrams for host in cluster),
            series=series,
            measured=tuple(run.measured),
        )

    @property
    def ok(self) -> bool:
        """True when every checker was satisfied."""
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def failures(self) -> tuple[Verdict, ...]:
        """Verdicts of the checkers that were not."""
        return tuple(verdict for verdict in self.verdicts if not verdict.ok)

    def command(self) -> str:
        """Give the one command that repeats this run."""
        parts = [
            "python",
            "-m",
            "gossipmm_sim",
            "run",
            self.scenario.name,
            "--seed",
            str(self.seed),
        ]
        return shlex.join([*parts, *(part for one in differences(self) for part in ("--set", one))])

    def as_dict(self) -> dict[str, Any]:
        """Give all but the series, ready for JSON; infinite figures become null."""
        return {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "ok": self.ok,
            "trace_hash": self.trace_hash,
            "virtual_seconds": round(self.virtual, 6),
            "wall_seconds": round(self.wall, 3),
            "cpu_seconds": round(self.cpu, 3),
            "datagrams": self.datagrams,
            "verdicts": [
                {"check": one.check, "ok": one.ok, "message": one.message} for one in self.verdicts
            ],
            "samples": {
                name: [round(one, 4) for one in values if math.isfinite(one)]
                for name, values in self.series["samples"].items()
                if values
            },
            "figures": {key: _plain(value) for key, value in self.figures.items()},
            "options": self.scenario.as_dict(),
        }

    def to_json(self) -> str:
        """Give one line of JSON."""
        return json.dumps(self.as_dict(), separators=(",", ":"), allow_nan=False)


def differences(result: Result) -> list[str]:
    """Give ``key=value`` for all in which a run's scenario differs from the one of its name."""
    mine = result.scenario
    try:
        known = swarm(result.seed) if mine.name == "swarm" else find(mine.name)
    except UsageError:
        return []
    out = []
    for one in fields(Scenario):
        value, other = getattr(mine, one.name), getattr(known, one.name)
        if value == other or one.name in ("variants", "doc", "family"):
            continue
        if one.name in ("params", "config"):
            changed = {k: v for k, v in value.items() if other.get(k) != v}
            prefix = "config." if one.name == "config" else ""
            for key, item in changed.items():
                text = ",".join(sorted(item)) if isinstance(item, frozenset) else item
                out.append(f"{prefix}{key}={text}")
        elif isinstance(value, tuple):
            out.append(f"{one.name}={'; '.join(value)}")
        else:
            out.append(f"{one.name}={value}")
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _short(event: Any) -> str:
    kind = type(event).__name__
    about = getattr(event, "name", "") or getattr(event, "topic", "")
    return f"{kind} {about}".strip()
