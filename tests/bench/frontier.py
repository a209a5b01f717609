"""Draws what an interval costs against what it brings: idle bytes, time until a crash is seen.

    python -m tests.bench.frontier --nodes 32 --seeds 10 --jobs 2 --out frontier.svg

A point is an interval, with the SYN of the predecessor expected and not: bytes and datagrams a
second of an idle host, and the times until all hosts had a crashed one out of their lookups, of all
seeds together. Each point becomes a line of ``--out-data`` when its last seed is done; points that
are there already, of as many hosts and the same seeds, are not measured again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import matplotlib

from gossipmm.mechanisms import Mechanism
from gossipmm_sim.judge.tracker import quantile
from gossipmm_sim.report.drawing import STYLE, new, svg
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario

INTERVALS = (0.5, 0.7, 1.0, 1.25, 2.0)
#: Seconds between two crashes.
APART = 6.0
_NAMES = {True: "SYN expected", False: "not expected"}


class Setting(NamedTuple):
    """What a point is measured of."""

    interval: float
    expected: bool
    nodes: int
    seeds: tuple[int, int]

    @property
    def name(self) -> str:
        """Say which line of the picture it belongs to."""
        return _NAMES[self.expected]


class Seed(NamedTuple):
    """What one seed brought: an idle host's traffic a second, and seconds of each crash."""

    bytes: float
    datagrams: float
    #: Until all had it out of their lookups; a crash that some never saw is not among them.
    crashes: list[float]
    never: int
    cpu: float


@dataclass(frozen=True)
class Point:
    """A setting and what came of all its seeds."""

    interval: float
    expected: bool
    nodes: int
    seeds: tuple[int, int]
    bytes: float
    datagrams: float
    median: float
    p99: float
    slowest: float
    #: Crashes seen by all, and those that were not by the end of the run.
    crashes: int
    never: int
    #: Least and most of the seeds: of the bytes, the median, and the slowest crash.
    bytes_of_seeds: tuple[float, float]
    median_of_seeds: tuple[float, float]
    slowest_of_seeds: tuple[float, float]
    cpu_seconds: float

    @property
    def setting(self) -> Setting:
        """Return what it was measured of."""
        return Setting(self.interval, self.expected, self.nodes, self.seeds)

    def as_line(self) -> str:
        """Return it as a sentence."""
        return (
            f"{self.setting.name}, {self.interval:g} s: {self.bytes:.0f} bytes/s,"
            f" {self.datagrams:.2f} datagrams/s; {self.crashes} crashes"
            f" ({self.never} not seen by all): median {self.median:.2f} s, p99 {self.p99:.2f} s,"
            f" slowest {self.slowest:.2f} s; {self.cpu_seconds:.0f} s of CPU"
        )


def measure(job: tuple[Setting, int]) -> Seed:
    """Measure one seed of a point."""
    setting, seed = job
    without = frozenset() if setting.expected else frozenset({Mechanism.EXPECTED_SYN})
    config = {"gossip_interval": setting.interval, "without": without}
    nodes, span = setting.nodes, APART * setting.nodes
    idle = Scenario(name="idle", nodes=nodes, warmup=30.0, duration=40.0, config=config)
    crashes = Scenario(
        name="crashes",
        nodes=nodes,
        duration=span + 20.0,
        hosts_per_topic=nodes,
        faults=(f"crash at=1 on=all spread={span} back=5",),
        config=config,
    )
    cost, seen = run(idle, seed), run(crashes, seed)
    told = seen.as_dict()
    return Seed(
        cost.figures["bytes_per_second"],
        cost.figures["datagrams_per_second"],
        told["samples"]["crash_seen_by_all"],
        told["never"].get("crash_seen_by_all", 0),
        cost.cpu + seen.cpu,
    )


def summed_up(setting: Setting, seeds: list[Seed]) -> Point:
    """Return the point that its seeds make. Raises ValueError when all saw no crash at all."""
    times = sorted(time for seed in seeds for time in seed.crashes)
    if not times:
        raise ValueError(f"{setting}: no crash was seen by all; give it more hosts")
    each = [sorted(seed.crashes) for seed in seeds if seed.crashes]
    medians = [quantile(one, 0.5) for one in each]
    slowest = [one[-1] for one in each]
    cost = [seed.bytes for seed in seeds]
    return Point(
        *setting,
        bytes=round(fmean(cost), 1),
        datagrams=round(fmean(seed.datagrams for seed in seeds), 3),
        median=quantile(times, 0.5),
        p99=quantile(times, 0.99),
        slowest=times[-1],
        crashes=len(times),
        never=sum(seed.never for seed in seeds),
        bytes_of_seeds=(round(min(cost), 1), round(max(cost), 1)),
        median_of_seeds=(min(medians), max(medians)),
        slowest_of_seeds=(min(slowest), max(slowest)),
        cpu_seconds=round(sum(seed.cpu for seed in seeds), 1),
    )


