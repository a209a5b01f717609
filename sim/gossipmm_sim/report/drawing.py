"""What all pictures share: colours, a new figure, the shade of faults, and SVG of equal bytes."""

from __future__ import annotations

import io
import re
from typing import Any

from matplotlib.figure import Figure

from gossipmm_sim.report.colours import INK, LINE, SOFT, THIRD
from gossipmm_sim.runs.result import Result

__all__ = ("STYLE", "new", "shade", "svg")

_GRID, _PAPER = "#e5e7eb", "#ffffff"
#: Colours that the page decides, so that a picture can be read on a dark one as well.
_OF_PAGE = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    _GRID: "var(--grid)",
    _PAPER: "var(--paper)",
}
STYLE: Any = {
    "svg.hashsalt": "gossipmm-sim",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _GRID,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def new(height: float = 3.2) -> tuple[Figure, Any]:
    """Make a figure of the page's width, and its axes."""
    figure = Figure(figsize=(8.4, height), layout="constrained")
    return figure, figure.subplots()


def shade(axes: Any, result: Result) -> None:
    """Mark when faults acted: a band for one that lasts, a dotted line for a moment."""
    begin, end = axes.get_xlim()
    for one in result.scenario.build_faults():
        until = getattr(one, "until", one.at)
        if until == one.at:
            axes.axvline(one.at, color=THIRD, linestyle=":", linewidth=1, zorder=0)
        else:
            axes.axvspan(one.at, until or end, color=THIRD, alpha=0.10, linewidth=0, zorder=0)
    axes.set_xlim(begin, end)


def svg(figure: Figure, *, alone: bool = False) -> str:
    """Give a figure as SVG: equal bytes for equal data (fixed hashsalt, no date, no fonts).

    ``alone``: for a file of its own, which no page gives its colours.
    """
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"^.*?(?=<svg)", "", out.getvalue(), flags=re.DOTALL).strip()
    if not alone:
        for colour, variable in _OF_PAGE.items():
            text = text.replace(colour, variable)
    return text
