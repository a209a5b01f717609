"""Pictures of runs, as SVG text: equal bytes for equal data (fixed hashsalt, no date, no fonts)."""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from gossipmm_sim.runs.result import Result

__all__ = ("figures",)

_INK, _SOFT, _LINE, _BAD = "#1f2937", "#9ca3af", "#2563eb", "#dc2626"
_GOOD, _THIRD = "#059669", "#d97706"
_STYLE: Any = {
    "svg.hashsalt": "gossipmm-sim",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
}
#: Events drawn on the timeline: (prefix of the text, colour, label).
_MARKS = (
    ("boot", _GOOD, "boot"),
    ("crash", _INK, "crash"),
    ("left", _THIRD, "left"),
    ("MemberSuspected", "#fbbf24", "suspects somebody"),
    ("MemberDied", _BAD, "declares somebody dead"),
    ("MemberReturned", _LINE, "takes somebody back"),
    ("NameConflict", "#7c3aed", "name conflict"),
    ("Isolated", "#0d9488", "may be the one cut off"),
)


def figures(results: Sequence[Result]) -> list[tuple[str, str, str]]:
    """Return (title, meaning, SVG) for every picture that the runs have data for."""
    with matplotlib.rc_context(_STYLE):
        found = [
            _ecdf(results, "crash_seen", "Crashes: when each observer had it out of its lookups"),
            _ecdf(results, "registration_known", "Registrations: when each host knew them"),
            _views(results[0]),
            _timeline(results[0]),
            _bytes(results[0]),
            _convergence(results),
            _false_deaths(results),
        ]
    return [one for one in found if one is not None]


def _new(height: float = 3.2) -> tuple[Figure, Any]:
    figure = Figure(figsize=(8.4, height), layout="constrained")
    return figure, figure.subplots()


def _shade(axes: Any, result: Result) -> None:
    """Mark when faults acted: a band for one that lasts, a dotted line for a moment."""
    begin, end = axes.get_xlim()
    for one in result.scenario.build_faults():
        until = getattr(one, "until", one.at)
        if until == one.at:
            axes.axvline(one.at, color=_THIRD, linestyle=":", linewidth=1, zorder=0)
        else:
            axes.axvspan(one.at, until or end, color=_THIRD, alpha=0.10, linewidth=0, zorder=0)
    axes.set_xlim(begin, end)


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return re.sub(r"^.*?(?=<svg)", "", text, flags=re.DOTALL).strip()


def _label(result: Result, results: Sequence[Result]) -> str:
    """Name a run by what distinguishes it from the others."""
    parts = []
    if len({one.scenario.name for one in results}) > 1:
        parts.append(result.scenario.name)
    if len({one.scenario.nodes for one in results}) > 1:
        parts.append(f"{result.scenario.nodes} hosts")
    if len({one.seed for one in results}) > 1:
        parts.append(f"seed {result.seed}")
    for key, value in result.scenario.params.items():
        if len({str(one.scenario.params.get(key)) for one in results}) > 1:
            parts.append(f"{key} = {value}")
    return ", ".join(parts) or f"{result.scenario.name}, seed {result.seed}"


def _ecdf(results: Sequence[Result], series: str, title: str) -> tuple[str, str, str] | None:
    chosen = [one for one in results if one.series[series]][:8]
    if not chosen:
        return None
    figure, axes = _new()
    worst = 0.0
    for result in chosen:
        values = sorted(result.series[series])
        worst = max(worst, values[-1])
        shares = [(place + 1) / len(values) for place in range(len(values))]
        axes.step(values, shares, where="post", label=_label(result, results), linewidth=1.8)
    unit = "s"
    if worst < 0.5:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value * 1000:g}")
        unit = "ms"
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.03)
    axes.set_xlabel(f"{unit} after it happened")
    axes.set_ylabel("share of observers")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(loc="lower right")
    worst_text = f"{worst * 1000:.0f} ms" if worst < 0.5 else f"{worst:.2f} s"
    what = (
        f"Each step is one observer; the line reaches 100 % when the last one knows. Slowest of"
        f" {sum(len(one.series[series]) for one in chosen)} observations: {worst_text}."
    )
    return title, what, _svg(figure)


def _views(result: Result) -> tuple[str, str, str] | None:
    views = result.series["views"]
    if len(views) < 2:
        return None
    figure, axes = _new()
    times = [at for at, _ in views]
    # Many hosts follow the same path: it is drawn once, as wide as it has hosts.
    width = max(len(sizes) for _, sizes in views)
    paths = Counter(
        tuple(sizes[host] if host < len(sizes) else 0 for _, sizes in views)
        for host in range(width)
    )
    most = max(paths.values())
    for path, count in sorted(paths.items(), key=lambda item: (item[1], item[0])):
        line = 0.6 + 2.4 * math.log1p(count) / math.log1p(most)
        shown = [float(size) if size else math.nan for size in path]
        axes.plot(times, shown, color=_LINE, alpha=0.25 + 0.6 * count / most, linewidth=line)
    axes.set_ylim(bottom=0)
    axes.set_xlim(times[0], times[-1])
    _shade(axes, result)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("s after the warm-up")
    axes.set_ylabel("live members in its view")
    what = (
        f"One line a host ({width} of them; those that agree lie on each other and are drawn"
        " thicker). A gap: the host was down. All lines on one level: everybody agrees. Shaded:"
        " a fault acts; dotted: something is done at that moment."
    )
    return "How many live members each host sees", what, _svg(figure)