def kept(data: Path) -> dict[Setting, Point]:
    """Return the points that were measured before; a line that was cut off is none."""
    found: dict[Setting, Point] = {}
    if not data.exists():
        return found
    for line in data.read_text().splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        pairs = ("seeds", "bytes_of_seeds", "median_of_seeds", "slowest_of_seeds")
        point = Point(**told | {name: tuple(told[name]) for name in pairs})
        found[point.setting] = point
    return found


def measured(settings: list[Setting], data: Path, jobs: int) -> Iterator[Point]:
    """Measure what is not kept; keep each point as soon as it is whole, and return all."""
    before = kept(data)
    yield from (before[one] for one in settings if one in before)
    rest = [one for one in settings if one not in before]
    if not rest:
        return
    if data.exists() and not data.read_text().endswith("\n"):
        data.write_text(data.read_text().rpartition("\n")[0] + "\n")
    todo = [(one, seed) for one in rest for seed in range(*one.seeds)]
    count = len(todo) // len(rest)
    with get_context("spawn").Pool(jobs) as pool, data.open("a") as out:
        found = pool.imap(measure, todo)
        for setting in rest:
            point = summed_up(setting, list(islice(found, count)))
            print(json.dumps(asdict(point)), file=out, flush=True)
            yield point


def draw(points: list[Point], title: str) -> str:
    """Return the picture as SVG: the nearer to the lower left corner, the better.

    A bar reaches from the least to the most of the seeds.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new()
        for name in _NAMES.values():
            line = sorted((p for p in points if p.setting.name == name), key=lambda p: p.bytes)
            if not line:
                continue
            at = [p.bytes for p in line]
            medians = [p.median for p in line]
            bars = _bars(medians, [p.median_of_seeds for p in line])
            width = _bars(at, [p.bytes_of_seeds for p in line])
            drawn = axes.errorbar(at, medians, bars, width, fmt="o-", capsize=2, label=name)
            colour = drawn.lines[0].get_color()
            slowest = [p.slowest for p in line]
            bars = _bars(slowest, [p.slowest_of_seeds for p in line])
            axes.errorbar(at, slowest, bars, fmt="^:", capsize=2, color=colour, alpha=0.6)
            for point in line:
                where = point.bytes, point.slowest
                said, beside = f"{point.interval:g} s", (6, 2)
                axes.annotate(said, where, beside, textcoords="offset points", fontsize=8)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("bytes a second of an idle host")
        axes.set_ylabel("s until all saw a crash")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend()
        return svg(figure, alone=True)


def _bars(middles: list[float], ends: list[tuple[float, float]]) -> list[list[float]]:
    """Return how far the bars of points reach down and up."""
    pairs = list(zip(middles, ends, strict=True))
    down = [max(0.0, middle - least) for middle, (least, _) in pairs]
    return [down, [max(0.0, most - middle) for middle, (_, most) in pairs]]


def main() -> None:
    """Measure, print a line for each point and write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("frontier.svg"))
    parser.add_argument("--out-data", type=Path, default=Path("frontier.jsonl"))
    parser.add_argument("--nodes", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=10, help="seeds of each point")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="seeds measured at a time")
    parser.add_argument("--intervals", type=float, nargs="+", default=INTERVALS, metavar="SECONDS")
    options = parser.parse_args()
    seeds = options.first_seed, options.first_seed + options.seeds
    settings = [
        Setting(interval, expected, options.nodes, seeds)
        for expected in _NAMES
        for interval in options.intervals
    ]
    points: list[Point] = []
    for point in measured(settings, options.out_data, options.jobs):
        points.append(point)
        print(point.as_line(), flush=True)
    title = (
        f"{options.nodes} hosts, simulated, {options.seeds} seeds;"
        " dot: median, triangle: slowest, bars: least to most of the seeds"
    )
    options.out.write_text(draw(points, title))
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
