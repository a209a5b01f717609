"""What happened to each host, and what each said of others: in sentences, and as a picture.

Hosts to which the same happened share a row. Where it was the same for all of them there is nothing
to compare, and no picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gossipmm_sim.report.drawing import new, shade, svg
from gossipmm_sim.report.events import KINDS, Marks, marks_of
from gossipmm_sim.runs.result import Result

__all__ = ("timeline",)

#: Rows of a picture at most: those with the most marks.
_ROWS = 40
#: Hosts named in a sentence or beside a row.
_NAMED = 3


def timeline(result: Result) -> tuple[str, str, str] | None:
    """Give (title, what happened, SVG or nothing); None when nothing happened after the warm-up."""
    marks = marks_of(result)
    if not marks:
        return None
    rows = _rows(list(result.series["hosts"]), marks)
    text = f"{_sentences(marks, len(result.series['hosts']))}."
    if len(rows) == 1:
        return "Events", text, ""
    most = sorted(rows, key=lambda row: -sum(map(len, _points(row, marks).values())))[:_ROWS]
    shown = [row for row in rows if row in most]
    text += " Hosts to which the same happened share a row."
    if len(shown) < len(rows):
        text += f" The {len(shown)} busiest of {len(rows)} rows."
    return "Events", text, _picture(result, shown, marks)


def _rows(labels: Sequence[str], marks: Mapping[str, Marks]) -> list[tuple[str, ...]]:
    """Put hosts together to which the same happened, in the same second."""
    groups: dict[tuple[tuple[int, int, int], ...], list[str]] = {}
    for label in labels:
        if label in marks:
            alike = tuple(
                (kind, round(min(times)), round(max(times)))
                for kind, times in sorted(marks[label].items())
            )
            groups.setdefault(alike, []).append(label)
    return [tuple(group) for group in groups.values()]


def _sentences(marks: Mapping[str, Marks], hosts: int) -> str:
    told = []
    for kind, (_, _, words, _, _) in enumerate(KINDS):
        who = [label for label, one in marks.items() if kind in one]
        if not who:
            continue
        times = [at for label in who for at in marks[label][kind]]
        first, last = f"{min(times):.1f}", f"{max(times):.1f}"
        when = f"at {first} s" if first == last else f"from {first} to {last} s"
        names = ", ".join(who) if len(who) <= _NAMED else f"{len(who)} of {hosts} hosts"
        told.append(f"{words}: {names}, {when}")
    return "; ".join(told)


def _points(row: tuple[str, ...], marks: Mapping[str, Marks]) -> dict[int, set[float]]:
    """Give the marks of a row by kind; those that would lie on each other are one."""
    points: dict[int, set[float]] = {}
    for label in row:
        for kind, times in marks[label].items():
            points.setdefault(kind, set()).update(round(at, 1) for at in times)
    return points


def _name(row: tuple[str, ...]) -> str:
    return row[0] if len(row) == 1 else f"{row[0]} and {len(row) - 1} more"


def _picture(result: Result, rows: Sequence[tuple[str, ...]], marks: Mapping[str, Marks]) -> str:
    height = 1.2 + 0.19 * len(rows)
    figure, axes = new(height)
    heights = {row: len(rows) - 1 - place for place, row in enumerate(rows)}
    for kind, (prefix, colour, words, _, _) in enumerate(KINDS):
        xs, ys = [], []
        for row in rows:
            for at in sorted(_points(row, marks).get(kind, ())):
                xs.append(at)
                ys.append(heights[row])
        if xs:
            marker = {"crash": "x", "MemberSuspected": "|"}.get(prefix, "o")
            size = {"x": 34, "|": 40, "o": 13}[marker]
            axes.scatter(xs, ys, c=colour, marker=marker, s=size, label=words, linewidths=1.6)
    axes.set_yticks(list(heights.values()), [_name(row) for row in rows], fontsize=7)
    axes.set_ylim(-0.8, len(rows) - 0.2)
    axes.set_xlim(0.0, result.scenario.duration)
    shade(axes, result)
    axes.set_xlabel("s after the warm-up")
    below = (0.5, -0.6 / height - 0.02)
    axes.legend(loc="upper center", bbox_to_anchor=below, ncols=4, fontsize=8)
    return svg(figure)
