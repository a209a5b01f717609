"""What ``gossipmm status`` says of user events."""

from __future__ import annotations

from typing import Any

__all__ = ("event_rows",)

#: What did not reach the programs here, and why.
_MISSED = (
    ("lost", "lost (did not come in time)"),
    ("forgotten", "forgotten for want of memory"),
    ("filtered", "for other members"),
)
#: Nothing is said of events while none of these was counted.
_TOLD_OF = ("sent", "delivered", "refused", "over_budget", "filtered", "lost")


def event_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows of a status; none where there were no events, or of an older version."""
    counts = found.get("user_events", {})
    if not any(counts.get(name) for name in _TOLD_OF):
        return []
    missed = [f"{counts[name]:,} {words}" for name, words in _MISSED if counts[name]]
    told = f"{counts['sent']:,} sent, {counts['delivered']:,} told here"
    rows = [("user events", ", ".join((told, *missed)))]
    here, others = counts["over_budget"], counts["refused"]
    if here:
        rows.append(("", f"{here:,} of programs here refused: over the budget"))
    if others:
        rows.append(("", f"{others:,} of other members refused: see refused, or metrics"))
    left = f"{counts['room']:,} events or {counts['room_bytes']:,} bytes of them"
    rows.append(("", f"this node may send {left} at once now"))
    return rows
