"""``gossipmm status --all``: how every member is, in a line each, the worst first."""

from __future__ import annotations

import sys
from typing import Any

import click

from gossipmm.agent.verdict import VERDICTS
from gossipmm.cli.base import duration, say, show_json, state_text, table
from gossipmm.client import Client
from gossipmm.core.values.questions import Outcome

__all__ = ("show_everybody",)

#: Nothing to worry about: it is of another version, or its configuration lets it say nothing.
_SAYS_NOTHING = (Outcome.TOO_OLD, Outcome.NOT_ALLOWED, Outcome.UNKNOWN_QUESTION)
_COLOURS = {"ok": "green", "degraded": "yellow"}


def show_everybody(client: Client, timeout: float, as_json: bool) -> None:
    """Ask and show; ends with status 1 unless all that can be asked are well."""
    found = client.get("status", "all", timeout=f"{timeout:g}")
    members = sorted(found["members"], key=_order)
    bad = [one for one in members if not _is_fine(one)]
    if as_json:
        show_json({**found, "members": members, "fine": not bad})
    else:
        head = ("NAME", "VERDICT", "VERSION", "UP", "TABLE", "REASONS")
        table(head, [_row(one, found["node"]) for one in members])
        silent = sum(not one["verdict"] for one in members)
        counts: dict[str, int] = {}
        for one in members:
            if one["verdict"]:
                counts[one["verdict"]] = counts.get(one["verdict"], 0) + 1
        said = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items()]
        if silent:
            said.append(f"{silent} without an answer")
        say(f"{len(members)} members: {', '.join(said)}", err=True)
    sys.exit(1 if bad else 0)


def _is_fine(one: dict[str, Any]) -> bool:
    return one["verdict"] == "ok" or one["outcome"] in _SAYS_NOTHING


def _order(one: dict[str, Any]) -> tuple[int, int, str]:
    """Put the worst verdicts first, and those without one last: of these, the dead first."""
    if one["verdict"]:
        known = one["verdict"] in VERDICTS
        return (0, VERDICTS.index(one["verdict"]) if known else -1, one["name"])
    return (1, int(one["outcome"] in _SAYS_NOTHING), one["name"])


def _row(one: dict[str, Any], node: str) -> tuple[str, ...]:
    name = f"{one['name']} *" if one["name"] == node else one["name"]
    if not one["verdict"]:
        return (name, click.style("-", fg="bright_black"), "", "", _table(one), _silence(one))
    word = one["verdict"].replace("_", " ")
    shown = click.style(word if word == "ok" else word.upper(), fg=_COLOURS.get(word, "red"))
    up = "" if one["uptime"] is None else duration(one["uptime"])
    return (name, shown, one["version"], up, _table(one), "; ".join(one["reasons_text"]))


def _silence(one: dict[str, Any]) -> str:
    """Say why somebody says nothing."""
    if one["outcome"] == Outcome.NOT_LIVE:
        return f"{state_text(one['status'])} here"
    if one["outcome"] == Outcome.TOO_OLD:
        return f"does not say: an older version (wire version {one['wire_version']})"
    if one["outcome"] == Outcome.NOT_ALLOWED:
        return "does not say: answer_health is false there"
    return str(one["why"])


def _table(one: dict[str, Any]) -> str:
    if one["agreement"] == "differs":
        return f"differs, for {duration(one['differs_for'])}"
    if one["outcome"] == Outcome.NOT_LIVE:
        return ""
    return {"agrees": "agrees", "unheard": "not heard since"}.get(one["agreement"], "")
