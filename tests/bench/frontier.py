"""Draws what an interval costs against what it brings: idle bytes, time until a crash is seen.

    python -m tests.bench.frontier --out frontier.svg

For each interval, with the SYN of the predecessor expected and not: bytes a second of an idle host,
and the median and the slowest of the times until all hosts had a crashed one out of their lookups.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

from gossipmm.mechanisms import Mechanism
from gossipmm_sim.report.drawing import STYLE, new, svg
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario

INTERVALS = (0.5, 0.7, 1.0, 1.25, 2.0)
#: Seconds between two crashes.
APART = 6.0

Point = tuple[float, float, float, float]


def measure(interval: float, *, expected: bool, nodes: int, seed: int) -> Point:
    """Return interval, idle bytes/s and median and maximum seconds until all saw a crash."""
    without = frozenset() if expected else frozenset({Mechanism.EXPECTED_SYN})
    config = {"gossip_interval": interval, "without": without}
    idle = Scenario(name="idle", nodes=nodes, warmup=30.0, duration=40.0, config=config)
    span = APART * nodes
    crashes = Scenario(
        name="crashes",
        nodes=nodes,
        duration=span + 20.0,
        hosts_per_topic=nodes,
        faults=(f"crash at=1 on=all spread={span} back=5",),
        config=config,
    )
    cost = run(idle, seed).figures["bytes_per_second"]
    seen = run(crashes, seed).figures
    slowest = seen["crash_seen_by_all_max"]
    return interval, float(cost), float(seen["crash_seen_by_all_median"]), float(slowest)


def draw(lines: dict[str, list[Point]], title: str) -> str:
    """Return the picture as SVG: the nearer to the lower left corner, the better."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new()
        for name, points in lines.items():
            (drawn,) = axes.plot([p[1] for p in points], [p[2] for p in points], "o-", label=name)
            slowest = [p[3] for p in points]
            axes.plot([p[1] for p in points], slowest, "^:", color=drawn.get_color(), alpha=0.6)
            for interval, cost, _, worst in points:
                axes.annotate(f"{interval:g} s", (cost, worst), fontsize=8)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("bytes a second of an idle host")
        axes.set_ylabel("s until all saw a crash")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend()
        return svg(figure)


def main() -> None:
    """Measure, print a line for each setting and write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("frontier.svg"))
    parser.add_argument("--nodes", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lines: dict[str, list[Point]] = {}
    for name, expected in (("SYN expected", True), ("not expected", False)):
        for interval in INTERVALS:
            point = measure(interval, expected=expected, nodes=options.nodes, seed=options.seed)
            lines.setdefault(name, []).append(point)
            print("{4}, {0:g} s: {1:.0f} bytes/s, median {2:.2f} s, {3:.2f} s".format(*point, name))
    title = f"{options.nodes} hosts, simulated, seed {options.seed}; dot: median, triangle: slowest"
    options.out.write_text(draw(lines, title))
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
