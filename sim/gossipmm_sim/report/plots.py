"""Pictures of runs, as SVG text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import matplotlib

from gossipmm_sim.report.colours import BAD, INK, LINE, SOFT, THIRD
from gossipmm_sim.report.distances import embedded, errors_over_time
from gossipmm_sim.report.drawing import STYLE, new, shade, svg
from gossipmm_sim.report.timeline import timeline
from gossipmm_sim.runs.result import Result

__all__ = ("figures",)


def figures(results: Sequence[Result]) -> list[tuple[str, str, str]]:
    """Return (title, meaning, SVG) for every picture that the runs have data for."""
    with matplotlib.rc_context(STYLE):
        found = [
            _ecdf(results, "crash_seen", "Crashes: when each observer had it out of its lookups"),
            _ecdf(results, "registration_known", "Registrations: when each host knew them"),
            _views(results[0]),
            timeline(results[0]),
            _bytes(results[0]),
            _convergence(results),
            _false_deaths(results),
            embedded(results[0]),
            errors_over_time(results),
        ]
    return [one for one in found if one is not None]


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
    chosen = [one for one in results if any(map(math.isfinite, one.series[series]))][:8]
    if not chosen:
        return None
    figure, axes = new()
    worst, never = 0.0, 0
    for result in chosen:
        everybody = result.series[series]
        values = sorted(filter(math.isfinite, everybody))
        never += len(everybody) - len(values)
        worst = max(worst, values[-1])
        shares = [(place + 1) / len(everybody) for place in range(len(values))]
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
    count = sum(len(one.series[series]) for one in chosen)
    what = "Each step is one observer; " + (
        f"the line reaches 100 % when the last one knows. Slowest of {count} observations:"
        f" {worst_text}."
        if not never
        else f"of {count} observations {never} did not come about by the end of the run, so no line"
        f" of theirs reaches 100 %. Slowest of the others: {worst_text}."
    )
    return title, what, svg(figure)


def _views(result: Result) -> tuple[str, str, str] | None:
    views = result.series["views"]
    if len(views) < 2:
        return None
    figure, axes = new()
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
        axes.plot(times, shown, color=LINE, alpha=0.25 + 0.6 * count / most, linewidth=line)
    axes.set_ylim(bottom=0)
    axes.set_xlim(times[0], times[-1])
    shade(axes, result)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("s after the warm-up")
    axes.set_ylabel("live members in its view")
    what = (
        f"One line a host ({width} of them; those that agree lie on each other and are drawn"
        " thicker). A gap: the host was down. All lines on one level: everybody agrees. Shaded:"
        " a fault acts; dotted: something is done at that moment."
    )
    return "How many live members each host sees", what, svg(figure)


def _bytes(result: Result) -> tuple[str, str, str] | None:
    rates = sorted(rate for _, rate in result.series["bytes"])
    if not rates:
        return None
    figure, axes = new(2.6)
    axes.fill_between(range(len(rates)), rates, step="mid", color=LINE, alpha=0.25)
    axes.step(range(len(rates)), rates, where="mid", color=LINE)
    p99 = rates[min(len(rates) - 1, int(0.99 * len(rates)))]
    marks = f"median {rates[len(rates) // 2]:,.0f}   p99 {p99:,.0f}   max {rates[-1]:,.0f}"
    axes.set_title(marks, loc="left", fontsize=10, color=INK)
    axes.set_ylim(0, 1.15 * rates[-1])
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("hosts, from the quietest to the busiest")
    axes.set_ylabel("bytes/s sent")
    what = (
        "Mean from the end of the warm-up to the end of the run, of the hosts that were up then,"
        " with 28 bytes of IP and UDP header for each datagram."
    )
    return "Bytes a second and host", what, svg(figure)


def _convergence(results: Sequence[Result]) -> tuple[str, str, str] | None:
    from gossipmm_sim.report.theory import push_pull_rounds

    known = (one for one in results if any(map(math.isfinite, one.series["registration_known"])))
    result = next(known, None)
    if result is None:
        return None
    count = len(result.series["registration_known"])
    values = sorted(filter(math.isfinite, result.series["registration_known"]))
    figure, axes = new()
    missing = [1 - place / count for place in range(len(values))]
    axes.step(
        [1000 * value for value in values],
        missing,
        where="post",
        color=LINE,
        label="measured: hosts that do not know yet",
    )
    config = result.scenario.build_config()
    rounds = push_pull_rounds(result.scenario.nodes, 1, 0.0)
    axes.axvline(
        1000 * rounds * config.gossip_interval,
        color=THIRD,
        linestyle="--",
        label=f"push-pull alone, by theory: {rounds:.1f} rounds",
    )
    axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_ylim(0.5 / count, 1.1)
    axes.set_xlabel("ms after the registration")
    axes.set_ylabel("share that does not know")
    axes.legend(loc="lower left")
    what = (
        "How fast one change spreads, against what exchanges alone would take by the formula"
        " (ln N / ln(1 + f[(1-p) + (1-p)²]) + ln N / (f[(1-p) - ln(1 - (1-p)²)]) rounds)."
    )
    return "Convergence against theory", what, svg(figure)


def _false_deaths(results: Sequence[Result]) -> tuple[str, str, str] | None:
    rows = [one for one in results if "c" in one.scenario.params]
    if len({one.scenario.params["c"] for one in rows}) < 2:
        return None
    figure, axes = new()
    counts = sorted({int(one.scenario.params["c"]) for one in rows})
    for name, key, colour in (
        ("by healthy hosts", "false_deaths_by_well", BAD),
        ("by blocked hosts", "false_deaths_by_ill", SOFT),
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
    return "False deaths against C", what, svg(figure)
