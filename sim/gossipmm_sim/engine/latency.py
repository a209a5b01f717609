"""Latency distributions for one direction of a link, as tables of quantiles.

A draw costs one random number and one index, whatever the formula. A distribution prints and
parses: ``lan``, ``constant(0.01)``, ``uniform(0.001,0.005)``, ``exponential(0.001,0.004)`` (floor,
mean above it), ``lognormal(0.04,0.5)`` (median, sigma). All values are seconds.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

from gossipmm_sim.errors import UsageError

__all__ = ("LATENCIES", "quantiles")

#: Steps of a table; a power of two, so that the index needs no rounding.
STEPS: Final = 1024

#: Names for common ones. ``lan`` is a switched network with a busy host now and then; ``wan``
#: crosses a continent; ``metro`` is two sites of one city.
LATENCIES: Final = {
    "lan": "uniform(0.0002,0.001)",
    "metro": "lognormal(0.002,0.3)",
    "wan": "lognormal(0.04,0.3)",
    "zero": "constant(0.0)",
}

_ARITY: Final = {"constant": 1, "uniform": 2, "exponential": 2, "lognormal": 2}


@lru_cache(maxsize=256)
def quantiles(text: str) -> tuple[float, ...]:
    """Parse a distribution and return its table of STEPS values.

    Raises UsageError, naming the known ones, for an unknown name or a wrong number of arguments.
    """
    source = LATENCIES.get(text, text).strip()
    name, _, rest = source.partition("(")
    try:
        values = [float(part) for part in rest.removesuffix(")").split(",")]
    except ValueError:
        values = []
    bad = not rest.endswith(")") or any(value < 0 or not math.isfinite(value) for value in values)
    if bad or _ARITY.get(name) != len(values):
        known = ", ".join(
            [*LATENCIES, *(f"{name}({'a,b'[: 2 * n - 1]})" for name, n in _ARITY.items())]
        )
        raise UsageError(f"{text!r} is not a latency distribution; known: {known}")
    points = [(step + 0.5) / STEPS for step in range(STEPS)]
    if name == "constant":
        return tuple(values[0] for _ in points)
    low, high = values
    if name == "uniform":
        return tuple(low + (high - low) * point for point in points)
    if name == "exponential":
        return tuple(low - high * math.log1p(-point) for point in points)
    normal = NormalDist()
    return tuple(low * math.exp(high * normal.inv_cdf(point)) for point in points)
