"""``gossipmm event``: what all members are told, once."""

from __future__ import annotations

import sys
from typing import Any

import click

from gossipmm.cli.base import completed, done, names_of_topics, output_option, talks
from gossipmm.cli.registrations import pair_of
from gossipmm.client import Client
from gossipmm.names import MAX_EVENT_PAYLOAD

__all__ = ("event",)


@click.group()
def event() -> None:
    """Send events to all members, or to some."""


@event.command("send")
@click.argument("name")
@click.argument("payload", required=False, default="")
@click.option(
    "--topic",
    metavar="TOPIC",
    shell_complete=completed(names_of_topics),
    help="Only to members with a registration of it.",
)
@click.option(
    "--metadata",
    metavar="KEY=VALUE",
    multiple=True,
    help="Only to members whose own metadata has that; may be repeated.",
)
@talks
@output_option
def send(
    client: Client,
    name: str,
    payload: str,
    topic: str | None,
    metadata: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send event NAME with PAYLOAD (at most 512 bytes) to all live members, once.

    Those that watch (gossipmm watch --kind user_event) or have a handler for it are told. PAYLOAD -
    is what comes on standard input, whatever bytes there are.

    \b
    gossipmm event send deploy v1.2
    gossipmm event send --topic web reload
    """
    data: bytes | str = payload
    if payload == "-":
        data = sys.stdin.buffer.read(MAX_EVENT_PAYLOAD + 1)
    chosen: dict[str, Any] = dict(pair_of(text, "KEY=VALUE") for text in metadata)
    number = client.send_event(name, data, topic=topic, metadata=chosen)
    facts = {"name": name, "topic": topic, "metadata": chosen, "number": number}
    done(as_json, f"event {name} is on its way to all live members (number {number})", **facts)
