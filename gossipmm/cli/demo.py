"""``gossipmm demo``: a cluster of five real agents on this machine, for you to watch."""

from __future__ import annotations

import sys

import click

__all__ = ("demo",)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, an object a step.")
def demo(as_json: bool) -> None:
    """Start five agents, kill one, see the answers follow.

    Each agent is a process of its own on 127.0.0.1. Takes some ten seconds. Exit status 1 if
    anything did not come as it should.
    """
    import trio

    from gossipmm.cli.demo_story import tell

    sys.exit(0 if trio.run(tell, as_json) else 1)
