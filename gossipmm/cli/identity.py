"""``gossipmm identity``: the key that this node signs with, and the certificate for it."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from gossipmm.cli.base import output_option, say, show_json
from gossipmm.config import Config
from gossipmm.errors import IdentityError
from gossipmm.publickeys import public_key_text
from gossipmm.settings import load_config

__all__ = ("identity",)


@click.group()
def identity() -> None:
    """Show or make the key that this node signs with.

    A node with identity = "announce" or "require" makes one at its first start. Its file, which
    nobody else may read, is a secret; the public key is what gossipmm ca issue certifies.
    """


_config_option = click.option(
    "--config",
    "file",
    type=click.Path(),
    help="The agent's configuration.  [GOSSIPMM_CONFIG, or /etc/gossipmm.toml]",
)
_key_option = click.option(
    "--key", "path", type=click.Path(), help="The file of the key.  [as configured]"
)


@identity.command()
@_key_option
@_config_option
@output_option
def new(path: str | None, file: str | None, as_json: bool) -> None:
    """Make a key, in a new file that only you can read. Nothing is overwritten."""
    from gossipmm import identityfile
    from gossipmm.agent.opening import own_name
    from gossipmm.core.identity.keys import key_id

    found = load_config(file)
    path = path or _path(found)
    public = identityfile.create_key(path).public
    text, name = public_key_text(public), own_name(found)
    lines = (
        f"{path}: key {key_id(public)}, mode 0600\n"
        f"public key: {text}\n"
        f"where the authority is: gossipmm ca issue {name} --key {text}"
    )
    if as_json:
        show_json({"file": path, "key": key_id(public), "public": text, "name": name})
        return
    for line in lines.splitlines():
        say(line)


@identity.command()
@_key_option
@_config_option
@output_option
def show(path: str | None, file: str | None, as_json: bool) -> None:
    """Show this node's public key and certificate, from their files.

    Exit status 1 if the certificate does not count now; the line says what to do.
    """
    from gossipmm import identityfile
    from gossipmm.agent.opening import own_name
    from gossipmm.core.identity.keys import key_id

    found = load_config(file)
    named, path = path is not None, path or _path(found)
    name = own_name(found)
    public = identityfile.load_key(path).public
    facts: dict[str, Any] = {
        "name": name,
        "file": path,
        "key": key_id(public),
        "public": public_key_text(public),
        "identity": found.identity,
        "certificate": None,
        "trouble": "",
    }
    lines = [f"{path}: key {key_id(public)}", f"public key: {public_key_text(public)}"]
    trouble = ""
    if found.certificate and not named:
        lines += _certificate(found, name, public, facts)
        trouble = str(facts["trouble"])
    elif found.authority and not named:
        text = public_key_text(public)
        trouble = f"there is no certificate: gossipmm ca issue {name} --key {text} makes one"
        facts["trouble"] = trouble
    if as_json:
        show_json(facts)
    else:
        for line in lines:
            say(line)
        if trouble:
            say(f"gossipmm: {trouble}", err=True)
    if trouble:
        raise SystemExit(1)


def _path(config: Config) -> str:
    from gossipmm import identityfile

    path = identityfile.key_path(config)
    if not path:
        raise click.UsageError(
            "which file? The configuration has neither identity_key nor state_file: give --key FILE"
        )
    return os.path.expanduser(path)


def _certificate(config: Config, name: str, public: bytes, facts: dict[str, Any]) -> list[str]:
    """Add what the certificate says to the facts; return it as lines."""
    import dataclasses

    from gossipmm import identityfile
    from gossipmm.cli.ca import as_facts, as_lines

    try:
        made = identityfile.load_certificate(config.certificate)
    except IdentityError as exc:
        text = public_key_text(public)
        facts["trouble"] = f"{exc}: gossipmm ca issue {name} --key {text}"
        return []
    facts["certificate"] = as_facts(config.certificate, made)
    try:
        named = dataclasses.replace(config, name=name)
        identityfile.check_certificate(config.certificate, made, named, public)
        facts["trouble"] = identityfile.time_trouble(config.certificate, made, time.time())
    except IdentityError as exc:
        facts["trouble"] = str(exc)
    return as_lines(config.certificate, made)
