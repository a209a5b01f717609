"""A coordinate: three dimensions and a height, in seconds of round trip; and its eight bytes.

The round trip between two of them is the distance of their points plus both heights: a height is
what it takes to get from a host to the network, whichever way it goes on from there. What can be
written is bounded by its form: no number of the wire is infinite, or none, or a light year.
"""

from __future__ import annotations

from math import log, sqrt
from struct import Struct
from typing import Final, NamedTuple

__all__ = ("LEAST_HEIGHT", "MOST_ERROR", "Coordinate", "distance", "pack", "unpack")

_COLUMNS: Final = Struct(">hhhBB")
#: Seconds of one step of a dimension: 20 us, so that they reach 655 ms either way. Between regions
#: errors are a thousand times that; within one the heights say as much as the points.
_STEP: Final = 2e-5
_MOST: Final = 0x7FFF
#: Heights are codes of one byte: 10 us x r^c, up to half a second in steps of 4.3 %.
LEAST_HEIGHT: Final = 1e-5
_MOST_HEIGHT: Final = 0.5
_RATIO: Final = (_MOST_HEIGHT / LEAST_HEIGHT) ** (1 / 255)
_LOG_RATIO: Final = log(_RATIO)
#: The error of a node that has measured nothing, and the most that one is (Serf's).
MOST_ERROR: Final = 1.5
_ERROR_STEP: Final = MOST_ERROR / 255


class Coordinate(NamedTuple):
    """Where a node is, in seconds, and how far it trusts that."""

    x: float
    y: float
    z: float
    height: float
    #: Share by which its estimates are usually wrong: 0 to 1.5.
    error: float


def distance(a: Coordinate, b: Coordinate) -> float:
    """Return the estimated round trip between two nodes, in seconds [P178]."""
    dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
    return sqrt(dx * dx + dy * dy + dz * dz) + a.height + b.height


def pack(one: Coordinate) -> bytes:
    """Return a coordinate as it travels; what does not fit is the nearest that does [P179]."""
    height = round(log(max(one.height, LEAST_HEIGHT) / LEAST_HEIGHT) / _LOG_RATIO)
    error = min(255, max(0, round(one.error / _ERROR_STEP)))
    return _COLUMNS.pack(_steps(one.x), _steps(one.y), _steps(one.z), min(255, height), error)


def unpack(data: bytes) -> Coordinate:
    """Read the eight bytes of a coordinate: any are one."""
    x, y, z, height, error = _COLUMNS.unpack(data)
    return Coordinate(
        x * _STEP,
        y * _STEP,
        z * _STEP,
        LEAST_HEIGHT * _RATIO**height,
        error * _ERROR_STEP,
    )


def _steps(seconds: float) -> int:
    return max(-_MOST, min(_MOST, round(seconds / _STEP)))
