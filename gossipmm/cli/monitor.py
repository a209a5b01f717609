"""``gossipmm monitor``: what the agent logs, at a level of one's own."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from gossipmm.cli.base import output_option, say, talks
from gossipmm.client import Client
from gossipmm.text.durations import moment
from gossipmm.text.terminal import json_text, printable

if TYPE_CHECKING:
    from gossipmm.client.event_types import LogLine

__all__ = ("monitor",)

_COLOURS = {"warning": "yellow", "error": "red", "critical": "red", "debug": "bright_black"}


@click.command()
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="The least level of a line.  [info]",
)
@click.option("--count", type=click.IntRange(1), help="Exit after this many lines.")
@talks
@output_option
def monitor(client: Client, level: str, count: int | None, as_json: bool) -> None:
    """Print what the agent logs, from now on.

    Whatever level its own log has, which stays as it is. Until Ctrl-C (exit status 0), or the agent
    ends (3). With -o json each line is an object, as with --log-format json.

    \b
    gossipmm monitor --level debug
    gossipmm monitor --level warning -o json | jq -r .message
    """
    try:
        for number, line in enumerate(client.monitor(level)):
            _show(line, as_json)
            if number == count:  # the first says that it began
                sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(0)
    say("gossipmm: the agent ended", err=True)
    sys.exit(3)


def _show(line: LogLine, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(line))
    else:
        try:
            at = moment(datetime.fromisoformat(line["time"]).timestamp(), digits=3)
        except ValueError:
            at = line["time"]
        level = line["level"]
        word = "" if level == "info" else click.style(f"{level}: ", fg=_COLOURS.get(level))
        say(f"{printable(at)}  {word}{printable(line['message'])}")
        for trace in str(line.get("exception", "")).splitlines():
            say(f"    {printable(trace)}")
    sys.stdout.flush()
