"""Draining: of this agent, and, with --member, of another one."""

from __future__ import annotations

import sys
from typing import Any

import click

from gossipmm.cli.base import (
    absent,
    completed,
    completed_hosts,
    done,
    names_of_members,
    names_of_topics,
    number,
    output_option,
    show_json,
    talks,
    timeout_option,
)
from gossipmm.client import Client
from gossipmm.core.values.questions import Outcome
from gossipmm.text.questions import OUTCOMES

__all__ = ("drain", "undrain")

_MEMBER = click.option(
    "--member",
    metavar="NAME",
    shell_complete=completed(names_of_members),
    help="Of another member, where its configuration says accept_drain.",
)


@click.command()
@click.argument("topic", required=False, shell_complete=completed(names_of_topics))
@click.argument("host", required=False, shell_complete=completed_hosts)
@click.option("--undo", is_flag=True, help="Back into new picks, as undrain.")
@_MEMBER
@timeout_option
@talks
@output_option
def drain(
    client: Client, topic: str | None, host: str | None, undo: bool, as_json: bool, **other: Any
) -> None:
    """Take a node, or registrations, out of new picks.

    The whole node; or, with TOPIC, all that the agent registered for it; or only HOST of it. With
    --member, of that member, which has to allow it.

    It stays known and can still be named; work that runs is not touched.
    """
    _drain(client, (topic, host, not undo), as_json=as_json, **other)


@click.command()
@click.argument("topic", required=False, shell_complete=completed(names_of_topics))
@click.argument("host", required=False, shell_complete=completed_hosts)
@_MEMBER
@timeout_option
@talks
@output_option
def undrain(
    client: Client, topic: str | None, host: str | None, as_json: bool, **other: Any
) -> None:
    """Take a node, or registrations, back into new picks.

    The arguments are those of drain.
    """
    _drain(client, (topic, host, False), as_json=as_json, **other)


def _drain(
    client: Client,
    what: tuple[str | None, str | None, bool],
    *,
    as_json: bool,
    member: str | None,
    timeout: float,
) -> None:
    if member is not None:
        _drain_member(client, member, what, timeout=timeout, as_json=as_json)
        return
    topic, host, draining = what
    changed = client.drain(topic, host, draining=draining)
    line = _line("this node", topic, host, changed, draining)
    done(as_json, line, draining=draining, topic=topic, host=host, changed=changed)


def _line(node: str, topic: str | None, host: str | None, changed: int, draining: bool) -> str:
    if topic is None:
        what = node
    elif host is None:
        what = topic if not changed else f"{topic} ({number(changed, 'host')})"
    else:
        what = f"{topic} of {host}"
    if not changed:
        return f"{what}: nothing to change"
    return f"{what} is draining" if draining else f"{what} is in new picks again"


def _drain_member(
    client: Client,
    member: str,
    what: tuple[str | None, str | None, bool],
    *,
    timeout: float,
    as_json: bool,
) -> None:
    topic, host, draining = what
    found = client.drain_member(member, topic, host, draining=draining, timeout=timeout)
    facts = {
        "member": member,
        "draining": draining,
        "topic": topic,
        "host": host,
        "outcome": found.outcome.value,
        "changed": found.changed,
    }
    if found.outcome is Outcome.DONE:
        line = _line(member, topic, host, found.changed, draining)
        if topic is not None:
            line = f"at {member}: {line}"
        done(as_json, line, **facts)
        return
    if as_json:
        show_json(facts)
        sys.exit(1)
    absent(f"{member} was not {'drained' if draining else 'put back'}: {_why(found.outcome)}")


def _why(outcome: Outcome) -> str:
    words = OUTCOMES[outcome]
    if outcome is Outcome.NOT_ALLOWED:
        return f"{words} (accept_drain = true, there)"
    if outcome is Outcome.NO_ANSWER:
        return f"{words} in time; if it got the question, it may have done it: gossipmm members"
    return words
