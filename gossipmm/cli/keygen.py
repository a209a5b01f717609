"""``gossipmm keygen``: keys for gossip that only those who have them can read or say."""

from __future__ import annotations

import click

from gossipmm.cli.base import say

__all__ = ("keygen",)


@click.command()
@click.argument("file", type=click.Path(), required=False)
@click.option("--add", is_flag=True, help="Add a key to FILE: it receives, the first one sends.")
def keygen(file: str | None, add: bool) -> None:
    """Make a random key for gossip.

    In a new FILE that only you can read; without FILE, on stdout.

    \b
    gossipmm keygen /etc/gossipmm/keyring.json   # then copy it to every host, over a safe way
    keyring = "/etc/gossipmm/keyring.json"       # in the configuration of every agent
    """
    from gossipmm import keyfile
    from gossipmm.core.sealing.keyring import Keyring

    if add:
        if file is None:
            raise click.UsageError("--add needs the FILE to add a key to")
        ring = keyfile.load(file, anybodys=True)
        key = keyfile.generate(*ring.keys, *ring.retired)
        keyfile.save(file, ring.add(key))
        say(f"{file}: key {key.kid.hex()} added; {ring.sending.kid.hex()} still sends")
        return
    key = keyfile.generate()
    if file is None:
        click.echo(keyfile.dump(Keyring((key,))), nl=False)
    else:
        keyfile.create(file, Keyring((key,)))
        say(f"{file}: key {key.kid.hex()}, mode 0600")
