"""The commands, together. Their modules import click and little else: Trio only when they run."""

from __future__ import annotations

import click

from gossipmm.cli.agent import agent
from gossipmm.cli.config import config
from gossipmm.cli.demo import demo
from gossipmm.cli.keygen import keygen

__all__ = ("cli",)


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"gossipmm {version('gossipmm')}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version)
def cli() -> None:
    """Live hosts by topic, with no server: gossip-based membership and matchmaking."""


cli.add_command(agent)
cli.add_command(config)
cli.add_command(demo)
cli.add_command(keygen)
