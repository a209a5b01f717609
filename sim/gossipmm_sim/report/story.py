"""A run in words: what was done, what the hosts said of it, and how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite

from gossipmm_sim.report.events import KINDS, Marks, marks_of
from gossipmm_sim.runs.result import Result

__all__ = ("story",)

#: Hosts named in a sentence.
_NAMED = 3


def story(result: Result) -> list[str]:
    """Return sentences, in the order of time. Times are in seconds after the warm-up."""
    hosts = len(result.series["hosts"])
    marks = marks_of(result)
    told = [f"{hosts} hosts boot and have {result.scenario.warmup:g} s to find each other."]
    moments = _moments(result)
    first = moments[0][0] if moments else result.scenario.duration
    if before := list(_said(marks, hosts, 0.0, first)):
        told.append(f"Before anything is done: {'; '.join(before)}.")
    for place, (at, until, done) in enumerate(moments):
        line = f"At {at:g} s: {'; '.join(done)}."
        if said := list(_said(marks, hosts, at, until)):
            line += f" Then: {'; '.join(said)}."
        elif place == len(moments) - 1:
            line += " No host says anything of it."
        if view := _view(result, until):
            line += f" {view}"
        told.append(line)
    return [*told, _end(result)]


def _moments(result: Result) -> list[tuple[float, float, list[str]]]:
    """Return (begin, end, what is done then) for each moment at which something is done."""
    scenario = result.scenario
    done: dict[float, list[str]] = {}
    for one, words in zip(
        scenario.build_faults(), map(scenario.fill, scenario.faults), strict=True
    ):
        done.setdefault(one.at, []).append(words)
        until = getattr(one, "until", None)
        if until is not None and until > one.at:
            done.setdefault(until, []).append(f"that ends ({words.split()[0]})")
    begins = sorted(at for at in done if at <= scenario.duration)
    between = pairwise([*begins, scenario.duration])
    return [(at, until, done[at]) for at, until in between]


def _said(marks: dict[str, Marks], hosts: int, begin: float, end: float) -> Iterator[str]:
    for number, kind in enumerate(KINDS):
        times = {
            label: [at for at in one.get(number, ()) if begin <= at < end]
            for label, one in marks.items()
        }
        who = [label for label, found in times.items() if found]
        if not who:
            continue
        found = sorted(at for each in times.values() for at in each)
        first, last = f"{found[0]:.1f}", f"{found[-1]:.1f}"
        when = f"at {first} s" if first == last else f"from {first} to {last} s"
        names = ", ".join(who) if len(who) <= _NAMED else f"{len(who)} of {hosts} hosts"
        verb = kind.one if len(who) == 1 else kind.many
        yield f"{names} {verb}, {when}"


def _view(result: Result, at: float) -> str:
    """Say how many live members the hosts see just before a moment."""
    before = [sizes for moment, sizes in result.series["views"] if moment < at]
    seen = sorted(size for size in before[-1] if size) if before else []
    if not seen:
        return ""
    if seen[0] == seen[-1]:
        return f"In the end each of the {len(seen)} hosts that are up sees {seen[0]} live members."
    return f"In the end the {len(seen)} hosts that are up see between {seen[0]} and {seen[-1]}."


def _end(result: Result) -> str:
    broken = [one.check for one in result.verdicts if not one.ok]
    if broken:
        return f"Broken: {', '.join(broken)}."
    line = f"All {len(result.verdicts)} promises are kept."
    after = result.figures.get("converged_after")
    if result.scenario.faults and isinstance(after, float) and isfinite(after):
        line = f"All views agree {after:.1f} s after the last of it. {line}"
    return line
