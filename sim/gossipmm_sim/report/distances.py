"""Pictures of coordinates: estimates beside simulated round trips, and their error over time."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from gossipmm_sim.report.colours import INK, LINE, SOFT, THIRD
from gossipmm_sim.report.drawing import new, svg
from gossipmm_sim.runs.result import Result

__all__ = ("embedded", "errors_over_time")

#: Pairs that a picture shows: more lie on each other.
_SHOWN = 2000
#: An estimate is this much above or below, at the outer lines.
_TWICE = 2.0


def _last(result: Result) -> tuple[str, dict[str, Any]] | None:
    """Return the embedding that was measured last, and its name; None: none was."""
    found = [one for one in result.series["embeddings"].items() if one[1]["pairs"]]
    return max(found, key=lambda one: one[1]["errors"][-1][0]) if found else None


def embedded(result: Result) -> tuple[str, str, str] | None:
    """Draw what coordinates say of each pair of hosts against the simulated round trip."""
    last = _last(result)
    if last is None:
        return None
    _, found = last
    pairs = found["pairs"]
    every = 1 + (len(pairs) - 1) // _SHOWN
    shown = [(1000 * true, 1000 * estimate) for true, estimate in pairs[::every]]
    low, high = min(map(min, shown)) / 1.3, max(map(max, shown)) * 1.3
    figure, axes = new(4.2)
    for times, style, label in (
        (1.0, "-", "exact"),
        (_TWICE, ":", "twice, or half of it"),
        (1 / _TWICE, ":", None),
    ):
        ends = [low, high]
        axes.plot(ends, [times * end for end in ends], style, color=SOFT, linewidth=1, label=label)
    axes.plot(
        *zip(*shown, strict=True),
        linestyle="none",
        marker="o",
        markersize=3,
        color=LINE,
        alpha=0.3,
        markeredgewidth=0,
        label="a pair of hosts",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("simulated round trip, ms")
    axes.set_ylabel("estimated, ms")
    for handle in axes.legend(loc="lower right").legend_handles:
        handle.set_alpha(1.0)
    off = median(abs(estimate - true) / true for true, estimate in pairs)
    at, *_ = found["errors"][-1]
    what = (
        f"Each dot is one of {len(pairs):,} pairs of hosts{_part(every)}, {at:.0f} s after the"
        f" warm-up: what their coordinates say, against the simulated round trip between them."
        f" Half of the estimates are less than {off:.1%} off."
    )
    return "Estimated against simulated round trips", what, svg(figure)


def _part(every: int) -> str:
    return f" (one in {every} is shown)" if every > 1 else ""


def errors_over_time(results: Sequence[Result]) -> tuple[str, str, str] | None:
    """Draw by which share estimates are off, from the boot on."""
    chosen = [(one, last[1]) for one in results if (last := _last(one)) is not None][:8]
    if not chosen:
        return None
    figure, axes = new()
    many = len(chosen) > 1
    for result, found in chosen:
        times, medians, tails = zip(*found["errors"], strict=True)
        label = f"median, seed {result.seed}" if many else "median"
        axes.plot(times, medians, label=label, linewidth=1.8, **({} if many else {"color": LINE}))
        if not many:
            axes.plot(times, tails, label="one pair in ten is worse", color=THIRD, linewidth=1.2)
    axes.axvline(0.0, color=INK, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlim(times[0], times[-1])
    axes.set_xlabel("s after the warm-up (dashed)")
    axes.set_ylabel("estimates are off by")
    axes.legend(loc="upper right")
    first, end = medians[0], medians[-1]
    what = (
        "The share by which the estimates of pairs are off, from the boot on; with all hosts at one"
        f" point it is 100 %. The median was {first:.0%} at first and {end:.1%} at the end of the"
        " measurement."
    )
    return "Error of the estimates over time", what, svg(figure)
