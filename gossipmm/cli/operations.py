"""Commands for the life of an agent: ``join``, ``leave``, ``forget``, ``log-level``."""

from __future__ import annotations

import re
import sys

import click

from gossipmm.cli.base import (
    absent,
    completed,
    done,
    names_of_members,
    output_option,
    say,
    show_json,
    talks,
)
from gossipmm.client import Client

__all__ = ("forget", "join", "leave", "log_level")


@click.command()
@click.argument("seeds", nargs=-1, required=True)
@click.option(
    "--wait",
    type=click.FloatRange(0, 30),
    default=5.0,
    metavar="SECONDS",
    help="How long to wait for a member to answer.  [5]",
)
@talks
@output_option
def join(client: Client, seeds: tuple[str, ...], wait: float, as_json: bool) -> None:
    """Add seeds (HOST:PORT).

    Waits until somebody answered; exit status 1 if nobody did.
    """
    found = client.join(*seeds, wait=wait)
    failures = found.failures
    if as_json:
        show_json(found._asdict())
    elif found.live < 2:
        say("nobody answered yet; the seeds are tried for as long as the agent runs")
    elif len(failures) < len(seeds):
        say(f"joined: {found.live} live members, this one included")
    else:
        say(f"{found.live} live members, but not by what was given now:")
    for seed, words in failures.items():
        say(f"gossipmm: {seed} {words}", err=True)
    sys.exit(1 if failures or found.live < 2 else 0)


def _share(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", text.strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else 2.0
    if share > 1:
        raise click.BadParameter(f"{text!r} is not a share: write 99% or 0.99")
    return share


@click.command()
@click.option(
    "--wait",
    default="0%",
    metavar="SHARE",
    callback=_share,
    help="Exit status 1 unless so many of the live members confirmed, as in 99%.",
)
@talks
@output_option
def leave(client: Client, wait: float, as_json: bool) -> None:
    """Leave the cluster, and end the agent.

    Says how many of the live members confirmed.
    """
    found = client.leave()
    share = found.confirmed / found.told if found.told else 1.0
    enough = share >= wait
    if as_json:
        show_json({"confirmed": found.confirmed, "told": found.told, "share": round(share, 4)})
    elif found.told:
        say(
            f"left: {found.confirmed} of {found.told} live members confirmed ({100 * share:.3g} %)"
            + ("" if enough else "; the others will find out by themselves, as after a crash")
        )
    else:
        say("left; there was nobody else to tell")
    sys.exit(0 if enough else 1)


@click.command()
@click.argument("name", shell_complete=completed(names_of_members))
@talks
@output_option
def forget(client: Client, name: str, as_json: bool) -> None:
    """Remove a dead, left or never alive member everywhere.

    Only a new start of it brings it back. Of a live member, drop a later life that somebody
    announced and nobody answers for.
    """
    if not client.forget(name):
        member = client.member(name)
        if member is None:
            absent(f"no member is called {name!r}")
        absent(
            f"{name} is {member.status.label}: only a dead or left member, or one that was never "
            "alive here, can be forgotten"
        )
    done(as_json, f"forgotten: {name}", forgotten=True, name=name)


@click.command()
@click.argument("level", type=click.Choice(["debug", "info", "warning", "error"]))
@talks
@output_option
def log_level(client: Client, level: str, as_json: bool) -> None:
    """Change how much the agent logs."""
    client.set_log_level(level)
    done(as_json, f"the agent logs {level} and above", level=level)
