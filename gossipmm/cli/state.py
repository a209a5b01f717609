"""Commands about the agent itself and how far others agree: ``status``, ``info``, ``diff``."""

from __future__ import annotations

import sys
from typing import Any

import click

from gossipmm.cli.base import (
    completed_agents,
    duration,
    number,
    output_option,
    say,
    show_json,
    state_text,
    table,
    talks,
    timeout_option,
)
from gossipmm.cli.event_rows import event_rows
from gossipmm.cli.identity_rows import identity_rows
from gossipmm.client import Client
from gossipmm.text.drops import counted

__all__ = ("diff", "info", "status")

#: Peers that differ and are shown one by one: those that have differed longest.
_SHOWN = 5


@click.command()
@click.option("--check", is_flag=True, help="Exit status 1 unless the verdict is ok.")
@click.option(
    "--all", "everybody", is_flag=True, help="Ask every member how it is; the worst first."
)
@timeout_option
@talks
@output_option
def status(client: Client, check: bool, everybody: bool, timeout: float, as_json: bool) -> None:
    """Say how the agent is, and how far others agree.

    How many live peers hold the same table, and who does not, since when.

    With --all: a line for each member with its own verdict, and why there is none; exit status 1
    unless all are well that can be asked.
    """
    if everybody:
        from gossipmm.cli.everybody import show_everybody

        show_everybody(client, timeout, as_json)
    found = client.get("status")
    faults = found.get("faults")  # an agent of an older version does not tell
    verdict = found.get("verdict", "ok" if found["joined"] and not faults else "degraded")
    if as_json:
        show_json(found)
    else:
        _show_status(found)
    sys.exit(1 if check and verdict != "ok" else 0)


