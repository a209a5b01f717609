"""The HTML report: one file, no request to anywhere, equal bytes for equal results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from gossipmm_sim.judge import CHECKS
from gossipmm_sim.report.repeat import command
from gossipmm_sim.report.story import story
from gossipmm_sim.runs.result import Result

__all__ = ("page",)

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2937; --text: #4b5563; --soft: #9ca3af; --line: #2563eb;
        --grid: #e5e7eb; --paper: #ffffff; --page: #f9fafb; --code: #f3f4f6; --good: #065f46;
        --on-good: #d1fae5; --bad: #991b1b; --on-bad: #fee2e2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5e7eb; --text: #b6bdc9; --soft: #7b8494; --line: #7aa7ff; --grid: #2f3846;
          --paper: #171d27; --page: #0f141c; --code: #222a36; --good: #a7f3d0; --on-good: #064e3b;
          --bad: #fecaca; --on-bad: #7f1d1d; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
       margin: 0; }
main { max-width: 880px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 2px; }
h2 { font-size: 17px; margin: 34px 0 4px; }
p, li { margin: 4px 0 10px; color: var(--text); }
ol { padding-left: 22px; }
section { background: var(--paper); border: 1px solid var(--grid); border-radius: 8px;
          padding: 14px 18px; margin: 16px 0; }
section h2 { margin-top: 2px; }
svg { max-width: 100%; height: auto; }
.picture { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
td, th { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--grid);
         vertical-align: top; }
td:first-child { white-space: nowrap; }
.verdicts td:first-child { width: 70px; }
small { color: var(--text); }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { display: inline-block; border-radius: 4px; padding: 1px 8px; font-weight: 600; }
.ok { background: var(--on-good); color: var(--good); }
.failed { background: var(--on-bad); color: var(--bad); }
pre { background: var(--code); border-radius: 6px; padding: 10px 12px; overflow-x: auto;
      font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 640px) {
  main { padding: 14px 10px 40px; }
  section { padding: 10px 12px; }
  td:first-child { white-space: normal; }
  .picture svg { min-width: 560px; }
}
"""

#: What each kind of check promises, in words.
_PROMISES = {
    kind: (cls.__doc__ or "").strip().splitlines()[0].replace("``", "")
    for kind, cls in CHECKS.items()
} | {
    "no_exception": "The core never raises, whatever comes from the network.",
    "no_storm": "Datagrams never multiply: an answer is not answered for ever.",
}

#: Figures worth a line, in words.
_WORDS = {
    "joined_after": ("All views complete after the last boot", "s"),
    "converged_after": ("All views agree after the last fault", "s"),
    "crash_seen_median": ("Crash out of one observer's lookups, median", "s"),
    "crash_seen_by_all_median": ("Crash out of all lookups, median", "s"),
    "crash_seen_by_all_max": ("Crash out of all lookups, slowest", "s"),
    "leave_seen_p99": ("Leave known, 99 % of observers", "s"),
    "registration_known_median": ("Registration known, median of hosts", "s"),
    "registration_known_p99": ("Registration known, 99 % of hosts", "s"),
    "registration_known_to_all_max": ("Registration known to all, slowest", "s"),
    "bytes_per_second": ("Bytes sent by a host after the warm-up, with headers, mean", "bytes/s"),
    "bytes_per_second_max": ("The same of the busiest host", "bytes/s"),
    "datagrams_per_second": ("Datagrams sent by a host, mean", "/s"),
    "false_deaths_by_well": ("Healthy hosts declared dead by healthy hosts", ""),
    "false_deaths_by_ill": ("Healthy hosts declared dead by sick or cut-off hosts", ""),
    "deaths_seen": ("Deaths declared of hosts that were gone or sick", ""),
    "false_suspicions": ("Suspicions of healthy hosts", ""),
    "core.own_refutations": ("Refutations by the accused", ""),
    "core.returns": ("Returns from the dead", ""),
    "core.digests_sent": ("Digests sent", ""),
    "core.bulk_pulls": ("Bulk transfers asked for", ""),
}


