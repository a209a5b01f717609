"""``gossipmm members``: who belongs to the cluster, and how they are."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import click

from gossipmm.cli.base import (
    absent,
    completed,
    duration,
    names_of_members,
    names_of_topics,
    number,
    output_option,
    say,
    show_json,
    state_text,
    table,
    talks,
)
from gossipmm.client import Client
from gossipmm.core.values.types import Status
from gossipmm.text.metadata import metadata_text, value_text

__all__ = ("members",)

_STATUSES = [status.label for status in Status]
#: What a member is called draining by, beside its status.
_DRAINING = "draining"
#: The metadata that says where a host is.
_ZONE = "zone"


@click.command()
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([*_STATUSES, _DRAINING]),
    help="Only those with this status; may be repeated.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=completed(names_of_members),
    help="Only those called so; * and ? stand for any letters.",
)
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="TOPIC",
    shell_complete=completed(names_of_topics),
    help="Only those that register a host of this topic.",
)
@click.option(
    "--metadata", multiple=True, metavar="KEY=VALUE", help="Only those with this metadata."
)
@click.option("--near", is_flag=True, help="The nearest first, those of unknown distance last.")
@talks
@output_option
def members(
    client: Client,
    statuses: tuple[str, ...],
    names: tuple[str, ...],
    topics: tuple[str, ...],
    metadata: tuple[str, ...],
    **shown: bool,
) -> None:
    """Show members and how they are.

    * marks the agent that answers. Several filters: those that pass all. Exit status 1 if filters
    leave nobody.

    \b
    gossipmm members --status dead --status suspect
    gossipmm members --name 'web-*' --metadata zone=eu
    gossipmm members --topic compute
    gossipmm members --near
    """
    near, as_json = shown["near"], shown["as_json"]
    found = client.get("members")["members"]
    pairs = [_pair(text) for text in metadata]
    if statuses:
        found = [member for member in found if _is_any(member, statuses)]
    if names:
        found = [m for m in found if any(fnmatchcase(m["name"], name) for name in names)]
    if topics:
        nodes = {node for topic in topics for node in _nodes(client, topic)}
        found = [member for member in found if member["name"] in nodes]
    if pairs:
        found = [m for m in found if all(_has(m["metadata"], *pair) for pair in pairs)]
    if near:
        found = sorted(found, key=_distance)
    if as_json:
        show_json(found)
    if not found and (statuses or names or topics or pairs):
        absent("no member passes these filters")
    if not as_json:
        _show(found)
        unknown = sum(m.get("rtt") is None and not m["self"] for m in found)
        if near and unknown:
            say(f"{number(unknown, 'member')} of unknown distance: gossipmm rtt NAME", err=True)


def _distance(member: dict[str, Any]) -> tuple[bool, float]:
    """Put the agent itself first, then the nearest; members of unknown distance last."""
    if member["self"]:
        return False, -1.0
    rtt = member.get("rtt")  # an agent of an older version does not say
    return rtt is None, 0.0 if rtt is None else rtt


def _far(member: dict[str, Any]) -> str:
    """Say how far a member is, and by which share that may be off; nothing if it is not known."""
    rtt, error = member.get("rtt"), member.get("rtt_error")
    if rtt is None:
        return ""
    return f"{1000 * rtt:.1f} ms" + (f" ±{error:.0%}" if error is not None else "")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
    return key, value


def _is_any(member: dict[str, Any], statuses: Iterable[str]) -> bool:
    return member["status"] in statuses or (member["draining"] and _DRAINING in statuses)


def _has(metadata: dict[str, Any], key: str, text: str) -> bool:
    """Return whether metadata has a value that is written as ``text``."""
    return key in metadata and value_text(metadata[key]) == text


def _nodes(client: Client, topic: str) -> set[str]:
    hosts = client.get("topics", topic)["hosts"]
    return {node for host in hosts for node in host["nodes"]}


def _show(found: list[dict[str, Any]]) -> None:
    """Print a table. What few clusters have, has a column where it differs or is told."""
    zoned = any(_ZONE in member["metadata"] for member in found)
    # An agent of an older version does not say.
    mixed = len({member.get("wire_version", 1) for member in found}) > 1
    signed = any(member.get("key") for member in found)
    placed = any(member.get("rtt") is not None for member in found)
    head = ["NAME", "STATUS", "FOR", "HEARD AGO", "ADDRESS", "REGISTERS"]
    head += ["ZONE"] * zoned + ["DISTANCE"] * placed + ["WIRE"] * mixed
    head += ["IDENTITY", "KEY"] * signed + ["NOTES"]
    rows = []
    for member in found:
        status = state_text(member["status"])
        if member["draining"]:
            status += click.style(" draining", fg="cyan")
        others = {key: value for key, value in member["metadata"].items() if key != _ZONE}
        failing = f"{member['unhealthy']} unhealthy" if member.get("unhealthy") else ""
        notes = (member["reason"], failing, metadata_text(others))
        row = [
            member["name"] + (" *" if member["self"] else ""),
            status,
            duration(member["since_ago"]),
            "" if member["self"] else duration(member["heard_ago"]),
            ",".join(member["addresses"]),
            str(member["registrations"]),
        ]
        row += [str(member["metadata"].get(_ZONE, ""))] * zoned
        row += [_far(member)] * placed
        row += [f"v{member.get('wire_version', 1)}"] * mixed
        row += [member.get("identity", ""), member.get("key", "")] * signed
        rows.append([*row, "; ".join(note for note in notes if note)])
    table(head, rows)
