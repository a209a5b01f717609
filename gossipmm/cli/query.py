"""``gossipmm query``: ask all members, or some, and show what each says."""

from __future__ import annotations

import sys
from typing import Any

import click

from gossipmm.answers import QueryAnswer, QueryResult
from gossipmm.cli.base import (
    absent,
    completed,
    names_of_topics,
    number,
    output_option,
    say,
    show_json,
    table,
    talks,
    timeout_option,
)
from gossipmm.cli.registrations import pair_of
from gossipmm.client import Client
from gossipmm.core.values.questions import Outcome
from gossipmm.text.durations import duration
from gossipmm.text.questions import OUTCOMES

__all__ = ("query",)

#: Nothing to worry about where others answer: these members have nothing to say to it.
_SAYS_NOTHING = (
    *(Outcome.NO_HANDLER, Outcome.NOT_ALLOWED, Outcome.TOO_OLD, Outcome.UNKNOWN_QUESTION),
    *(Outcome.NOT_REGISTERED, Outcome.LEAVING),
)
_COLOURS = {Outcome.DONE: "green", Outcome.FAILED: "red", Outcome.LATE: "red"}
_HOW = {"no_path": "without a path", "suspect": "suspected", "dead": "dead", "unknown": "never met"}


@click.command()
@click.argument("name")
@click.argument("payload", default="")
@click.option(
    "--topic",
    metavar="TOPIC",
    shell_complete=completed(names_of_topics),
    help="Only members that register it.",
)
@click.option(
    "--metadata",
    "pairs",
    metavar="KEY=VALUE",
    multiple=True,
    help="Only members with that metadata; may be repeated.",
)
@timeout_option
@talks
@output_option
def query(
    client: Client, name: str, payload: str, topic: str | None, timeout: float, **options: Any
) -> None:
    """Ask all members a question, and show the answers.

    ping (which members each does not reach), health and version are answered by every agent; other
    names by the programs of its configuration ([[query]]). PAYLOAD is given to these, at most 512
    bytes; - is standard input.

    Exit status 1 unless somebody answered, and nobody failed, was late or silent.
    """
    said = sys.stdin.buffer.read(4096) if payload == "-" else payload
    wanted = dict(pair_of(text, "--metadata") for text in options["pairs"])
    found = client.query(name, said, topic=topic, metadata=wanted or None, timeout=timeout)
    if not found.answers:
        absent("nobody is asked: no member is of that topic and metadata")
    unreached = _unreached(found) if name == "ping" else {}
    fine = bool(found.done) and not unreached and all(map(_is_fine, found.answers))
    if options["as_json"]:
        answers = [_as_json(one) for one in found.answers]
        facts = {"name": name, "took": found.took, "fine": fine, "answers": answers}
        show_json({**facts, "unreached": unreached} if name == "ping" else facts)
    else:
        _show(found, unreached)
    sys.exit(0 if fine else 1)


def _is_fine(one: QueryAnswer) -> bool:
    return one.outcome is Outcome.DONE or one.outcome in _SAYS_NOTHING


def _as_json(one: QueryAnswer) -> dict[str, Any]:
    shown = one._asdict()
    return {**shown, "outcome": one.outcome.value, "payload": _text(one), "heard": one.heard}


def _text(one: QueryAnswer) -> str:
    return one.payload.decode(errors="replace")


def _show(found: QueryResult, unreached: dict[str, dict[str, list[str]]]) -> None:
    rows = [row for one in found.answers for row in _rows(one, found.name)]
    table(("MEMBER", "OUTCOME", "TOOK", "ANSWER"), rows)
    for name, by in unreached.items():
        how = "; ".join(f"{_HOW.get(how, how)} for {', '.join(who)}" for how, who in by.items())
        say(f"{name}: {how}", err=True)
    count = len(found.answers)
    said = f"{len(found.done)} of {number(count, 'member')} answered"
    if found.silent:
        said += f", {len(found.silent)} said nothing"
    say(f"{said}, in {duration(found.took)}", err=True)


def _rows(one: QueryAnswer, name: str) -> list[tuple[str, str, str, str]]:
    word = click.style(one.outcome.value.replace("_", " "), fg=_COLOURS.get(one.outcome))
    if one.outcome is Outcome.FAILED:
        word += f" ({one.status})"
    took = f"{1000 * one.took:.0f} ms" if one.heard else ""
    lines = _text(one).strip("\n").splitlines()
    if name == "ping" and one.outcome is Outcome.DONE and not lines:
        lines = ["reaches all"]
    if not lines and one.outcome not in (Outcome.DONE, Outcome.FAILED):
        lines = [OUTCOMES[one.outcome]]
    if one.cut:
        lines.append("[cut: it said more]")
    if one.via:
        lines.append(f"[by way of {one.via}]")
    first, *others = lines or [""]
    return [(one.name, word, took, first), *(("", "", "", line) for line in others)]


def _unreached(found: QueryResult) -> dict[str, dict[str, list[str]]]:
    """Return who is not reached: name -> how -> the members that say so."""
    result: dict[str, dict[str, list[str]]] = {}
    for one in found.done:
        for line in _text(one).splitlines():
            how, _, name = line.partition(" ")
            if name:
                result.setdefault(name, {}).setdefault(how, []).append(one.name)
    return dict(sorted(result.items()))
