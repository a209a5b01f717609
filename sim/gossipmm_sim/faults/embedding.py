"""What coordinates say of round trips, beside what these are: for pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ("Embedding",)


@dataclass(slots=True)
class Embedding:
    """Estimates beside simulated round trips, all in seconds."""

    #: (simulated, estimated) of each pair of hosts, at the end.
    pairs: list[tuple[float, float]] = field(default_factory=list)
    #: (virtual time, median, 90 % quantile) of the shares by which estimates were off.
    errors: list[tuple[float, float, float]] = field(default_factory=list)
