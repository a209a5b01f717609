"""The result of a run: verdicts, figures, the trace hash, and how to repeat it, as plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gossipmm_sim.judge.violations import Breach
from gossipmm_sim.runs.scenario import Scenario

__all__ = ("Result", "Verdict")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One checker's answer: the check as text, and its first breach; None: it was kept."""

    check: str
    breach: Breach | None = None

    @property
    def kind(self) -> str:
        """Kind of the check: the first word of its text."""
        return self.check.split()[0]

    @property
    def ok(self) -> bool:
        """True when the promise was kept."""
        return self.breach is None

    @property
    def message(self) -> str:
        """The breach in words; empty when there is none."""
        return "" if self.breach is None else str(self.breach)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON."""
        violation = {} if self.breach is None else {"violation": self.breach.violation.value}
        return {"check": self.check, "ok": self.ok, "message": self.message} | violation


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
    #: CPU seconds: the measure of speed on a machine that others use as well.
    cpu: float
    datagrams: int
    series: Mapping[str, Any]
    #: Names of the figures that the scenario's own measurements left.
    measured: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when every checker was satisfied."""
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def failures(self) -> tuple[Verdict, ...]:
        """Verdicts of the checkers that were not."""
        return tuple(verdict for verdict in self.verdicts if not verdict.ok)

    def as_dict(self) -> dict[str, Any]:
        """Return all but the series, ready for JSON; infinite figures become null."""
        return {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "ok": self.ok,
            "trace_hash": self.trace_hash,
            "virtual_seconds": round(self.virtual, 6),
            "wall_seconds": round(self.wall, 3),
            "cpu_seconds": round(self.cpu, 3),
            "datagrams": self.datagrams,
            "verdicts": [one.as_dict() for one in self.verdicts],
            "samples": {
                name: [round(one, 4) for one in values if math.isfinite(one)]
                for name, values in self.series["samples"].items()
                if values
            },
            # What had not come about by the end has no time: it is counted.
            "never": {
                name: number
                for name, values in self.series["samples"].items()
                if (number := sum(map(math.isinf, values)))
            },
            "figures": {key: _plain(value) for key, value in self.figures.items()},
            "options": self.scenario.as_dict(),
        }

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(self.as_dict(), separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
