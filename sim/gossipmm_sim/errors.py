"""Mistakes of a user of the simulator: one line each, naming the nearest thing that exists."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from gossipmm.errors import GossipError

__all__ = ("UsageError", "unknown")


class UsageError(GossipError, ValueError):
    """A scenario, parameter, fault, file or shard that does not exist or does not parse."""


def unknown(
    what: str, given: str, known: Iterable[str], show: Iterable[str] | None = None
) -> UsageError:
    """Build the error for a name that is not among the known ones.

    The message names the nearest match; without one, those of ``show`` (all, when they are few).
    """
    names = sorted(map(str, known))
    near = get_close_matches(given, names, n=1, cutoff=0.5)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif show is not None or len(names) <= 12:
        hint = f"known: {', '.join(sorted(map(str, show or names))) or 'none'}"
    else:
        hint = f"{len(names)} are known, `gossipmm-sim list` shows them"
    return UsageError(f"unknown {what} {given!r}; {hint}")
