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
from typing import Any

from sim.run import run
from sim.scenario import Scenario, find

__all__ = (
    "COUNTS",
    "DURATIONS",
    "INTERVALS",
    "QUICK",
    "interval_grid",
    "lifeguard_interval",
    "lifeguard_threshold",
    "rapid",
    "threshold_grid",
)

#: The paper's values (table II): anomalous hosts, seconds blocked, seconds between.
COUNTS = (1, 4, 8, 12, 16, 20, 24, 28, 32)
DURATIONS = (0.128, 0.512, 2.048, 8.192, 16.384, 32.768)
INTERVALS = (0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096, 16.384)
#: Corners and middle of the grid, for a look in minutes.
QUICK = {"c": (1, 8, 32), "d": (0.512, 2.048, 16.384), "i": (0.001, 0.256, 4.096)}


def interval_grid(*, quick: bool = False) -> Iterator[tuple[int, float, float]]:
    """Yield (C, D, I)."""
    for c in QUICK["c"] if quick else COUNTS:
        for d in QUICK["d"] if quick else DURATIONS:
            for i in QUICK["i"] if quick else INTERVALS:
                yield int(c), float(d), float(i)


def threshold_grid(*, quick: bool = False) -> Iterator[tuple[int, float]]:
    """Yield (C, D)."""
    for c in QUICK["c"] if quick else COUNTS:
        for d in QUICK["d"] if quick else DURATIONS:
            yield int(c), float(d)


def lifeguard_interval(c: int, d: float, i: float, seed: int, nodes: int = 128) -> dict[str, Any]:
    """Run one cell of the interval experiment."""
    scenario = find("lifeguard_interval").with_settings({"c": c, "d": d, "i": i, "nodes": nodes})
    return _row(scenario, seed, {"c": c, "d": d, "i": i})


def lifeguard_threshold(c: int, d: float, seed: int, nodes: int = 128) -> dict[str, Any]:
    """Run one cell of the threshold experiment."""
    scenario = find("lifeguard_threshold").with_settings({"c": c, "d": d, "nodes": nodes})
    return _row(scenario, seed, {"c": c, "d": d})


def rapid(name: str, seed: int, nodes: int = 1000) -> dict[str, Any]:
    """Run one of ``rapid_crash``, ``rapid_deaf``, ``rapid_egress_loss``."""
    return _row(find(name).with_settings({"nodes": nodes}), seed, {"fault": name})


def _row(scenario: Scenario, seed: int, cell: dict[str, Any]) -> dict[str, Any]:
    result = run(scenario, seed)
    figures = result.as_dict()["figures"]
    wanted = (
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
    return {
        **cell,
        "nodes": scenario.nodes,
        "seed": seed,
        "ok": result.ok,
        **{name: figures[name] for name in wanted if name in figures},
        "failures": [f"{one.check}: {one.message}" for one in result.failures],
        "trace_hash": result.trace_hash,
        "wall_seconds": round(result.wall, 1),
    }
