"""The events of a run that a report tells of."""

from __future__ import annotations

from typing import NamedTuple

from gossipmm_sim.report.colours import BAD, GOOD, INK, LINE, THIRD
from gossipmm_sim.runs.result import Result

__all__ = ("KINDS", "Kind", "Marks", "marks_of")


class Kind(NamedTuple):
    """A kind of event: how its text begins, its colour, and what one host or several do."""

    prefix: str
    colour: str
    words: str
    one: str
    many: str


KINDS = (
    Kind("boot", GOOD, "boot", "boots", "boot"),
    Kind("crash", INK, "crash", "crashes", "crash"),
    Kind("left", THIRD, "left", "leaves", "leave"),
    Kind(
        "MemberSuspected", "#fbbf24", "suspects somebody", "suspects somebody", "suspect somebody"
    ),
    Kind(
        "MemberDied",
        BAD,
        "declares somebody dead",
        "declares somebody dead",
        "declare somebody dead",
    ),
    Kind(
        "MemberReturned", LINE, "takes somebody back", "takes somebody back", "take somebody back"
    ),
    Kind(
        "NameConflict", "#7c3aed", "name conflict", "finds its name taken", "find their names taken"
    ),
    Kind(
        "Isolated",
        "#0d9488",
        "may be the one cut off",
        "says that it may be the one cut off",
        "say that they may be the ones cut off",
    ),
)

#: Per host, the times of each kind by its place in ``KINDS``.
Marks = dict[int, list[float]]


def marks_of(result: Result) -> dict[str, Marks]:
    """Return the events after the warm-up, by host."""
    found: dict[str, Marks] = {}
    for at, label, text in result.series["events"]:
        for number, kind in enumerate(KINDS):
            if at >= 0 and text.startswith(kind.prefix):
                found.setdefault(label, {}).setdefault(number, []).append(at)
    return found
