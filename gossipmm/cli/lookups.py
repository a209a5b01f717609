"""Commands that read the table: ``queues``, ``lookup``, ``topics``, ``why``."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from gossipmm.cli.base import (
    absent,
    completed,
    duration,
    names_of_members,
    names_of_topics,
    output_option,
    say,
    show_json,
    state_text,
    table,
    talks,
)
from gossipmm.cli.services import show_checks
from gossipmm.client import Client
from gossipmm.errors import ControlError
from gossipmm.names import DEFAULT_WEIGHT, PREFERENCES
from gossipmm.text.durations import moment
from gossipmm.text.metadata import metadata_text
from gossipmm.text.terminal import printable

__all__ = ("lookup", "queues", "topics", "why")

_NOBODY = {
    "nobody_alive": "nobody: no host of that topic can be picked right now",
    "unknown_topic": "nobody: no member registers that topic",
    "not_joined": "nobody: this agent has not joined its cluster yet",
    "unhealthy": "these hosts fail their checks, and no others are there",
    "stale": "these are the last known hosts: this agent may be cut off",
}


_prefer = click.option(
    "--prefer",
    type=click.Choice(PREFERENCES),
    help="Own zone first (zone), the nearest (near), or any (none); without: as the agent's "
    "setting prefer says.",
)


@click.command()
@click.argument("key", shell_complete=completed(names_of_topics))
@click.option("--routing-key", metavar="TEXT", help="Equal texts get the same host while it lives.")
@click.option("--routing-key-hex", metavar="DIGITS", help="The same with bytes, in hexadecimal.")
@_prefer
@click.option("-l", "--long", "at_length", is_flag=True, help="All hosts, with state and age.")
@talks
@output_option
def queues(
    client: Client,
    key: str,
    at_length: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """Answer KEY as an RPC host is answered.

    \b
    gossipmm queues compute             one live host, in turn
    gossipmm queues compute.host-a      that host, if it is alive
    gossipmm queues fanout~compute      all live hosts

    Each line has the queue key and the host. Exit status 1 when there is nobody.
    """
    prefer = options["prefer"]
    if at_length:
        _look_up(client, key, prefer, as_json)
    routing_key = _routing_key(options["routing_key"], options["routing_key_hex"])
    pairs = client.queues(key, routing_key=routing_key, prefer=prefer)
    status = "ok" if pairs else client.lookup(key, prefer=prefer).status.value
    if as_json:
        show_json([{"key": queue, "host": host} for queue, host in pairs])
    else:
        for queue, host in pairs:
            click.echo(f"{printable(queue)}\t{printable(str(host))}")
    _end(key, status, some=bool(pairs))


def _routing_key(text: str | None, digits: str | None) -> str | bytes | None:
    if digits is None:
        return text
    if text is not None:
        raise click.UsageError("give --routing-key or --routing-key-hex, not both")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise click.BadParameter(
            f"{digits!r} is not hexadecimal", param_hint="--routing-key-hex"
        ) from None


@click.command()
@click.argument("key", shell_complete=completed(names_of_topics))
@_prefer
@talks
@output_option
def lookup(client: Client, key: str, prefer: str | None, as_json: bool) -> None:
    """Show all hosts of KEY's topic, with state and age.

    Takes no turn. Says why a host is not picked: its state, its zone, or its weight. Exit status 1
    when nobody answers the key.
    """
    _look_up(client, key, prefer, as_json)


def _look_up(client: Client, key: str, prefer: str | None, as_json: bool) -> NoReturn:
    found = client.get("lookup", key, prefer=prefer)
    if as_json:
        show_json(found)
    elif found["hosts"] or found["others"]:
        _show_hosts(found)
    _end(key, found["status"], some=bool(found["hosts"]))


def _end(key: str, status: str, *, some: bool) -> NoReturn:
    if status in _NOBODY and (not some or status in ("stale", "unhealthy")):
        say(f"gossipmm: {key}: {_NOBODY[status]}", err=True)
    sys.exit(0 if some else 1)


def _show_hosts(found: dict[str, Any]) -> None:
    hosts = [*found["hosts"], *found["others"]]
    # An agent of another version may not tell; what nobody has, or all have, needs no column.
    zoned = any(host.get("zone") for host in hosts)
    weighted = any(host.get("weight", DEFAULT_WEIGHT) != DEFAULT_WEIGHT for host in hosts)
    explained = any(host.get("why") for host in hosts)
    rows = []
    for answers, hosts in (("yes", found["hosts"]), ("no", found["others"])):
        for host in hosts:
            rows.append(
                (
                    host["host"],
                    answers,
                    state_text(host["state"] or "?"),
                    duration(host["heard_ago"]) if host["heard_ago"] is not None else "",
                    ",".join(host["nodes"]) or f"({host['source']})",
                    *[host.get("zone", "")] * zoned,
                    *[str(host.get("weight", ""))] * weighted,
                    metadata_text(host["metadata"]),
                    *[host.get("why", "")] * explained,
                )
            )
    head = ["HOST", "ANSWERS", "STATE", "HEARD AGO", "NODES"]
    head += ["ZONE"] * zoned + ["WEIGHT"] * weighted + ["METADATA"] + ["WHY"] * explained
    table(head, rows)
    if found.get("zones"):
        say(found["zones"], err=True)


@click.command()
@click.argument("topic", required=False, shell_complete=completed(names_of_topics))
@talks
@output_option
def topics(client: Client, topic: str | None, as_json: bool) -> None:
    """Show topics and their hosts."""
    found = client.get("topics")["topics"] if topic is None else [client.get("topics", topic)]
    if as_json:
        show_json(found if topic is None else found[0])
        return
    if not found:
        say("no topics: nobody has registered anything", err=True)
        return
    rows = []
    for each in found:
        name = each["topic"] + (" (stale)" if each["stale"] else "")
        if not each["hosts"]:
            rows.append((name, "nobody", "", "", "", ""))
        for host in each["hosts"]:
            rows.append(
                (
                    name,
                    host["host"],
                    state_text(host["state"]),
                    duration(host["heard_ago"]),
                    ",".join(host["nodes"]),
                    "; ".join(filter(None, (host.get("reason"), metadata_text(host["metadata"])))),
                )
            )
            name = ""
    table(("TOPIC", "HOST", "STATE", "HEARD AGO", "NODES", "METADATA"), rows)


@click.command()
@click.argument("host", shell_complete=completed(names_of_members))
@talks
@output_option
def why(client: Client, host: str, as_json: bool) -> None:
    """Say why HOST is held alive, suspected or dead.

    The evidence: who said what of it, and when.

    HOST is a member, or a host that members register.
    """
    trails = _trails(client, host)
    if as_json:
        show_json(trails[0] if len(trails) == 1 else trails)
        return
    for number, found in enumerate(trails):
        if number:
            click.echo()
        if found["name"] != host:
            say(f"{host} is registered by {found['name']}:")
        say(found["summary"])
        if found["serves"]:
            say("serves " + ", ".join(f"{topic}.{name}" for topic, name in found["serves"]))
        for topic, name, because in found.get("unhealthy", ()):
            say(f"{topic} of {name} is {state_text('unhealthy')}: {because}")
        if found["member"]["self"]:
            _show_services(client)
        for line in found["evidence"]:
            say(f"  {moment(line['time'])}  {duration(line['ago']) + ' ago':>18}  {line['text']}")
        if not found["evidence"]:
            say("  no evidence was noted")


def _show_services(client: Client) -> None:
    """Print what checks of the agent's own services found."""
    for one in client.get("services")["services"]:
        because = f": {one['reason']}" if one["reason"] else ""
        say(f"service {one['topic']} of {one['host']} is {state_text(one['state'])}{because}")
        show_checks(one)


def _trails(client: Client, host: str) -> list[dict[str, Any]]:
    try:
        return [client.get("members", host, "why")]
    except ControlError as exc:
        if exc.kind != "unknown-member":
            raise
        unknown = exc
    nodes = sorted(
        {
            node
            for topic in client.topics().values()
            if host in topic.entries
            for node in topic.entries[host].nodes
        }
    )
    if not nodes:
        absent(str(unknown))
    return [client.get("members", node, "why") for node in nodes]
