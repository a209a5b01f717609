"""Durations and moments as people say them."""

from __future__ import annotations

import time

__all__ = ("duration", "moment")


def duration(seconds: float) -> str:
    """Write a duration as people say it: ``340 ms``, ``12.5 s``, ``3 min 20 s``, ``5 h 12 min``."""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h"


def moment(at: float, *, now: float | None = None, digits: int = 0) -> str:
    """Write a moment (seconds since 1970) in local time, with its zone.

    One of another day than ``now`` has its date as well.
    ``digits``: of the fraction of a second.
    """
    when, today = time.localtime(at), time.localtime(now)
    date = "" if when[:3] == today[:3] else time.strftime("%Y-%m-%d ", when)
    fraction = f".{int(at % 1 * 10**digits):0{digits}}" if digits else ""
    return date + time.strftime("%H:%M:%S", when) + fraction + time.strftime("%z", when)
