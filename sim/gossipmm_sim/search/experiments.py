"""Two experiments of the literature, run on our cores.

* Lifeguard (Dadgar, Phillips, Currey: "Lifeguard: Local Health Awareness for More Accurate Failure
  Detection", 2018), section V: of 128 hosts, C are anomalous: blocked before every send and after
  every receive. *Threshold*: once, for D; how long until the first and the last host sees it.
  *Interval*: for D, with I of normal running in between, for 120 s; false deaths are counted.
* Rapid (Suresh et al., 2018), section 7: 10 of 1,000 hosts crash, or lose all ingress for 20 s of
  40, or lose 80 % of their egress.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import find

__all__ = (
    "COUNTS",
    "Cell",
    "DURATIONS",
    "INTERVALS",
    "QUICK",
    "interval_grid",
    "measure",
    "threshold_grid",
)

#: The paper's values (table II): anomalous hosts, seconds blocked, seconds between.
COUNTS = (1, 4, 8, 12, 16, 20, 24, 28, 32)
DURATIONS = (0.128, 0.512, 2.048, 8.192, 16.384, 32.768)
INTERVALS = (0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096, 16.384)
#: Figures that a line has, if the run has them.
_TOLD = (
    "false_deaths_by_well",
    "false_deaths_by_ill",
    "false_deaths",
    "deaths_seen",
    "false_suspicions",
    "crash_seen_by_all_median",
    "crash_seen_by_all_max",
    "bytes_per_second",
    "bytes_per_second_max",
    "datagrams_per_second",
)
#: Corners and middle of the grid, for a look in minutes.
QUICK = {"c": (1, 8, 32), "d": (0.512, 2.048, 16.384), "i": (0.001, 0.256, 4.096)}


def interval_grid(*, quick: bool = False) -> Iterator[dict[str, float]]:
    """Yield the settings of the cells: C, D and I (seconds)."""
    for cell in threshold_grid(quick=quick):
        for i in QUICK["i"] if quick else INTERVALS:
            yield {**cell, "i": float(i)}


def threshold_grid(*, quick: bool = False) -> Iterator[dict[str, float]]:
    """Yield the settings of the cells: C and D (seconds)."""
    for c in QUICK["c"] if quick else COUNTS:
        for d in QUICK["d"] if quick else DURATIONS:
            yield {"c": int(c), "d": float(d)}


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of an experiment: a scenario, what is set in it, and the seed."""

    scenario: str
    settings: dict[str, float]
    seed: int
    nodes: int

    @property
    def job(self) -> str:
        """Name of the run in a result file; what ``sim run`` has to be told."""
        settings = ",".join(f"{k}={v}" for k, v in {**self.settings, "nodes": self.nodes}.items())
        return f"{self.scenario}[{settings}]#{self.seed}"


def measure(cell: Cell) -> dict[str, Any]:
    """Run one cell, in whatever process; the answer is its JSON line as a dict."""
    scenario = find(cell.scenario).with_settings({**cell.settings, "nodes": cell.nodes})
    result = run(scenario, cell.seed)
    figures = result.as_dict()["figures"]
    return {
        "job": cell.job,
        "ok": result.ok,
        **{name: figures[name] for name in _TOLD if name in figures},
        "failures": [f"{one.check}: {one.message}" for one in result.failures],
        "trace_hash": result.trace_hash,
    }