def _timeline(result: Result) -> tuple[str, str, str] | None:
    labels = list(result.series["hosts"])
    per_host: dict[str, list[tuple[float, str]]] = {}
    for at, label, text in result.series["events"]:
        per_host.setdefault(label, []).append((at, text))
    # For a large cluster, only the hosts to which something happened, or that sent the most.
    busy = sorted(labels, key=lambda label: -len(per_host.get(label, ())))
    keep = set(busy[:40])
    shown = [label for label in labels if label in keep]
    if not any(per_host.get(label) for label in shown):
        return None
    figure, axes = _new(1.2 + 0.19 * len(shown))
    rows = {label: len(shown) - 1 - place for place, label in enumerate(shown)}
    drawn = set()
    for prefix, colour, name in _MARKS:
        # Marks that would coincide are drawn once.
        points = sorted(
            {
                (round(at, 1), rows[label])
                for label in shown
                for at, text in per_host.get(label, ())
                if text.startswith(prefix) and at > -result.scenario.warmup
            }
        )
        if points:
            drawn.add(name)
            marker = "x" if prefix == "crash" else "|" if prefix == "MemberSuspected" else "o"
            size = 34 if marker == "x" else 40 if marker == "|" else 13
            xs, ys = zip(*points, strict=True)
            axes.scatter(xs, ys, c=colour, marker=marker, s=size, label=name, linewidths=1.6)
    if not drawn:
        return None
    axes.set_yticks(list(rows.values()), list(rows), fontsize=7)
    axes.set_ylim(-0.8, len(shown) - 0.2)
    axes.set_xlim(min(0.0, axes.get_xlim()[0]), result.scenario.duration)
    _shade(axes, result)
    axes.set_xlabel("s after the warm-up")
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.6 / (1.2 + 0.19 * len(shown)) - 0.02),
        ncols=4,
        fontsize=8,
    )
    more = f" The {len(shown)} busiest of {len(labels)} hosts." if len(shown) < len(labels) else ""
    what = f"What happened to each host, and what each said about others.{more}"
    return "Events by host", what, _svg(figure)


def _bytes(result: Result) -> tuple[str, str, str] | None:
    sent = sorted(count for _, count in result.series["bytes"])
    if not sent or not result.virtual:
        return None
    rates = [count / result.virtual for count in sent]
    figure, axes = _new(2.6)
    axes.fill_between(range(len(rates)), rates, step="mid", color=_LINE, alpha=0.25)
    axes.step(range(len(rates)), rates, where="mid", color=_LINE)
    p99 = rates[min(len(rates) - 1, int(0.99 * len(rates)))]
    marks = f"median {rates[len(rates) // 2]:,.0f}   p99 {p99:,.0f}   max {rates[-1]:,.0f}"
    axes.set_title(marks, loc="left", fontsize=10, color=_INK)
    axes.set_ylim(0, 1.15 * rates[-1])
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("hosts, from the quietest to the busiest")
    axes.set_ylabel("bytes/s sent")
    what = (
        "Mean over the whole run, boot included, with 28 bytes of IP and UDP header for each"
        " datagram."
    )
    return "Bytes a second and host", what, _svg(figure)


def _convergence(results: Sequence[Result]) -> tuple[str, str, str] | None:
    from gossipmm_sim.report.theory import push_pull_rounds

    result = next((one for one in results if one.series["registration_known"]), None)
    if result is None:
        return None
    values = sorted(result.series["registration_known"])
    figure, axes = _new()
    missing = [1 - place / len(values) for place in range(len(values))]
    axes.step(
        [1000 * value for value in values],
        missing,
        where="post",
        color=_LINE,
        label="measured: hosts that do not know yet",
    )
    config = result.scenario.build_config()
    rounds = push_pull_rounds(result.scenario.nodes, 1, 0.0)
    axes.axvline(
        1000 * rounds * config.gossip_interval,
        color=_THIRD,
        linestyle="--",
        label=f"push-pull alone, by theory: {rounds:.1f} rounds",
    )
    axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_ylim(0.5 / len(values), 1.1)
    axes.set_xlabel("ms after the registration")
    axes.set_ylabel("share that does not know")
    axes.legend(loc="lower left")
    what = (
        "How fast one change spreads, against what exchanges alone would take by the formula"
        " (ln N / ln(1 + f[(1-p) + (1-p)²]) + ln N / (f[(1-p) - ln(1 - (1-p)²)]) rounds)."
    )
    return "Convergence against theory", what, _svg(figure)


def _false_deaths(results: Sequence[Result]) -> tuple[str, str, str] | None:
    rows = [one for one in results if "c" in one.scenario.params]
    if len({one.scenario.params["c"] for one in rows}) < 2:
        return None
    figure, axes = _new()
    counts = sorted({int(one.scenario.params["c"]) for one in rows})
    for name, key, colour in (
        ("by healthy hosts", "false_deaths_by_well", _BAD),
        ("by blocked hosts", "false_deaths_by_ill", _SOFT),
    ):
        sums = [
            sum(one.figures.get(key, 0) for one in rows if int(one.scenario.params["c"]) == c)
            for c in counts
        ]
        axes.plot(counts, sums, "o-", color=colour, label=name)
    axes.set_xlabel("C, anomalous hosts")
    axes.set_ylabel("false deaths of healthy hosts")
    axes.set_ylim(bottom=0)
    axes.legend()
    what = (
        "Healthy hosts that were declared dead, by who did it. The promise is about the red line."
    )
    return "False deaths against C", what, _svg(figure)
