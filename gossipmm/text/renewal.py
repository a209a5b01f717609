"""Why this node began a new generation: a phrase for each reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.types import NodeId

__all__ = ("RENEWALS", "SOMEBODY", "why_renewed")

#: A reporter that is not known here.
SOMEBODY = "an unknown node"

#: Reason -> its phrase, of whoever told what made it necessary. All are here.
RENEWALS: Mapping[RenewalReason, Callable[[str], str]] = {
    RenewalReason.HEARTBEAT_EXHAUSTED: lambda _: "its heartbeat has reached its maximum",
    RenewalReason.FOREIGN_HEARTBEAT: lambda who: (
        f"{who} reported a heartbeat that this node never issued"
    ),
    RenewalReason.FOREIGN_PAGE: lambda who: f"{who} sent a page that this node never wrote",
    RenewalReason.FOREIGN_LEAVE: lambda who: f"{who} reported that this node had left",
    RenewalReason.LATER_GENERATION: lambda _: (
        "the cluster remembers a later generation of this name"
    ),
    RenewalReason.CLOSED: lambda who: f"{who} reported that the last generation is closed",
    RenewalReason.CONFLICT_OVER: lambda _: "the other node with this name is gone",
    RenewalReason.ALONE: lambda _: "it has reached nobody for half of reap_after",
}


def why_renewed(reason: RenewalReason, reporter: NodeId) -> str:
    """Say why, after "a new generation: "; ``reporter`` is empty for a node not known here."""
    return RENEWALS[reason](reporter or SOMEBODY)
