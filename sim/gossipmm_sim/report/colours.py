"""The colours of a report."""

from __future__ import annotations

__all__ = ("BAD", "GOOD", "INK", "LINE", "SOFT", "THIRD")

INK, SOFT, LINE, BAD = "#1f2937", "#9ca3af", "#2563eb", "#dc2626"
GOOD, THIRD = "#059669", "#d97706"
