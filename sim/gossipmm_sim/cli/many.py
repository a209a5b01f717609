"""The commands that run many times: campaign, ablate, determinism, theory."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import click

from gossipmm_sim.cli.base import build, cli, settings_of
from gossipmm_sim.errors import UsageError, unknown
from gossipmm_sim.judge.tracker import quantile

__all__ = ("ablate", "campaign", "determinism", "progress_bar", "theory")


#: The swarm of each network.
_SWARMS = {"plain": "swarm", "real": "swarm_paths"}


def progress_bar() -> Any:
    """Make the progress bar that long commands show on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


@cli.command()
@click.argument("names", nargs=-1)
@click.option("--seeds", default="100", show_default=True, metavar="N|FROM-TO")
@click.option("--jobs", "processes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--shard", default="1/1", show_default=True, metavar="I/N")
@click.option("--resume", is_flag=True, help="Go on behind the lines that --out has.")
@click.option("--out", type=click.Path(path_type=Path), help="One JSON line a run.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE")
@click.option("--dask", metavar="ADDRESS", help="A Dask scheduler to run on.")
@click.option("--sometimes/--no-sometimes", default=None, help="Demand that all was exercised.")
@click.option(
    "--network",
    type=click.Choice(["plain", "real"]),
    default="plain",
    show_default=True,
    help="Without NAMES: swarm, or swarm_paths (two families, NAT, small paths ...).",
)
@click.option("--figure", "figures", multiple=True, metavar="NAME", help="Sum up, over all runs.")
def campaign(
    names: tuple[str, ...],
    seeds: str,
    processes: int,
    shard: str,
    resume: bool,
    out: Path | None,
    pairs: tuple[str, ...],
    dask: str | None,
    sometimes: bool | None,
    figures: tuple[str, ...],
    network: str,
) -> None:
    """Run NAMES (scenarios, quick, swarm, swarm_paths) for many seeds; by default a swarm."""
    from gossipmm_sim.search import campaign as many

    todo = many.jobs(names or (_SWARMS[network],), many.parse_seeds(seeds), settings_of(pairs))
    index, count = many.parse_shard(shard)
    todo = todo[index::count]
    if resume and out is None:
        raise UsageError("--resume needs --out FILE")
    done = many.finished(out) if resume and out is not None else set()
    todo = [job for job in todo if job.key not in done]
    for job in todo[:1]:
        job.build()  # report a wrong setting before any process starts
    if not todo and not done:
        raise UsageError(f"there is no run to make: --seeds {seeds}, --shard {shard}")
    try:
        file = out.open("a" if resume else "w", encoding="utf-8") if out is not None else None
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from None
    sums = _Sums(figures)
    with progress_bar() as progress:
        task = progress.add_task("campaign", total=len(todo), rate="")

        def tell(line: dict[str, Any]) -> None:
            sums.add(line)
            for text in _failure(line):
                progress.console.print(text, markup=False)
            progress.advance(task)
            speed = progress.tasks[task].speed
            progress.update(task, rate=f"{speed:.1f} runs/s" if speed else "")

        try:
            acted = many.run_campaign(
                todo, processes=processes, out=file, tell=tell, pool=_dask(dask) if dask else None
            )
        finally:
            if file is not None:
                file.close()
    click.echo(f"{len(todo)} runs, {sums.failed} failed, {len(done)} were done before")
    sums.tell()
    never = [name for name in many.SOMETIMES if not acted[name]]
    plain = names == ("swarm",) or (not names and network == "plain")
    if not (sometimes or (sometimes is None and plain and len(todo) >= 200)):
        never = []
    for name in never:
        click.echo(f"never exercised: {name}")
    sys.exit(1 if sums.failed or never else 0)


class _Sums:
    """What is summed up over the lines of a campaign."""

    def __init__(self, figures: tuple[str, ...]) -> None:
        self.failed = 0
        self.times: dict[str, list[float]] = {}
        #: What had not come about by the end of its run has no time.
        self.never: Counter[str] = Counter()
        self.figures: dict[str, list[float]] = {name: [] for name in figures}

    def add(self, line: dict[str, Any]) -> None:
        """Take the line of one run."""
        self.failed += not line["ok"]
        for name, values in line["samples"].items():
            self.times.setdefault(name, []).extend(values)
        self.never.update(line["never"])
        for name, found in self.figures.items():
            if name in line["figures"]:
                value = line["figures"][name]
                found.append(math.inf if value is None else value)

    def tell(self) -> None:
        """Print quantiles over all runs."""
        for name, values in self.times.items():
            values.sort()
            marks = ((0.5, "median"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "max"))
            shown = ", ".join(f"{word} {quantile(values, share):.3f}" for share, word in marks)
            late = f", and {self.never[name]} not by the end" if self.never[name] else ""
            click.echo(f"{name}, s, {len(values)} of all runs: {shown}{late}")
        for name, values in self.figures.items():
            values.sort()
            if values:
                median, most = (
                    "not by the end" if value == math.inf else f"{value:.4g}"
                    for value in (quantile(values, 0.5), values[-1])
                )
                click.echo(f"{name}: median {median}, max {most}")


