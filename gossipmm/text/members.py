"""Why a member has its status: a sentence for each reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gossipmm.core.values.types import Evidence, MemberView, NodeId, StatusReason
from gossipmm.text.evidence import sentence

__all__ = ("REASONS", "why_status")

#: Reason -> its sentence. All are here, but for the one that the last evidence gives.
REASONS: Mapping[StatusReason, Callable[[MemberView], str]] = {
    StatusReason.NONE: lambda _: "",
    StatusReason.NO_RECORD: lambda _: "its record is not here yet",
    StatusReason.NEVER_ALIVE: lambda _: "never heard alive here",
    StatusReason.OLD_EVIDENCE: lambda _: (
        "a higher heartbeat came, on evidence older than its burial here"
    ),
    StatusReason.RETURNS: lambda view: f"returned from the dead {view.returns} times: on probation",
    StatusReason.IMPAIRED: lambda _: (
        "its answers do not get through, by its own measure: on probation"
    ),
}


def why_status(view: MemberView, why: Callable[[NodeId], tuple[Evidence, ...]], me: NodeId) -> str:
    """Say why a member has its status, to somebody at node ``me``; empty: that says it all.

    ``why`` gives the trail of a member, and is asked where only that explains the status.
    """
    if view.reason is StatusReason.EVIDENCE:
        trail = why(view.name)
        return sentence(trail[-1], me, view.name) if trail else ""
    return REASONS[view.reason](view)
