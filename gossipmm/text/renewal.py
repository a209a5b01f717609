"""Why this node began a new generation: a phrase for each reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.types import NodeId

__all__ = ("RENEWALS", "why_renewed")

#: Reason -> its phrase, of whoever told what made it necessary. All are here.
RENEWALS: Mapping[RenewalReason, Callable[[str], str]] = {
    RenewalReason.HEARTBEAT_EXHAUSTED: lambda _: "its heartbeat is at its end",
    RenewalReason.FOREIGN_HEARTBEAT: lambda who: (
        f"{who} told a heartbeat that this node never issued"
    ),
    RenewalReason.FOREIGN_PAGE: lambda who: f"{who} told a page that this node never wrote",
    RenewalReason.FOREIGN_LEAVE: lambda who: f"{who} told that this node left",
    RenewalReason.LATER_GENERATION: lambda _: (
        "the cluster remembers a later generation of this name"
    ),
    RenewalReason.CLOSED: lambda who: f"{who} told that this generation is closed",
    RenewalReason.CONFLICT_OVER: lambda _: "the other node of this name is gone",
    RenewalReason.ALONE: lambda _: "nobody reached for half of reap_after",
}


def why_renewed(reason: RenewalReason, reporter: NodeId) -> str:
    """Say why, after "a new generation: "; ``reporter`` is empty for a node not known here."""
    return RENEWALS[reason](reporter or "an unknown node")