def page(results: Sequence[Result]) -> str:
    """Build the page of one or more runs of a scenario."""
    from gossipmm_sim.report.plots import figures

    first = results[0]
    ok = all(result.ok for result in results)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(first.scenario.name)}: gossipmm simulation</title>",
        f"<style>{_STYLE}</style></head><body><main>",
        f"<h1>{escape(first.scenario.name)} {_badge(ok)}</h1>",
        f"<p>{escape(first.scenario.doc)}</p>",
        _summary(results),
    ]
    parts.append(_story(first, many=len(results) > 1))
    for result in results:
        parts.append(_verdicts(result, many=len(results) > 1))
    parts += [
        f"<section><h2>{escape(title)}</h2><p>{escape(what)}</p><div class=picture>{svg}</div>"
        "</section>"
        for title, what, svg in figures(results)
    ]
    parts.append(_figures(first))
    parts.append(_repeat(results))
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _badge(ok: bool) -> str:
    word = "all promises kept" if ok else "a promise broke"
    return f'<span class="verdict {"ok" if ok else "failed"}">{word}</span>'


def _summary(results: Sequence[Result]) -> str:
    first = results[0]
    runs = f"{len(results)} runs, " if len(results) > 1 else f"Seed {first.seed}, "
    network = escape(first.scenario.latency)
    return (
        f"<p>{runs}{first.scenario.nodes} hosts on a simulated network (latency: {network}),"
        f" {first.virtual:.0f} s of virtual time each. The hosts run the very core that runs in"
        " production; only clock and network are simulated, and the same seed gives the same"
        " run.</p>"
    )


def _story(result: Result, *, many: bool) -> str:
    head = "What happened" + (f" (seed {result.seed})" if many else "")
    items = "".join(f"<li>{escape(line)}</li>" for line in story(result))
    return f"<section><h2>{escape(head)}</h2><ol>{items}</ol></section>"


def _verdicts(result: Result, *, many: bool) -> str:
    rows = []
    for one in result.verdicts:
        words = _PROMISES.get(one.kind, "")
        message = f"<br><small>{escape(words)}</small>" if words else ""
        if one.message:
            message += f"<br><strong>{escape(one.message)}</strong>"
        word = "kept" if one.ok else "broken"
        rows.append(
            f'<tr><td><span class="verdict {"ok" if one.ok else "failed"}">{word}</span></td>'
            f"<td><code>{escape(one.check)}</code>{message}</td></tr>"
        )
    head = "What was promised"
    if many:
        params = ", ".join(f"{key} = {value}" for key, value in result.scenario.params.items())
        head += f" (seed {result.seed}{', ' + params if params else ''})"
    faults = "; ".join(result.scenario.fill(text) for text in result.scenario.faults)
    return (
        f"<section><h2>{escape(head)}</h2><p>What was done, in seconds after the warm-up:"
        f" {escape(faults or 'nothing')}</p><table class=verdicts>{''.join(rows)}</table></section>"
    )


def _figures(result: Result) -> str:
    rows = []
    for name, (words, unit) in _WORDS.items():
        value = result.figures.get(name)
        if value is None:
            continue
        rows.append(f'<tr><td>{words}</td><td class="number">{_number(value, unit)}</td></tr>')
    return f"<section><h2>Figures</h2><table>{''.join(rows)}</table></section>"


def _number(value: float, unit: str) -> str:
    if value == math.inf:
        return "not by the end"
    shown = f"{value:.3f}" if isinstance(value, float) and value < 100 else f"{value:,.0f}"
    return f"{shown} {unit}".rstrip()


def _repeat(results: Sequence[Result]) -> str:
    lines = "\n".join(f"{command(one)}\n    trace hash {one.trace_hash}" for one in results)
    return (
        "<section><h2>To repeat it</h2><p>The trace hash covers every delivery and every event;"
        f" an equal one means an equal run.</p><pre>{escape(lines)}</pre></section>"
    )