def _verdict(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Say what to take an agent for, and why; nothing for one of an older version."""
    if "verdict" not in found:
        return []
    name, reasons = found["verdict"], found["reasons"]
    word = name.replace("_", " ") if name == "ok" else name.replace("_", " ").upper()
    colour = {"ok": "green", "degraded": "yellow"}.get(name, "red")
    first, *more = reasons or [""]
    rows = [("verdict", click.style(word, fg=colour) + (f": {first}" if first else ""))]
    return rows + [("", reason) for reason in more]


def _show_status(found: dict[str, Any]) -> None:
    peers = found["agree"] + found["unheard"] + len(found["differ"])
    counts = ", ".join(f"{count} {state_text(name)}" for name, count in found["members"].items())
    joined = "joined" if found["joined"] else "NOT JOINED: nobody of the cluster has answered yet"
    if found["leaving"]:
        joined = "leaving"
    rows = [*_verdict(found)]
    rows += [
        ("node", f"{found['name']}, cluster {found['cluster']}, up {duration(found['uptime'])}"),
        ("state", joined),
        ("members", counts),
        ("table", f"{number(found['topics'], 'topic')}; fingerprint {found['fingerprint']}"),
        ("agreement", f"{found['agree']} of {peers} live peers hold the same table"),
    ]
    if found["unheard"]:
        rows.append(("", f"{found['unheard']} were not heard of since it last changed"))
    differ = sorted(found["differ"], key=lambda peer: -peer["since_ago"])
    for peer in differ[:_SHOWN]:
        rows.append(("", f"{peer['name']} differs, for {duration(peer['since_ago'])}"))
    if len(differ) > _SHOWN:
        rows.append(("", f"and {len(differ) - _SHOWN} more, for less time"))
    if found["impaired"]:
        what = "most of what this node sends or is sent is lost: the others hold it on probation"
        rows.append(("IMPAIRED", what))
    if found["conflict"]:
        rows.append(("CONFLICT", f"this name is also used at {', '.join(found['conflict'])}"))
    for words in found.get("faults", {}).values():
        rows.append(("TROUBLE", words))
    rows += [("PATH", words) for words in found.get("paths", {}).values()]
    for seed, words in found["trouble"].items():
        rows.append(("TROUBLE", f"seed {seed} {words}"))
    rows += identity_rows(found)
    traffic = found["traffic"]
    seconds = max(found["uptime"], 1.0)
    rows.append(
        (
            "traffic",
            f"{traffic['sent_bytes'] / seconds:.0f} B/s sent, "
            f"{traffic['received_bytes'] / seconds:.0f} B/s received on average; "
            f"round trip {1000 * traffic['rtt']:.2g} ms, {100 * traffic['loss']:.2g} % asked twice",
        )
    )
    rows += event_rows(found)
    rows += _distances(found)
    if traffic["dropped"]:
        rows.append(("refused", counted(traffic["dropped"])))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        say(f"{name:<{width}}  {text}")


def _distances(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Say how far the agent trusts its estimates; nothing where there are none."""
    told = found.get("distances", {})  # an agent of an older version does not tell
    if not told.get("on"):
        return []
    if told["error"] is None:
        return [("distances", "on; nobody was measured yet")]
    return [("distances", f"on; estimates from here are usually {told['error']:.0%} off")]


@click.command()
@talks
@output_option
def info(client: Client, as_json: bool) -> None:
    """Say which agent this is.

    Its process, addresses, sockets, version and configuration.
    """
    found, config = client.get("status"), client.config()
    if as_json:
        shown = ("name", "cluster", "version", "generation", "addresses", "process", "control")
        identity = found.get("identity")  # an agent of an older version does not tell
        show_json({**{name: found[name] for name in shown}, "identity": identity, "config": config})
        return
    rows = [
        ("name", found["name"]),
        ("cluster", found["cluster"]),
        ("version", found["version"]),
        ("process", str(found["process"])),
        ("announced at", ", ".join(found["addresses"])),
        ("bound to", config["bind"]),
        ("control API", " and ".join(found["control"])),
        ("generation", found["generation"]),
        ("up", duration(found["uptime"])),
        ("seeds", ", ".join(config["join"]) or "none: others join this one"),
        ("state file", config["state_file"] or "none"),
        ("encrypted", f"with {config['keyring']}" if config["keyring"] else "no"),
        ("identity", _own_identity(found)),
    ]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        say(f"{name:<{width}}  {text}")


def _own_identity(found: dict[str, Any]) -> str:
    own = found.get("identity", {})  # an agent of an older version does not tell
    if not own.get("key"):
        return "off"
    return f"{own['mode']}, key {own['key']}"


@click.command()
@click.argument("other", shell_complete=completed_agents)
@talks
@output_option
def diff(client: Client, other: str, as_json: bool) -> None:
    """Compare the agent's table with another's.

    OTHER is a name, the path of a socket, or HOST:PORT.

    Exit status 1 when they differ. Of a cluster at rest, no two should; news takes a moment.
    """
    with Client(other) as there:
        ours, theirs = client.get("status"), there.get("status")
        rows = [
            *_differences("member", _members(client), _members(there)),
            *_differences("host", _hosts(client), _hosts(there)),
        ]
    if as_json:
        show_json(
            {
                "here": ours["name"],
                "there": theirs["name"],
                "same": not rows,
                "differences": [
                    dict(zip(("what", "name", "here", "there"), row, strict=True)) for row in rows
                ],
            }
        )
    elif rows:
        table(("WHAT", "NAME", f"AT {ours['name']}", f"AT {theirs['name']}"), rows)
    else:
        topics = ", ".join(
            (number(sum(ours["members"].values()), "member"), number(ours["topics"], "topic"))
        )
        say(f"{ours['name']} and {theirs['name']} hold the same table: {topics}")
    if ours["cluster"] != theirs["cluster"]:
        say(
            f"gossipmm: they belong to different clusters: {ours['cluster']}, {theirs['cluster']}",
            err=True,
        )
    sys.exit(1 if rows else 0)


def _members(client: Client) -> dict[str, str]:
    return {
        member["name"]: f"{member['status']}{' draining' if member['draining'] else ''}, "
        f"at {','.join(member['addresses'])}, generation {member['generation']}, "
        f"{number(member['registrations'], 'registration')}"
        for member in client.get("members")["members"]
    }


def _hosts(client: Client) -> dict[str, str]:
    return {
        f"{topic['topic']}.{host['host']}": f"{host['state']}, by {','.join(host['nodes'])}"
        for topic in client.get("topics")["topics"]
        for host in topic["hosts"]
    }


def _differences(
    what: str, here: dict[str, str], there: dict[str, str]
) -> list[tuple[str, str, str, str]]:
    return [
        (what, name, here.get(name, "not known"), there.get(name, "not known"))
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]
