"""``gossipmm metadata``: what is told beside a node and its registrations, while they run."""

from __future__ import annotations

from typing import Any

import click

from gossipmm.cli.base import (
    absent,
    completed,
    completed_hosts,
    done,
    names_of_topics,
    number,
    output_option,
    talks,
)
from gossipmm.cli.registrations import pair_of
from gossipmm.client import Client
from gossipmm.text.metadata import metadata_text

__all__ = ("metadata",)


@click.group()
def metadata() -> None:
    """Change the metadata of a node or of registrations."""


@metadata.command("set")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option(
    "--topic",
    metavar="TOPIC",
    shell_complete=completed(names_of_topics),
    help="Of what the agent registered for it.",
)
@click.option(
    "--host",
    metavar="HOST",
    shell_complete=completed_hosts,
    help="Of what the agent registered of it.",
)
@click.option("--end", metavar="KEY", multiple=True, help="Take a key away; may be repeated.")
@talks
@output_option
def set_(
    client: Client,
    pairs: tuple[str, ...],
    topic: str | None,
    host: str | None,
    end: tuple[str],
    as_json: bool,
) -> None:
    """Change keys; all others stay as they are.

    Of the node; with --topic or --host, of registrations of the agent. It lasts until the agent
    ends: the configuration file says what holds from then on. Whole numbers, true and false are
    taken as such.

    \b
    gossipmm metadata set version=2 zone=eu
    gossipmm metadata set --topic web weight=50 --end canary
    """
    changes: dict[str, Any] = dict(pair_of(text, "KEY=VALUE") for text in pairs)
    if twice := sorted(set(changes) & set(end)):
        raise click.UsageError(f"{', '.join(twice)}: both set and ended")
    changes |= dict.fromkeys(end)
    if not changes:
        raise click.UsageError("nothing to change: give KEY=VALUE, or --end KEY")
    changed = client.set_metadata(changes, topic, host)
    facts = {"changes": changes, "topic": topic, "host": host, "changed": changed}
    if topic is None and host is None:
        line = f"this node: {_words(changes)}" if changed else "this node: nothing to change"
        done(as_json, line, **facts)
        return
    found = [
        own
        for own in client.registrations()
        if topic in (None, own.topic) and host in (None, own.host)
    ]
    if not found:
        named = " of ".join(name for name in (topic, host) if name is not None)
        absent(f"{named} is not registered with this agent")
    said = f"{number(changed, 'registration')}: {_words(changes)}"
    done(as_json, said if changed else "nothing to change", **facts)


def _words(changes: dict[str, Any]) -> str:
    given = metadata_text({key: item for key, item in changes.items() if item is not None})
    ended = [f"{key} ended" for key, item in changes.items() if item is None]
    return ", ".join([*([given] if given else []), *ended])
