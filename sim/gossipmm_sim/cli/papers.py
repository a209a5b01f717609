"""The commands that repeat experiments of the literature: lifeguard, rapid."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from gossipmm_sim.cli.base import cli
from gossipmm_sim.cli.many import progress_bar
from gossipmm_sim.errors import UsageError
from gossipmm_sim.search import campaign
from gossipmm_sim.search.experiments import Cell, measure

__all__ = ("lifeguard", "rapid")


@cli.command()
@click.option("--experiment", type=click.Choice(["interval", "threshold"]), default="interval")
@click.option("--quick", is_flag=True, help="27 cells instead of 432 (interval).")
@click.option("--c", "counts", type=int, multiple=True, help="Only with so many blocked hosts.")
@click.option("--d", "durations", type=float, multiple=True, help="Only blocked so many seconds.")
@click.option("--i", "intervals", type=float, multiple=True, help="Only with so many between.")
@click.option("--nodes", type=click.IntRange(min=2), default=128, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--jobs", "processes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--shard", default="1/1", show_default=True, metavar="I/N")
@click.option("--resume", is_flag=True, help="Go on behind the lines that --out has.")
@click.option("--out", type=click.Path(path_type=Path), help="One JSON line a cell.")
def lifeguard(
    experiment: str,
    quick: bool,
    counts: tuple[int, ...],
    durations: tuple[float, ...],
    intervals: tuple[float, ...],
    nodes: int,
    seed: int,
    processes: int,
    shard: str,
    resume: bool,
    out: Path | None,
) -> None:
    """Repeat Lifeguard's experiments: false deaths with C sick observers among 128."""
    from gossipmm_sim.search import experiments

    if experiment == "interval":
        grid = experiments.interval_grid(quick=quick)
    else:
        grid = experiments.threshold_grid(quick=quick)
    cells = [
        Cell(f"lifeguard_{experiment}", settings, seed, nodes)
        for settings in grid
        if _chosen(settings, c=counts, d=durations, i=intervals)
    ]
    if not cells:
        raise UsageError("no cell of the grid has these values of --c, --d and --i")
    index, count = campaign.parse_shard(shard)
    cells = cells[index::count]
    if resume and out is None:
        raise UsageError("--resume needs --out FILE")
    done = campaign.finished(out) if resume and out is not None else set()
    todo = [cell for cell in cells if cell.job not in done]
    rows = list(_write_lines(_map(todo, processes), out, append=resume))
    if out is not None:
        wanted = {cell.job for cell in cells}
        lines = out.read_text("utf-8").splitlines()
        rows = [row for row in map(json.loads, lines) if row["job"] in wanted]
    by_well = sum(row["false_deaths_by_well"] for row in rows)
    total = sum(row["false_deaths"] for row in rows)
    click.echo(
        f"{len(rows)} cells of {nodes} hosts, {len(rows) - len(todo)} of them done before:"
        f" {by_well} false deaths by healthy hosts, {total} in all;"
        f" {sum(row['deaths_seen'] for row in rows)} deaths of blocked hosts seen"
    )
    for row in rows:
        if row["false_deaths_by_well"]:
            click.echo(f"  {row['job']}: {row['false_deaths_by_well']}")
    sys.exit(1 if by_well else 0)


def _chosen(settings: dict[str, float], **wanted: tuple[float, ...]) -> bool:
    return all(not values or settings.get(name) in values for name, values in wanted.items())


def _map(cells: list[Cell], processes: int) -> Iterator[dict[str, Any]]:
    """Run the cells in a pool, reporting each as soon as it ends, with progress on stderr."""
    with progress_bar() as progress:
        task = progress.add_task("cells", total=len(cells), rate="")
        for row in _rows(cells, processes):
            progress.advance(task)
            yield row


def _rows(cells: list[Cell], processes: int) -> Iterator[dict[str, Any]]:
    if processes <= 1:
        yield from map(measure, cells)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(measure, cells)


def _write_lines(
    rows: Iterable[dict[str, Any]], out: Path | None, *, append: bool = False
) -> Iterator[dict[str, Any]]:
    try:
        mode = "a" if append else "w"
        file = out.open(mode, encoding="utf-8") if out is not None else None
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from None
    try:
        for row in rows:
            if file is not None:
                file.write(json.dumps(row) + "\n")
                file.flush()
            yield row
    finally:
        if file is not None:
            file.close()


@cli.command()
@click.option("--fault", type=click.Choice(["crash", "deaf", "egress_loss", "all"]), default="all")
@click.option("--nodes", type=click.IntRange(min=20), default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="One JSON line a fault.")
def rapid(fault: str, nodes: int, seed: int, out: Path | None) -> None:
    """Repeat Rapid's three faults: 10 of 1,000 hosts crash, go deaf, or lose their egress."""
    kinds = ("crash", "deaf", "egress_loss") if fault == "all" else (fault,)
    ok = True
    cells = [Cell(f"rapid_{kind}", {}, seed, nodes) for kind in kinds]
    for row in _write_lines(map(measure, cells), out):
        click.echo(json.dumps(row, indent=1))
        ok = ok and row["ok"]
    sys.exit(0 if ok else 1)
