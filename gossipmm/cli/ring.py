"""``gossipmm ring export``: the live table for programs that still read a ring file."""

from __future__ import annotations

import click

from gossipmm.cli.base import number, say, show_json, talks
from gossipmm.client import Client

__all__ = ("ring",)


@click.group()
def ring() -> None:
    """Classical ring files."""


@ring.command()
@click.argument("file", type=click.Path(dir_okay=False), required=False)
@talks
def export(client: Client, file: str | None) -> None:
    """Write the live hosts of each topic.

    To FILE, replaced in one step, or to stdout.
    """
    found = client.ring()
    if file is None:
        show_json(found)
        return
    from gossipmm.matchmaker.ring import write_ring

    write_ring(file, found)
    hosts = sum(len(hosts) for hosts in found.values())
    say(f"{file}: {number(len(found), 'topic')}, {number(hosts, 'host')}", err=True)