def _failure(line: dict[str, Any]) -> tuple[str, ...]:
    """Say what broke, and how to repeat it; nothing for a run that kept all promises."""
    if line["ok"]:
        return ()
    wrong = next(one for one in line["verdicts"] if not one["ok"])
    return (
        f"FAILED {line['job']}: {wrong['check']}: {wrong['message']}",
        f"  repeat: {_repeat(line)}",
    )


def _repeat(line: dict[str, Any]) -> str:
    name, _, rest = line["job"].partition("[")
    settings = rest.rpartition("]")[0]
    pairs = "".join(f" --set {pair}" for pair in settings.split(",") if pair)
    return f"python -m gossipmm_sim run {name} --seed {line['seed']}{pairs}"


def _dask(address: str) -> Executor:
    try:
        from dask.distributed import Client
    except ImportError:
        raise UsageError("--dask needs the packages dask and distributed") from None
    executor: Executor = Client(address).get_executor()
    return executor


@cli.command()
@click.argument("names", nargs=-1)
@click.option("--seeds", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--json", "json_path", metavar="FILE")
def ablate(names: tuple[str, ...], seeds: int, json_path: str | None) -> None:
    """Switch mechanisms off (all, or NAMES): the matching check must fail."""
    from gossipmm_sim.search.ablation import ABLATIONS
    from gossipmm_sim.search.ablation import ablate as ablate_one

    for name in names:
        if name not in ABLATIONS:
            raise unknown("mechanism", name, ABLATIONS)
    rows = []
    for name in names or tuple(ABLATIONS):
        outcome = ablate_one(ABLATIONS[name], seeds)
        where = "NOT CAUGHT" if outcome.seed is None else f"seed {outcome.seed}"
        click.echo(f"{name:<22} {where:<11} {outcome.purpose}\n{'':<34} {outcome.message}")
        rows.append({name: getattr(outcome, name) for name in outcome.__slots__})
    if json_path:
        Path(json_path).write_text(json.dumps(rows, indent=1), "utf-8")
    sys.exit(1 if any(row["seed"] is None for row in rows) else 0)


@cli.command()
@click.argument("scenario", default="swarm")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--runs", type=click.IntRange(min=2), default=3, show_default=True)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE")
@click.option("--python", "pythons", multiple=True, metavar="PATH", help="Other interpreters.")
def determinism(
    scenario: str, seed: int, runs: int, pairs: tuple[str, ...], pythons: tuple[str, ...]
) -> None:
    """Run the same seed in other processes with other hash seeds: one trace hash."""
    build(scenario, seed, None, pairs)
    hashes: dict[str, str] = {}
    for python in (sys.executable, *pythons):
        for number in range(runs):
            command = [
                python,
                "-m",
                "gossipmm_sim",
                "run",
                scenario,
                "--seed",
                str(seed),
                "--json",
                "-",
            ]
            command += [part for pair in pairs for part in ("--set", pair)]
            env = {**os.environ, "PYTHONHASHSEED": str(number * 7919 + 1)}
            done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
            try:
                hashes[f"{python} #{number}"] = json.loads(done.stdout)["trace_hash"]
            except ValueError:
                raise UsageError(f"{python} did not run it: {done.stderr.strip()[-200:]}") from None
    for label, value in hashes.items():
        click.echo(f"{value}  {label}")
    same = len(set(hashes.values())) == 1
    click.echo("the same everywhere" if same else "DIFFERENT")
    sys.exit(0 if same else 1)


@cli.command()
@click.option("--nodes", "sizes", multiple=True, type=click.IntRange(min=2), default=(50, 100))
@click.option("--fanout", "fanouts", multiple=True, type=click.IntRange(1, 32), default=(3, 4, 5))
@click.option("--loss", "losses", multiple=True, type=click.FloatRange(0, 0.9), default=(0.0, 0.25))
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "json_path", metavar="FILE")
def theory(
    sizes: tuple[int, ...],
    fanouts: tuple[int, ...],
    losses: tuple[float, ...],
    seed: int,
    json_path: str | None,
) -> None:
    """Compare how one item spreads with the formulas of the literature."""
    from gossipmm_sim.report.theory import curve

    rows = []
    click.echo("nodes fanout loss  second  missed by one push   p50      p99      all")
    click.echo("                   push    theory  measured     ms       ms       ms")
    for nodes in sizes:
        for fanout in fanouts:
            for loss in losses:
                for second in (False, True):
                    found = curve(nodes, fanout=fanout, loss=loss, second_push=second, seed=seed)
                    row = found.as_dict()
                    rows.append(row)
                    predicted = "" if second else f"{row['missed_by_push_theory']:.4f}"
                    click.echo(
                        f"{nodes:5} {fanout:6} {loss:4.2f} {'yes' if second else 'no':>6}"
                        f"   {predicted:>6}  {row['missed_by_push_measured']:8.4f}"
                        f" {row['p50_ms'] or -1:8.1f} {row['p99_ms'] or -1:8.1f}"
                        f" {row['all_ms'] or -1:8.1f}"
                    )
    if json_path:
        Path(json_path).write_text(json.dumps(rows, indent=1), "utf-8")
