"""The commands about one run: list, run, replay, shrink."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from gossipmm_sim.cli.base import build, cli, finish, write
from gossipmm_sim.errors import UsageError, unknown
from gossipmm_sim.faults import FAULTS
from gossipmm_sim.runs.scenario import Scenario, scenarios

__all__ = ("list_command", "replay", "run", "shrink")


@cli.command("list")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
def list_command(output: str) -> None:
    """Show scenarios by family, and the kinds of faults."""
    if output == "json":
        click.echo(json.dumps([one.as_dict() for one in scenarios().values()], indent=1))
        return
    family = ""
    for one in scenarios().values():
        if one.family != family:
            family = one.family
            click.echo(click.style(f"\n{family}", bold=True))
        params = " ".join(f"{key}={value}" for key, value in one.params.items())
        extra = f"  [{params}]" if params else ""
        slow = "" if one.quick else " (slow)"
        failing = {one.with_settings(each).known_failure for each in one.variants or ({},)} - {""}
        slow += f" (known to fail: {', '.join(sorted(failing))})" if failing else ""
        click.echo(f"  {one.name:<48} {one.nodes:>5} hosts{slow}  {one.doc}{extra}")
    click.echo("\nswarm: a random subset of faults for each seed")
    click.echo("swarm_paths: the same on networks of two families, changing addresses, small paths")
    click.echo(f"faults: {', '.join(FAULTS)}")


@cli.command()
@click.argument("scenario")
@click.option("--nodes", type=click.IntRange(min=1), help="Number of hosts.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Parameter or field.")
@click.option("--all-variants", is_flag=True, help="Run each variant that the scenario names.")
@click.option("--json", "json_path", metavar="FILE", help="Write the result as JSON (-: stdout).")
@click.option("--html", "html_path", metavar="FILE", help="Write a report to look at.")
@click.option("--toml", is_flag=True, help="Print the scenario as TOML instead of running it.")
def run(
    scenario: str,
    nodes: int | None,
    seed: int,
    pairs: tuple[str, ...],
    all_variants: bool,
    json_path: str | None,
    html_path: str | None,
    toml: bool,
) -> None:
    """Run SCENARIO (a name, swarm, file.toml or file.toml:name) once."""
    from gossipmm_sim.runs.run import run as run_once

    chosen = build(scenario, seed, nodes, pairs)
    if toml:
        click.echo(chosen.to_toml(), nl=False)
        return
    variants = chosen.variants if all_variants and chosen.variants else ({},)
    results = [run_once(chosen.with_settings(one), seed) for one in variants]
    finish(results, json_path, html_path)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--job", help="Key of the line in a campaign's file; default: its first failure.")
@click.option("--html", "html_path", metavar="FILE", help="Write a report to look at.")
def replay(file: Path, job: str | None, html_path: str | None) -> None:
    """Repeat the run in FILE (of run --json or of a campaign) and compare the trace hash."""
    from gossipmm_sim.runs.run import run as run_once

    line = recorded(file, job)
    result = run_once(Scenario.from_dict(line["options"]), line["seed"])
    same = result.trace_hash == line["trace_hash"]
    click.echo(f"trace hash {result.trace_hash}: {'the same' if same else 'NOT the same'}")
    if not same:
        click.echo(f"recorded   {line['trace_hash']}")
    if html_path:
        from gossipmm_sim.report.render import html

        write(html_path, html([result]))
    from gossipmm_sim.report.render import text

    click.echo(text(result))
    sys.exit(0 if same and result.ok else 1)


def recorded(file: Path, job: str | None) -> dict[str, Any]:
    """Read the recorded run that options name."""
    try:
        content = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    try:
        whole = json.loads(content)
        lines = whole if isinstance(whole, list) else [whole]
    except ValueError:
        try:
            lines = [json.loads(line) for line in content.splitlines() if line.strip()]
        except ValueError as error:
            raise UsageError(f"{file} is not JSON: {error}") from None
    runs = [
        one
        for one in lines
        if isinstance(one, dict) and {"options", "seed", "trace_hash"} <= one.keys()
    ]
    if not runs:
        raise UsageError(f"{file} has no recorded run in it (run --json FILE writes one)")
    if job is not None:
        for one in runs:
            if one.get("job") == job:
                return one
        raise unknown(f"run in {file}", job, [one.get("job", "") for one in runs])
    return next((one for one in runs if not one.get("ok")), runs[0])


@cli.command()
@click.argument("file")
@click.option("--job", help="Key of the line in a campaign's file; default: its first failure.")
@click.option("--seed", type=int, help="FILE is a scenario's name (or swarm): shrink that seed.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE")
@click.option("--runs", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--out", metavar="FILE", help="Write the smallest scenario as TOML there.")
def shrink(
    file: str, job: str | None, seed: int | None, pairs: tuple[str, ...], runs: int, out: str | None
) -> None:
    """Find the smallest scenario that still fails like the run in FILE."""
    from gossipmm_sim.report.render import text
    from gossipmm_sim.search.shrink import Shrinker

    if seed is not None:
        scenario = build(file, seed, None, pairs)
    else:
        line = recorded(Path(file), job)
        scenario, seed = Scenario.from_dict(line["options"]), line["seed"]
    tell = lambda what: click.echo(what, err=True)  # noqa: E731
    shrinker = Shrinker(scenario, seed, most_runs=runs, tell=tell)
    begin = len(shrinker.best.faults)
    best = shrinker.shrink()
    click.echo(f"{begin} faults -> {len(best.faults)} in {shrinker.runs} runs", err=True)
    click.echo(best.to_toml(), nl=False)
    path = out or f"shrunk-{best.name}-{seed}.toml"
    write(path, best.to_toml())
    assert shrinker.result is not None
    click.echo(text(shrinker.result), err=True)
    click.echo(f"repeat: python -m gossipmm_sim run {path} --seed {shrinker.seed}", err=True)
