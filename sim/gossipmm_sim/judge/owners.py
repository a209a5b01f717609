"""Compares all live tables with each other, and with what the owners of the entries register."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gossipmm.core.values.types import HostEntry, HostState, Status
from gossipmm_sim.judge.violations import Breach, Violation

if TYPE_CHECKING:
    from gossipmm_sim.engine.cluster import Cluster
    from gossipmm_sim.engine.host import Host

__all__ = ("first_difference",)

#: Topic -> host -> (somebody registers it undrained; nodes that register it).
_Truth = dict[str, dict[str, tuple[bool, set[str]]]]


def first_difference(cluster: Cluster) -> Breach | None:
    """Compare the live tables; None when nothing differs."""
    return _with_owners(cluster) if cluster.agreed() else _with_each_other(cluster)


def _with_each_other(cluster: Cluster) -> Breach:
    prints = Counter(cluster.fingerprints().values())
    if len(prints) == 1:
        return Breach(
            violation=Violation.MEMBERS_MISCOUNTED,
            measured=cluster.live_count(cluster.peers[0].core),
            allowed=len(cluster.peers),
        )
    common = prints.most_common(1)[0][0]
    odd = tuple(label for label, value in cluster.fingerprints().items() if value != common)
    return Breach(violation=Violation.VIEWS_DIFFER, measured=len(prints), others=odd)


def _with_owners(cluster: Cluster) -> Breach | None:
    truth = _registered(cluster)
    for host in cluster.peers:
        damped = {one.name for one in host.members() if one.status is Status.PROBATION}
        for topic in sorted(truth.keys() | host.table.topics.keys()):
            # A member that came and went too often is kept out of lookups for a while, on purpose.
            wanted = {
                name: (up, nodes)
                for name, (up, nodes) in truth.get(topic, {}).items()
                if not nodes & damped
            }
            found = _compare(host, topic, wanted)
            if found is not None:
                return found
    return None


def _registered(cluster: Cluster) -> _Truth:
    truth: _Truth = {}
    for host in cluster.peers:
        me = host.member(host.node_name)
        off = me is not None and me.node_state != 0
        for one in host.registrations():
            up = not off and one.state == 0
            was, nodes = truth.setdefault(one.topic, {}).get(one.host, (False, set()))
            truth[one.topic][one.host] = (was or up, nodes | {host.node_name})
    return truth


def _compare(host: Host, topic: str, wanted: dict[str, tuple[bool, set[str]]]) -> Breach | None:
    view = host.table.topic(topic)
    known: dict[str, HostEntry] = dict(view.entries) if view is not None else {}
    # Last known hosts, at a host that was cut off: shown as stale, and answered only while the
    # topic has no live one.
    entries = {name: one for name, one in known.items() if one.state is not HostState.STALE}
    if entries.keys() != wanted.keys():
        odd = sorted(entries.keys() ^ wanted.keys())[0]
        listed = odd in entries
        return Breach(
            violation=Violation.LISTS_UNOWNED if listed else Violation.LACKS_OWNED,
            observer=host.label,
            subject=odd,
            topic=topic,
        )
    for name, (up, nodes) in wanted.items():
        entry = entries[name]
        state = HostState.LIVE if up else HostState.DRAINING
        if entry.state is not state or set(entry.nodes) != nodes:
            return Breach(
                violation=Violation.STATE_UNLIKE_OWNER,
                observer=host.label,
                subject=name,
                topic=topic,
                held=f"{entry.state.label} of {', '.join(entry.nodes)}",
                due=f"{state.label} of {', '.join(sorted(nodes))}",
            )
    return None
