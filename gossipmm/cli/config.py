"""``gossipmm config``: all settings, what is set, and whether an agent would take it."""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterator, Mapping

import click

from gossipmm.cli.base import absent, output_option, show_json
from gossipmm.config import PRESETS, Config
from gossipmm.config_ranges import RANGES
from gossipmm.config_tables import plain
from gossipmm.config_values import nearest
from gossipmm.settings import load_config

__all__ = ("config",)

_DEFAULT = Config()
#: Only code can set these.
_HIDDEN = frozenset({"without"})
_WIDTH = 100


@click.group()
def config() -> None:
    """List settings, show what is set, and check files."""


@config.command()
@click.argument("file", type=click.Path())
@click.option(
    "--keyring",
    metavar="FILE",
    type=click.Path(),
    help="Keys that the command line of the agent names, as the printed unit does.",
)
@output_option
def check(file: str, keyring: str | None, as_json: bool) -> None:
    """Read FILE alone, without the environment, and show what it sets.

    Exit status 2, and one line that names the field, if an agent would refuse it: also for a
    missing keyring or ring file, names that cannot be resolved, and what no datagram has room
    for. Only whether its addresses are free is not tried.
    """
    found = load_config(file, environ={}, flags={"keyring": keyring})

    import trio

    from gossipmm.agent.checking import check as check_agent

    trio.run(check_agent, found)
    if found.dns_port:
        from gossipmm.sidecar.dns.responder import check_zone

        check_zone(found)
    if as_json:
        show_json({"file": file, "ok": True, "changed": _values(found, only_changed=True)})
        return
    changed = list(_lines(found, only_changed=True))
    click.echo(f"{file}: ok, {len(changed)} fields differ from the defaults")
    for line in changed:
        click.echo(f"  {line}")


@config.command()
@click.argument("file", type=click.Path(), required=False)
@click.option("--changed", is_flag=True, help="Only what differs from the defaults.")
@output_option
def show(file: str | None, changed: bool, as_json: bool) -> None:
    """Print the configuration in force, as TOML: of FILE (or the usual one) and the environment."""
    if as_json:
        show_json(_values(load_config(file), only_changed=changed))
        return
    for line in _lines(load_config(file), only_changed=changed):
        click.echo(line)


def _complete(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    return [name for name in descriptions() if name.startswith(begun)]


@config.command()
@click.argument("names", metavar="[FIELD]...", nargs=-1, shell_complete=_complete)
@output_option
def fields(names: tuple[str, ...], as_json: bool) -> None:
    """Print every field, or those named: its default, unit and range, and what raising it does."""
    described = descriptions()
    for name in names:
        if name not in described:
            absent(f"{name} is not a field of the configuration{nearest(name, described)}")
    shown = {name: described[name] for name in names or described}
    if as_json:
        show_json([_as_json(name, text) for name, text in shown.items()])
        return
    for name, text in shown.items():
        click.echo(f"{click.style(name, bold=True)} = {_toml(getattr(_DEFAULT, name))}")
        click.echo(textwrap.indent(textwrap.fill(_plain(text), _WIDTH - 4), "    "))
        if allowed := RANGES.get(name):
            click.echo(f"    Unit: {allowed.unit}; {allowed.low:g} to {allowed.high:g}.")
            click.echo(f"    Raising it: {allowed.raising}.")
        for preset, changes in PRESETS.items():
            if name in changes:
                click.echo(f"    Preset {preset}: {_toml(changes[name])}.")


def _as_json(name: str, text: str) -> dict[str, object]:
    default = getattr(_DEFAULT, name)
    found: dict[str, object] = {
        "name": name,
        "default": dict(default) if isinstance(default, Mapping) else default,
        "description": _plain(text),
    }
    if allowed := RANGES.get(name):
        found |= {"unit": allowed.unit, "low": allowed.low, "high": allowed.high}
        found["raising"] = allowed.raising
    return found


def descriptions() -> dict[str, str]:
    """Return what stands above each field in the source of ``Config``; one for several of them."""
    import inspect

    found: dict[str, str] = {}
    comment: list[str] = []
    before = ""
    for line in inspect.getsource(Config).splitlines():
        if line.startswith("    #: "):
            comment.append(line[7:])
        elif field := re.match(r"    ([a-z_]+): ", line):
            before = " ".join(comment) or before
            comment = []
            if field[1] not in _HIDDEN:
                found[field[1]] = before
        elif "def " in line:
            break
    return found


def _plain(text: str) -> str:
    return text.replace("``", "")


def _values(found: Config, *, only_changed: bool) -> dict[str, object]:
    """Return the fields as plain values."""
    return {
        field.name: plain(getattr(found, field.name))
        for field in dataclasses.fields(Config)
        if field.name not in _HIDDEN
        and not (only_changed and getattr(found, field.name) == getattr(_DEFAULT, field.name))
    }


def _lines(found: Config, *, only_changed: bool) -> Iterator[str]:
    """Write the fields as TOML, which ``load_config`` reads back."""
    for name, value in _values(found, only_changed=only_changed).items():
        yield f"{name} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = [f"{_toml(key)} = {_toml(item)}" for key, item in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_toml, value))}]"
    # A basic string of TOML is written as in JSON, but for DEL, which TOML does not take as it is.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
