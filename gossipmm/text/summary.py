"""The status of a member, and its reason, in one sentence."""

from __future__ import annotations

from math import isfinite

from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Evidence, MemberView, NodeState, Status
from gossipmm.text.durations import duration
from gossipmm.text.evidence import detail
from gossipmm.text.members import why_status

__all__ = ("summary",)

#: Status -> what a member has been, of those that its reason explains.
_BEEN = {
    Status.UNKNOWN: "unknown",
    Status.RETURNING: "returning",
    Status.PROBATION: "on probation",
}
#: Kinds of evidence that end in a death.
_ENDS = (EvidenceKind.DECLARED_DEAD, EvidenceKind.DEATH_HEARD)


def summary(view: MemberView, trail: tuple[Evidence, ...], me: str, now: float) -> str:
    """Say in one sentence what status a member has, and why."""
    name = view.name
    since = duration(now - view.since)
    heard = (
        f"last sign of life {duration(now - view.heard)} ago"
        if isfinite(view.heard)
        else "no sign of life from it has reached this node"
    )
    if name == me:
        text = f"{name} is this node itself"
    elif view.status is Status.ALIVE:
        text = f"{name} has been alive for {since}; {heard}"
    elif view.status is Status.LEFT:
        return f"{name} left the cluster {since} ago"
    elif view.status is Status.DEAD:
        why = next((e for e in reversed(trail) if e.kind in _ENDS), None)
        because = (
            f" ({detail(why)})"
            if why is not None and why.kind is EvidenceKind.DECLARED_DEAD
            else ""
        )
        text = f"{name} has been dead for {since}{because}; {heard}"
    elif view.status is Status.SUSPECT:
        text = (
            f"{name} has been suspected for {since} and will be declared dead unless it answers; "
            f"{heard}"
        )
    else:
        reason = why_status(view, lambda _: trail, me) or heard
        text = f"{name} has been {_BEEN[view.status]} for {since}: {reason}"
    if view.node_state is NodeState.DRAINING:
        text += "; it is draining and takes no new work"
    if view.unhealthy:
        text += f"; of its {view.registrations} registrations {view.unhealthy} fail their checks"
    return text
