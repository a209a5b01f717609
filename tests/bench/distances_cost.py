"""Measures what `distances` costs everything else: the same runs with them, and without.

    python -m tests.bench.distances_cost --seeds 5 --out distances.jsonl
    python -m tests.bench.distances_cost --out distances.jsonl --table

Simulated, lan. A cell is what is measured, how many hosts, how they are sealed (`plain`,
`encrypted`; `identities`: encrypted, each with a key of its own, pinned) and whether they keep
coordinates. A seed of a cell is a line of `--out`; what is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final, NamedTuple

from gossipmm_sim.judge.tracker import quantile
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario

_SEALED: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "encrypted": {"encrypted": True},
    "identities": {"encrypted": True, "identity": "require"},
}
#: Hosts that crash, six seconds apart; where there are fewer, all.
_CRASHES: Final = 32
_APART: Final = 6.0
_KEPT: Final = (
    "bytes_per_second",
    "bytes_per_second_max",
    "datagrams_per_second",
    "false_deaths",
    "false_suspicions",
    "joined_after",
    "registration_known_median",
    "registration_known_p99",
    "registration_known_max",
    "registration_known_to_all_median",
    "registration_known_to_all_max",
)
_WHAT: Final = {
    "idle": (20, 100, 128),
    "crashes": (20, 100, 128),
    "changes": (20, 100, 128),
    "joins": (100, 300),
    "loss": (50,),
}


class Cell(NamedTuple):
    """What is measured."""

    what: str
    nodes: int
    sealed: str
    distances: bool

    def build(self) -> Scenario:
        """Return what is run."""
        nodes, what = self.nodes, self.what
        fixed: dict[str, Any] = {"name": what, "nodes": nodes, "hosts_per_topic": nodes}
        fixed |= _SEALED[self.sealed] | {"config": {"distances": self.distances}}
        if what == "idle":
            # The first half minute, in which a node finds where it is, is in `joins`.
            return Scenario(warmup=60.0, duration=60.0, **fixed)
        if what == "crashes":
            count = min(nodes, _CRASHES)
            span = _APART * count
            fault = f"crash at=1 on=first:{count} spread={span} back=5"
            return Scenario(warmup=10.0, duration=span + 20.0, faults=(fault,), **fixed)
        if what == "changes":
            fault = "register at=1 on=all spread=30 topic=extra"
            return Scenario(warmup=10.0, duration=40.0, faults=(fault,), **fixed)
        if what == "joins":
            return Scenario(seeds=1, warmup=10.0, duration=30.0, **fixed)
        return Scenario(warmup=5.0, duration=600.0, faults=("loss p=0.25",), **fixed)


def measure(cell: Cell, seed: int) -> dict[str, Any]:
    """Run one seed of a cell; return its line."""
    result = run(cell.build(), seed)
    told = result.as_dict()
    hosts = cell.nodes * result.virtual
    return {
        **cell._asdict(),
        "seed": seed,
        "ok": result.ok,
        "figures": {name: told["figures"][name] for name in _KEPT if name in told["figures"]},
        "crashes": told["samples"].get("crash_seen_by_all", []),
        "never": told["never"].get("crash_seen_by_all", 0),
        #: Of the simulator, its network and its judges included.
        "cpu_us_a_host_second": round(1e6 * result.cpu / hosts, 1),
    }


def cells(what: list[str], sealed: list[str], most: int) -> list[Cell]:
    """Return what there is to measure, with distances and without side by side."""
    return [
        Cell(one, nodes, how, distances)
        for how in sealed
        for one in what
        for nodes in _WHAT[one]
        if nodes <= most
        for distances in (False, True)
    ]


def kept(out: Path) -> list[dict[str, Any]]:
    """Return the lines that were measured before."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def _name(line: dict[str, Any]) -> tuple[Cell, int]:
    return Cell(*(line[name] for name in Cell._fields)), line["seed"]


def table(lines: list[dict[str, Any]]) -> str:
    """Return all cells as a table of Markdown, one line for those with distances and without."""
    rows = [
        "| hosts, sealed | seeds | | without | with |",
        "|---|---|---|---|---|",
    ]
    found: dict[Cell, list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(_name(line)[0], []).append(line)
    for cell in found:
        if cell.distances or cell._replace(distances=True) not in found:
            continue
        off, on = found[cell], found[cell._replace(distances=True)]
        seeds = f"{len(off)}" if len(off) == len(on) else f"{len(off)}, {len(on)}"
        for name, before in _said(cell, off).items():
            after = _said(cell, on)[name]
            rows.append(f"| {cell.nodes}, {cell.sealed} | {seeds} | {name} | {before} | {after} |")
    return "\n".join(rows)


def _said(cell: Cell, lines: list[dict[str, Any]]) -> dict[str, str]:
    """Return what a cell's lines say, by name."""

    def mean(name: str) -> float:
        return fmean(line["figures"][name] for line in lines)

    said: dict[str, str] = {}
    if cell.what in ("idle", "loss", "joins"):
        name = "from 10 to 40 s after the boot" if cell.what == "joins" else cell.what
        said[f"{name}: bytes/s, datagrams/s"] = (
            f"{mean('bytes_per_second'):.1f}, {mean('datagrams_per_second'):.3f}"
        )
    if cell.what == "joins":
        times = [line["figures"]["joined_after"] for line in lines]
        whole = [one for one in times if one is not None]
        said["all boot at once: joined after, median and slowest (s)"] = (
            f"{median(whole):.2f}, {max(whole):.2f}" if len(whole) == len(times) else "not all"
        )
    times = sorted(time for line in lines for time in line["crashes"])
    if times:
        never = sum(line["never"] for line in lines)
        found = (median(times), quantile(times, 0.99), times[-1])
        spread = ", ".join(f"{one:.2f}" for one in found)
        said["crash seen by all: median, p99, slowest (s)"] = spread + (
            f"; {never} never" if never else ""
        )
    if cell.what == "changes":
        of_all = "registration_known_to_all"
        said["change known: median, p99; to all: median, slowest of all seeds (ms)"] = ", ".join(
            f"{1000 * one:.1f}"
            for one in (
                mean("registration_known_median"),
                mean("registration_known_p99"),
                mean(f"{of_all}_median"),
                max(line["figures"][f"{of_all}_max"] for line in lines),
            )
        )
    said[f"{cell.what}: false deaths, false suspicions"] = ", ".join(
        str(sum(line["figures"][name] for line in lines))
        for name in ("false_deaths", "false_suspicions")
    )
    cpu = median(line["cpu_us_a_host_second"] for line in lines)
    said[f"{cell.what}: CPU of the simulation, us a second and host"] = f"{cpu:.0f}"
    return said


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--what", nargs="*", choices=sorted(_WHAT), default=list(_WHAT))
    parser.add_argument("--sealed", nargs="*", choices=sorted(_SEALED), default=list(_SEALED))
    parser.add_argument("--most", type=int, default=1000, metavar="HOSTS")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="Run nothing.")
    options = parser.parse_args()
    lines = kept(options.out)
    done = {_name(line) for line in lines}
    todo = cells(options.what, options.sealed, options.most)
    for cell, seed in [(one, seed) for seed in range(options.seeds) for one in todo]:
        if options.table or (cell, seed) in done:
            continue
        line = measure(cell, seed)
        lines.append(line)
        with options.out.open("a", encoding="utf-8") as out:
            print(json.dumps(line), file=out, flush=True)
    print(table(lines))


if __name__ == "__main__":
    main()
