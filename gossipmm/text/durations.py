"""Durations as people say them."""

from __future__ import annotations

__all__ = ("duration",)


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
