"""``gossipmm rtt``: how far two members are from each other."""

from __future__ import annotations

import sys

import click

from gossipmm.cli.base import (
    absent,
    completed,
    names_of_members,
    output_option,
    say,
    show_json,
    talks,
    timeout_option,
)
from gossipmm.client import Client
from gossipmm.core.values.questions import Outcome
from gossipmm.text.questions import OUTCOMES

__all__ = ("rtt",)


@click.command()
@click.argument("name", shell_complete=completed(names_of_members))
@click.argument("to", required=False, shell_complete=completed(names_of_members))
@timeout_option
@talks
@output_option
def rtt(client: Client, name: str, to: str | None, timeout: float, as_json: bool) -> None:
    """Estimate the round trip between a member and another one.

    Without TO: between it and the agent's node. Both are asked for their coordinates; nothing is
    sent between them. Needs distances = true at both, and at the agent that is asked. Exit status 1
    if there is no estimate.

    \b
    gossipmm rtt web-1
    gossipmm rtt web-1 db-3
    """
    found = client.rtt(name, to, timeout)
    if as_json:
        show_json({**found._asdict(), "outcome": found.outcome.value, "name": name, "to": to})
        sys.exit(0 if found.outcome is Outcome.DONE else 1)
    if found.seconds is None or found.error is None:
        words = OUTCOMES[found.outcome]
        if found.outcome is Outcome.NOT_ALLOWED:
            words = "it keeps no coordinate (distances = true, there)"
        absent(f"{found.of}: {words}")
    other = to or "this node"
    say(f"{name} - {other}: {1000 * found.seconds:.1f} ms, usually within {found.error:.0%}")
