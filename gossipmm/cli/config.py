"""``gossipmm config``: what a configuration file says, and whether it can be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import click

from gossipmm.config import Config
from gossipmm.settings import load_config

__all__ = ("config",)


@click.group()
def config() -> None:
    """Look at configuration files."""


@config.command()
@click.argument("file", type=click.Path())
def check(file: str) -> None:
    """Read FILE alone, without the environment, and show what it sets.

    Exit status 2, and one line that names the field, if an agent would refuse it.
    """
    found = load_config(file, environ={})
    changed = [
        f"  {field.name} = {_shown(getattr(found, field.name))}"
        for field in dataclasses.fields(Config)
        if getattr(found, field.name) != getattr(_DEFAULT, field.name)
    ]
    click.echo(f"{file}: ok, {len(changed)} fields differ from the defaults")
    for line in changed:
        click.echo(line)


_DEFAULT = Config()


def _shown(value: object) -> str:
    if isinstance(value, (tuple, frozenset)):
        return ", ".join(str(item) for item in sorted(value))
    return str(dict(value)) if isinstance(value, Mapping) else str(value)
