"""``gossipmm keys``: the keys of gossip, on one agent or (``rotate``) on all of them."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from gossipmm.cli.base import (
    absent,
    completed,
    done,
    duration,
    names_of_members,
    number,
    output_option,
    say,
    show_json,
    table,
    talks,
)
from gossipmm.client import Client

__all__ = ("keys",)

#: Seconds between two looks at how far a rotation is.
_LOOK = 0.2


def _look(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("keys")
    if not found["encrypted"]:
        absent(f"{found['node']} does not encrypt: it was started without a keyring")
    return found


@click.group()
def keys() -> None:
    """Show, change and rotate the keys of gossip.

    A key is named by its id. The first key of an agent sends, all of them receive.
    """


@keys.command("list")
@talks
@output_option
def list_(client: Client, as_json: bool) -> None:
    """Show the keys of all members, and how far a rotation is."""
    found = _look(client)
    if as_json:
        show_json(found)
        return
    rows = []
    for member in found["members"]:
        sends, *others = member["holds"] or ["not told"]
        state = "live" if member["live"] else "down"
        rows.append((member["name"], state, sends, " ".join(others)))
    table(("MEMBER", "STATE", "SENDS", "READS ALSO"), rows)
    if found["retired"]:
        click.echo()
        say(f"removed from {found['node']}: {' '.join(found['retired'])}")
    if found["rotation"] is not None:
        click.echo()
        say(_story(found))
    _warn(found)


@keys.command()
@click.argument("file", type=click.File("rb"))
@talks
@output_option
def add(client: Client, file: Any, as_json: bool) -> None:
    """Let this agent read one more key.

    FILE ("-": standard input) is what gossipmm keygen makes; all keys in it are added. To replace
    the key everywhere, use rotate.
    """
    from gossipmm.keyfile import parse

    for key in parse(file.read(65_536), file.name).keys:
        client.keys.add(key)
        found = _look(client)
        if not as_json:
            say(f"{found['node']} reads key {key.kid.hex()}; {found['keys'][0]} sends")
    if as_json:
        show_json(_look(client))


@keys.command()
@click.argument("kid")
@click.option("--force", is_flag=True, help="Even if some members would not understand it.")
@talks
@output_option
def use(client: Client, kid: str, force: bool, as_json: bool) -> None:
    """Let this agent send with another of its keys."""
    client.keys.use(_checked(kid), force=force)
    found = _look(client)
    done(as_json, f"{found['node']} sends with key {found['keys'][0]}", **found)


@keys.command()
@click.argument("kid")
@click.option("--force", is_flag=True, help="Even if some members still send with it.")
@talks
@output_option
def remove(client: Client, kid: str, force: bool, as_json: bool) -> None:
    """Let this agent accept a key no longer."""
    client.keys.remove(_checked(kid), force=force)
    found = _look(client)
    line = f"{found['node']} no longer accepts key {kid}; it has {_ids(found)}"
    done(as_json, line, **found)


@keys.command()
@talks
@output_option
def reload(client: Client, as_json: bool) -> None:
    """Let this agent read its file of keys again, as SIGHUP does."""
    changes = client.keys.reload()
    if as_json:
        show_json({"changes": changes})
    else:
        for line in changes or ["nothing differs"]:
            say(line)
    if any("nothing was changed" in line for line in changes):
        sys.exit(1)


@keys.command()
@click.option("--out-of-band", is_flag=True, help="For a key that leaked: see above.")
@click.option("--kid", help="Out of band: the new key, if the file has several others.")
@click.option(
    "--keep",
    type=click.FloatRange(0, 604_800),
    default=3600.0,
    metavar="SECONDS",
    help="How long the old key is kept for members that are down.  [3600]",
)
@click.option(
    "--without",
    metavar="NAME",
    multiple=True,
    shell_complete=completed(names_of_members),
    help="Do not wait for this member; may be repeated.",
)
@click.option("--cancel", is_flag=True, help="Go back to the key that is being replaced.")
@click.option(
    "--wait",
    type=click.FloatRange(0, 604_800),
    metavar="SECONDS",
    help="How long to follow it.  [60, or until only members are waited for that are down]",
)
@talks
@output_option
def rotate(
    client: Client,
    out_of_band: bool,
    kid: str | None,
    keep: float,
    without: tuple[str, ...],
    cancel: bool,
    wait: float | None,
    as_json: bool,
) -> None:
    """Replace the key everywhere, and say how far that is.

    A new key is given to all members by gossip, encrypted with the present one; once all hold it,
    all send with it; then the old one is removed. While that goes on, the same command follows it.
    Exit status: 0 done, 1 not yet (it goes on without this command).

    If the present key leaked, who has it could read the new one. Then put a new key into the file
    of every host first, and only its id is gossiped:

    \b
    gossipmm keygen --add keyring.json     # then append the new entry on every host, over ssh
    gossipmm keys rotate --out-of-band
    """
    found = _look(client)
    active = found["rotation"] is not None and found["rotation"]["phase"] != "done"
    if kid and not out_of_band:
        raise click.UsageError("--kid is for --out-of-band: else the new key is made here")
    unknown = sorted(set(without) - {member["name"] for member in found["members"]})
    if unknown:
        raise click.UsageError(f"no member is called {', '.join(unknown)}: nothing was begun")
    if cancel:
        client.keys.cancel()
    elif not active or (out_of_band and not found["rotation"]["out_of_band"]):
        if out_of_band:
            client.keys.rotate_out_of_band(_checked(kid or ""), keep=keep)
        else:
            client.keys.rotate(keep=keep)
    elif not as_json:
        say("a rotation is under way already; this follows it", err=True)
    if without:
        client.keys.leave_behind(without)
    found = _follow(client, _look(client), wait, quiet=as_json)
    if as_json:
        show_json(found)
    sys.exit(0 if found["rotation"]["phase"] == "done" else 1)


def _follow(
    client: Client, found: dict[str, Any], wait: float | None, *, quiet: bool
) -> dict[str, Any]:
    end = time.monotonic() + (60.0 if wait is None else wait)
    said = ""
    while True:
        line = _story(found)
        if line != said and not quiet:
            say(line)
        said = line
        rotation = found["rotation"]
        if rotation["phase"] == "done":
            break
        live = {member["name"] for member in found["members"] if member["live"]}
        down = rotation["waits_for"] or rotation["missing"]
        resting = down and rotation["phase"] == "use" and not live & set(rotation["waits_for"])
        if (resting and wait is None) or time.monotonic() >= end:
            if not quiet:
                _advise(found)
            break
        time.sleep(_LOOK)
        found = _look(client)
    if not quiet:
        _warn(found)
    return found


def _story(found: dict[str, Any]) -> str:
    rotation, members = found["rotation"], found["members"]
    kid, old = rotation["kid"], rotation["replaces"]
    how = " (out of band)" if rotation["out_of_band"] else ""
    covered = sum(member["covered"] for member in members)
    of = f"{covered} of {number(len(members), 'member')}"
    if rotation["phase"] == "done":
        behind = [m["name"] for m in members if not m["covered"]]
        line = f"key {old} -> {kid}{how}: done; {of} send with {kid}, {old} is no longer accepted"
        if behind:
            line += f"; {', '.join(behind)} missed it: copy another host's file of keys there"
        return line
    step = "hold it" if rotation["phase"] == "add" else "send with it"
    line = f"key {old} -> {kid}{how}: {of} {step}"
    if rotation["waits_for"]:
        waits = ", ".join(_reason(found, name) for name in rotation["waits_for"])
        line += f"; waiting for {waits}"
    elif rotation["missing"] and rotation["phase"] == "use":
        there = number(rotation["missing"], "more member")
        line += f"; waiting for {there} that {found['node']} has not heard of since it started"
    elif not rotation["majority"]:
        line += "; waiting until more than half of the members from its start are here"
    return line


def _reason(found: dict[str, Any], name: str) -> str:
    member = next(one for one in found["members"] if one["name"] == name)
    if not member["live"]:
        return f"{name} (down)"
    if not member["holds"]:
        return f"{name} (does not tell its keys: an older version?)"
    if found["rotation"]["kid"] not in member["holds"] and found["rotation"]["out_of_band"]:
        return f"{name} (it is not in its file)"
    return name


def _advise(found: dict[str, Any]) -> None:
    rotation = found["rotation"]
    names = rotation["waits_for"]
    if not names and not rotation["missing"]:
        return
    left = rotation["keep_left"]
    if left is not None:
        say(
            f"key {rotation['replaces']} is still accepted, for {duration(left)} at most: a "
            "member that comes back by then gets the new key" + _by_itself(rotation)
        )
    live = [member["name"] for member in found["members"] if member["live"]]
    if stuck := [name for name in names if name in live]:
        say(f"why {', '.join(stuck)} is behind: gossipmm keys list there, or its log")
    if names:
        flags = " ".join(f"--without {name}" for name in names)
        say(f"to go on without waiting: gossipmm keys rotate {flags}")
    say("to go back: gossipmm keys rotate --cancel")


def _by_itself(rotation: dict[str, Any]) -> str:
    return " from its file" if rotation["out_of_band"] else " by itself"


def _warn(found: dict[str, Any]) -> None:
    if found["trouble"]:
        say(f"gossipmm: {found['trouble']}", err=True)
    for one in found["stragglers"]:
        who = f"{one['name']} at {one['address']}" if one["name"] else one["address"]
        say(
            f"gossipmm: {who} sends with key {one['kid']}, which was removed: it missed a "
            f"rotation; copy the file of keys there and restart it (last {duration(one['ago'])} "
            "ago)",
            err=True,
        )


def _checked(kid: str) -> bytes:
    try:
        return bytes.fromhex(kid)
    except ValueError:
        raise click.BadParameter(f"{kid!r} is not a key id", param_hint="KID") from None


def _ids(found: dict[str, Any]) -> str:
    return ", ".join(found["keys"])
