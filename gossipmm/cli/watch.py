"""``gossipmm watch``: events as they happen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gossipmm.cli.base import (
    completed,
    names_of_members,
    names_of_topics,
    output_option,
    say,
    talks,
)
from gossipmm.client import Client
from gossipmm.text.durations import moment
from gossipmm.text.terminal import json_text

if TYPE_CHECKING:
    from gossipmm.client.event_types import WatchedEvent

__all__ = ("watch",)


def _kinds(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from gossipmm.core.values.events import KINDS

    return [kind for kind in sorted(KINDS) if kind.startswith(begun)]


@click.command()
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only events of this kind.",
    shell_complete=_kinds,
)
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="TOPIC",
    help="Only of this topic.",
    shell_complete=completed(names_of_topics),
)
@click.option(
    "--member",
    "members",
    multiple=True,
    metavar="NAME",
    help="Only of this member.",
    shell_complete=completed(names_of_members),
)
@click.option("--since", metavar="ID", help="Begin after the event with this id.")
@click.option("--count", type=click.IntRange(1), help="Exit after this many events.")
@talks
@output_option
def watch(
    client: Client,
    kinds: tuple[str, ...],
    topics: tuple[str, ...],
    members: tuple[str, ...],
    since: str | None,
    count: int | None,
    as_json: bool,
) -> None:
    """Print events as they happen.

    Until Ctrl-C (exit status 0), or the agent ends (3).

    \b
    gossipmm watch --kind member_died --kind member_joined
    gossipmm watch --topic compute -o json | jq -r .text
    """
    told = 0
    try:
        for event in client.watch(
            *kinds, topics=topics, members=members, since=since, reconnect=False
        ):
            told += _show(event, as_json)
            if told == count:
                sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(0)
    say("gossipmm: the agent ended", err=True)
    sys.exit(3)


def _show(event: WatchedEvent, as_json: bool) -> int:
    """Print an event; returns how many of those wanted it is."""
    if as_json:
        click.echo(json_text(event))
    elif event["event"] == "hello":
        say(f"watching {event['node']}", err=True)
    elif event["event"] == "dropped" or event["event"] == "closing":
        say(f"gossipmm: {event['reason']}", err=True)
    else:
        say(f"{moment(event['time'], digits=3)}  {event['text']}")
    sys.stdout.flush()
    return 1 if "text" in event else 0
