"""Reports of finished runs: text for a terminal, and one HTML file that explains itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gossipmm_sim.report.repeat import command
from gossipmm_sim.runs.result import Result

__all__ = ("html", "text")

_SHOWN = (
    "joined_after",
    "converged_after",
    "crash_seen_median",
    "crash_seen_by_all_median",
    "crash_seen_by_all_max",
    "leave_seen_p99",
    "registration_known_median",
    "registration_known_p99",
    "registration_known_to_all_max",
    "bytes_per_second",
    "bytes_per_second_max",
    "datagrams_per_second",
    "false_deaths_by_well",
    "false_deaths",
    "false_suspicions",
    "deaths_seen",
)


def text(result: Result) -> str:
    """Return what people want to know about a run; a failing one shows how to repeat it."""
    scenario = result.scenario
    head = f"{scenario.name} seed {result.seed}: {'ok' if result.ok else 'FAILED'}"
    speed = result.virtual / max(result.cpu, 1e-9)
    lines = [
        f"{head}  ({scenario.nodes} hosts, {result.virtual:.1f} virtual s in {result.cpu:.2f} s of"
        f" one core: {speed:.0f} x real time, {result.datagrams} datagrams)"
    ]
    for verdict in result.verdicts:
        mark = "ok    " if verdict.ok else "FAILED"
        lines.append(f"  {mark} {verdict.check}")
        if verdict.message:
            lines += [f"         {line}" for line in verdict.message.splitlines()]
    figures = {**result.figures}
    shown = [name for name in (*_SHOWN, *result.measured) if name in figures]
    for name in shown:
        lines.append(f"  {name:<32} {_number(figures[name])}")
    lines.append(f"  trace hash {result.trace_hash}")
    if not result.ok:
        lines += ["", "  options:", *(f"    {one}" for one in scenario.to_toml().splitlines())]
        lines.append(f"  repeat: {command(result)}")
    return "\n".join(lines)


def _number(value: Any) -> str:
    if value == math.inf:
        return "not by the end"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 100 else f"{value:.0f}"


def html(results: Sequence[Result]) -> str:
    """Return one self-contained page; equal for equal results."""
    from gossipmm_sim.report.page import page

    return page(results)
