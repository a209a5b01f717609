"""Shared by all commands: the group, scenarios named by options, writing, exit statuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from gossipmm_sim.errors import UsageError, unknown
from gossipmm_sim.runs.result import Result
from gossipmm_sim.runs.scenario import Scenario, find
from gossipmm_sim.search.swarm_paths import SWARMS

__all__ = ("build", "cli", "finish", "settings_of", "write")

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Group(click.Group):
    """Names the nearest command when none has that name."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise unknown("command", name, self.list_commands(ctx))
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings=_CONTEXT)
def cli() -> None:
    """Simulate clusters of real gossipmm cores in virtual time, from one seed."""


def settings_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Read ``key=value`` options."""
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {pair!r}: write key=value")
        settings[key] = value
    return settings


def build(name: str, seed: int, nodes: int | None, pairs: tuple[str, ...]) -> Scenario:
    """Build the scenario that options name."""
    settings: dict[str, Any] = settings_of(pairs)
    if nodes is not None:
        settings["nodes"] = str(nodes)
    if name in SWARMS:
        return SWARMS[name](seed, nodes=int(settings.pop("nodes", 10))).with_settings(settings)
    return find(name).with_settings(settings)


def write(path: str, text: str) -> None:
    """Write a file, or stdout for ``-``."""
    if path == "-":
        click.echo(text)
        return
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def finish(results: list[Result], json_path: str | None, html_path: str | None) -> None:
    """Print, write what was asked for, and end with the right status."""
    from gossipmm_sim.report.render import html, text

    if json_path != "-":
        for result in results:
            click.echo(text(result))
    if json_path:
        data = [result.as_dict() for result in results]
        write(json_path, json.dumps(data[0] if len(data) == 1 else data, indent=1))
    if html_path:
        write(html_path, html(results))
    sys.exit(0 if all(result.ok for result in results) else 1)
