"""Why a member has its status: a sentence for each reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gossipmm.core.values.types import Evidence, MemberView, NodeId, StatusReason
from gossipmm.text.evidence import sentence

__all__ = ("REASONS", "why_status")

#: Reason -> its sentence. All are here, but for the one that the last evidence gives.
REASONS: Mapping[StatusReason, Callable[[MemberView], str]] = {
    StatusReason.NONE: lambda _: "",
    StatusReason.NO_RECORD: lambda _: "its record has not arrived yet",
    StatusReason.NEVER_ALIVE: lambda _: "no sign of life from it has reached this node",
    StatusReason.OLD_EVIDENCE: lambda _: (
        "a higher heartbeat arrived, but from before its death here"
    ),
    StatusReason.RETURNS: lambda view: f"it has returned from the dead {view.returns} times",
    StatusReason.CRASHES: lambda view: (
        f"it has come back {view.returns} times, as a new process that had not left before"
    ),
    StatusReason.IMPAIRED: lambda _: "it says that most of what it sends or is sent is lost",
    StatusReason.EQUIVOCATES: lambda _: "it signed two versions of one page",
    StatusReason.EXPIRED: lambda _: "its certificate ended more than a day ago",
    StatusReason.REVOKED: lambda _: "its certificate was revoked",
}


def why_status(view: MemberView, why: Callable[[NodeId], tuple[Evidence, ...]], me: NodeId) -> str:
    """Say why a member has its status, to somebody at node ``me``; empty: that says it all.

    ``why`` gives the trail of a member, and is asked where only that explains the status.
    """
    if view.reason is StatusReason.EVIDENCE:
        trail = why(view.name)
        return sentence(trail[-1], me, view.name) if trail else ""
    return REASONS[view.reason](view)
