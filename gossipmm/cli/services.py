"""``gossipmm services`` and ``gossipmm check``: what is listed only while it works."""

from __future__ import annotations

from typing import Any

import click

from gossipmm.cli.base import (
    absent,
    completed,
    completed_hosts,
    done,
    duration,
    output_option,
    say,
    short_output_option,
    show_json,
    state_text,
    table,
    talks,
)
from gossipmm.client import Client
from gossipmm.text.terminal import printable

__all__ = ("check", "services", "show_checks")


def _topics(client: Client) -> list[str]:
    return [one.topic for one in client.services()]


@click.command()
@click.argument("topic", required=False, shell_complete=completed(_topics))
@talks
@output_option
def services(client: Client, topic: str | None, as_json: bool) -> None:
    """Show the agent's services, and what their checks found.

    They are [[service]] in its configuration file. With TOPIC: those of it, and what their checks
    printed. Exit status 1 if one of them is not up.
    """
    found = client.get("services")["services"]
    if topic is not None:
        found = [one for one in found if one["topic"] == topic]
        if not found:
            absent(f"{topic} is not among the services of this agent's configuration")
    if as_json:
        show_json(found)
    elif topic is not None:
        for one in found:
            _show(one)
    else:
        rows = [
            (
                one["topic"],
                one["host"],
                state_text(one["state"]),
                duration(one["since_ago"]),
                one["reason"],
            )
            for one in found
        ]
        table(("TOPIC", "HOST", "STATE", "FOR", "REASON"), rows)
    if any(one["state"] != "up" for one in found):
        raise SystemExit(1)


def _show(service: dict[str, Any]) -> None:
    because = f": {service['reason']}" if service["reason"] else ""
    state = state_text(service["state"])
    since = duration(service["since_ago"])
    say(f"{service['topic']} of {service['host']} is {state} for {since}{because}")
    show_checks(service)


def show_checks(service: dict[str, Any]) -> None:
    """Print a line for each check, and what it printed."""
    for one in service["checks"]:
        ran = "did not run yet" if one["ago"] is None else f"ran {duration(one['ago'])} ago"
        counts = f"{one['runs']} runs, {one['failures']} failed, {one['skipped']} left out"
        words = f": {one['reason']}" if one["reason"] else ""
        say(f"  {one['name']} is {state_text(one['state'])}, {ran} ({counts}){words}")
        for line in one["output"].splitlines():
            click.echo(f"    | {printable(line)}")


@click.command()
@click.argument("result", type=click.Choice(["pass", "warn", "fail"]))
@click.argument("topic", shell_complete=completed(_topics))
@click.argument("host", required=False, shell_complete=completed_hosts)
@click.option("--output", default="", metavar="TEXT", help="What an operator should read of it.")
@click.option("--name", default="", metavar="CHECK", help="Only this check of several.")
@talks
@short_output_option
def check(
    client: Client, result: str, topic: str, host: str | None, as_json: bool, **said: str
) -> None:
    """Say how a service is that has a check of kind ttl.

    HOST is the agent's own name if it is left out. Exit status 1 if there is no such service.

    \b
    gossipmm check pass web
    gossipmm check fail web host-a --output "the disk is full"
    """
    if not client.check(result, topic, host, **said):
        of = f" of {host}" if host is not None else ""
        absent(f"{topic}{of} is not among the services of this agent's configuration")
    done(as_json, f"{topic}: {result}", topic=topic, host=host, result=result, **said)
