"""One verdict on an agent, with its reasons: the same for status, readiness, metric and page.

    leaving     it is leaving the cluster, or has left
    conflict    another live process has its name
    not_joined  its table has agreed with nobody yet: lookups may miss what there is
    isolated    it hears nobody, or lost most of the others at once: it may be cut off itself
    degraded    it works, and something is wrong with it or its machine
    ok          nothing is wrong

The first that holds is the verdict; the reasons of all that hold are told, in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, get_args

from gossipmm.addresses import format_address
from gossipmm.answers import NodeStatus, Verdict, VerdictName
from gossipmm.core.values.types import Status
from gossipmm.text.durations import duration

__all__ = ("VERDICTS", "judge")

#: Every verdict, the worst first.
VERDICTS: Final[tuple[VerdictName, ...]] = get_args(VerdictName)
#: Seconds for which a live peer's table may differ until that is a reason: the busiest cluster's
#: tables agree now and then.
_DIFFERS: Final = 60.0

_LIVE = (Status.ALIVE, Status.SUSPECT, Status.PROBATION)


class _Found(NamedTuple):
    verdict: VerdictName
    reason: str
    #: For whoever asks from another host.
    code: str


def judge(status: NodeStatus, now: float, *, alarmed: bool) -> Verdict:
    """Return the verdict. ``alarmed``: the core holds that this node may be the one cut off."""
    found = [*_of_itself(status), *_of_others(status, alarmed), *_degraded(status, now)]
    name: VerdictName = found[0].verdict if found else "ok"
    reasons, codes = tuple(each.reason for each in found), tuple(each.code for each in found)
    return Verdict(name, reasons, codes)


def _of_itself(status: NodeStatus) -> list[_Found]:
    found = []
    if status.leaving:
        found.append(_Found("leaving", "it is leaving the cluster", "leaving"))
    if status.conflict:
        where = ", ".join(map(format_address, status.conflict))
        words = f"another live process is called {status.name}, at {where}: rename one of them"
        found.append(_Found("conflict", words, "conflict"))
    if not status.joined:
        why = "; ".join(f"seed {seed} {words}" for seed, words in status.trouble.items())
        words = f"its table has agreed with nobody yet{': ' if why else ''}{why}"
        found.append(_Found("not_joined", words, "not_joined"))
    return found


def _of_others(status: NodeStatus, alarmed: bool) -> list[_Found]:
    live = _count(status.members, *_LIVE) - 1  # without this node
    lost = _count(status.members, Status.DEAD)
    if live < 1 and lost:
        words = f"none of the {lost} members that it lost is back: it may be cut off itself"
        return [_Found("isolated", words, "isolated")]
    if alarmed and status.health.deaf:
        words = f"it hears none of {live} members: it may be cut off itself"
        return [_Found("isolated", words, "isolated")]
    if alarmed and lost > live:
        words = f"it lost {lost} members at once and has {live} left: it may be cut off itself"
        return [_Found("isolated", words, "isolated")]
    return []


def _degraded(status: NodeStatus, now: float) -> list[_Found]:
    reasons = dict(status.faults)
    if status.health.impaired:
        words = "most of what it sends or is sent is lost: the others hold it on probation"
        reasons["impaired"] = words
    if status.health.slow:
        words = "its timers fire late: the machine, or the program around it, is too busy"
        reasons["slow"] = words
    late = sorted(
        (now - peer.since, peer.name)
        for peer in status.agreement.differ
        if now - peer.since > _DIFFERS
    )
    if late:
        seconds, name = late[-1]
        others = f" and {len(late) - 1} more" if len(late) > 1 else ""
        words = f"the table of {name}{others} has differed for {duration(seconds)}"
        reasons["differs"] = words
    return [_Found("degraded", words, code) for code, words in reasons.items()]


def _count(members: Mapping[Status, int], *wanted: Status) -> int:
    return sum(members.get(status, 0) for status in wanted)
