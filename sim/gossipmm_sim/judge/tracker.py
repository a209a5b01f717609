"""Measures a run: who noticed which end, who knew which registration, and when.

The tracker listens to the cores' events and to what is done to hosts; it changes nothing and draws
no random number, so a run is the same with and without it.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

from gossipmm.core.values.events import (
    HostChanged,
    MemberDied,
    MemberRefuted,
    MemberReturned,
    MemberSuspected,
)
from gossipmm.core.values.types import HostState, Status
from gossipmm_sim.judge.violations import Breach, Violation

if TYPE_CHECKING:
    from gossipmm_sim.engine.cluster import Cluster
    from gossipmm_sim.engine.host import Host

__all__ = ("Ending", "News", "Tracker", "quantile")

_LIVE: Final = (Status.ALIVE, Status.SUSPECT, Status.PROBATION)
_ANSWERED: Final = frozenset(
    (HostState.LIVE, HostState.DOUBTED, HostState.SUSPECT, HostState.DRAINING)
)


class Ending:
    """A process that ended, and the hosts that have yet to take it out of lookups."""

    def __init__(self, host: Host, how: str, at: float, pending: set[int]) -> None:
        self.name = host.node_name
        self.how = how
        self.at = at
        #: Indexes of the hosts that still answer it.
        self.pending = pending
        #: Seconds until each observer had it out of its lookups.
        self.seen: list[float] = []
        #: Seconds until the last one had; inf: not yet.
        self.all_seen = inf

    @property
    def times(self) -> list[float]:
        """Seconds until each observer had it out of its lookups; inf: not yet."""
        return self.seen + [inf] * len(self.pending)


class News:
    """A registration: when each host knew it. Withdrawn, nobody has to learn it."""

    def __init__(self, topic: str, host: str, at: float, pending: set[int]) -> None:
        self.topic, self.host, self.at = topic, host, at
        self.pending = pending
        self.seen: list[float] = []
        self.all_seen = inf

    @property
    def times(self) -> list[float]:
        """Seconds until each host knew it; inf: not yet."""
        return self.seen + [inf] * len(self.pending)


class Tracker:
    """Listens to one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.endings: list[Ending] = []
        #: (host, node) -> when that host declared that node dead, last.
        self.buried: dict[tuple[str, str], float] = {}
        self.news: list[News] = []
        #: (virtual time, observer, subject) of deaths of members that were well, by who saw it:
        self.false_by_well: list[tuple[float, str, str]] = []
        self.false_by_ill: list[tuple[float, str, str]] = []
        #: (host, node): took the dead back on the word of a host in trouble.
        self.misled: set[tuple[str, str]] = set()
        self.true_deaths = 0
        self.false_suspicions = 0
        #: (host, node that is well) -> when that host began to hold it suspect.
        self._doubted: dict[tuple[str, str], float] = {}
        self._longest_doubt = 0.0
        #: Broken promises that events show; ``at`` is virtual time here.
        self.broken: list[Breach] = []
        #: (topic, host) ever registered by a program.
        self.ever: set[tuple[str, str]] = set()
        #: Node name -> intervals of virtual time in which it was not well.
        self.ill_until: dict[str, float] = {}
        #: Seconds for which a host is not yet counted as well after its trouble has ended.
        self.grace = 4.0 * cluster.config.suspicion_max
        self._open_endings: dict[str, Ending] = {}
        self._open_news: dict[tuple[str, str], News] = {}
        cluster.watch(HostChanged, self._host_changed)
        cluster.watch(MemberDied, self._died)
        cluster.watch(MemberSuspected, self._suspected)
        cluster.watch(MemberReturned, self._returned)
        cluster.watch(MemberRefuted, self._refuted)
        cluster.on_register.append(self._registered)

    # -- what is done --------------------------------------------------------------------------

    def ill(self, host: Host, until: float) -> None:
        """Count a host as not well from now to ``until``."""
        name = host.node_name
        self.ill_until[name] = max(self.ill_until.get(name, 0.0), until)

    def well(self, name: str) -> bool:
        """Return whether a node is up and has been healthy for a while."""
        return self.cluster.now > self.ill_until.get(name, -inf) + self.grace

    def gone(self, host: Host, how: str) -> None:
        """Begin to wait for everybody to take a host's entries out of lookups."""
        cluster = self.cluster
        names = [key for key in host.wanted if key[1] == host.node_name]
        for one in self._open_endings.values():
            one.pending.discard(host.index)
            self._close(one)
        for key, news in list(self._open_news.items()):
            news.pending.discard(host.index)
            self._known(key, news)
        # After a restart the same entries come back at once, so agreement is what counts.
        if how == "restart":
            return
        for key in host.wanted:
            self._withdraw(*key)
        if not names:
            return
        topic = names[0][0]
        pending = {
            other.index
            for other in cluster.live
            if other is not host and _answers(other, topic, host.node_name)
        }
        ending = Ending(host, how, cluster.now, pending)
        self.endings.append(ending)
        self._open_endings[host.node_name] = ending

    def _close(self, ending: Ending) -> None:
        if not ending.pending and ending.all_seen == inf:
            ending.all_seen = max(ending.seen, default=0.0)

    def _registered(self, host: Host, topic: str, name: str, there: bool) -> None:
        if not there:
            self._withdraw(topic, name)
            return
        if (topic, name) in self.ever:
            return
        self.ever.add((topic, name))
        if host.up:
            pending = {other.index for other in self.cluster.live if other is not host}
            news = News(topic, name, self.cluster.now, pending)
            self.news.append(news)
            self._open_news[topic, name] = news

    def _withdraw(self, topic: str, name: str) -> None:
        """Wait no longer for who does not know it yet: only who heard of it in time counts."""
        news = self._open_news.get((topic, name))
        if news is None:
            return
        if not news.seen:
            self.news.remove(news)
        news.pending.clear()
        self._known((topic, name), news)

    def _known(self, key: tuple[str, str], news: News) -> None:
        if not news.pending:
            news.all_seen = max(news.seen, default=0.0)
            self._open_news.pop(key, None)

    # -- what the cores say ----------------------------------------------------------------------

    def _host_changed(self, host: Host, event: HostChanged) -> None:
        key = (event.topic, event.host)
        answered = event.state in _ANSWERED
        if answered and key not in self.ever:
            self._breaks(Violation.STRANGER, host, event.host, event.topic)
        news = self._open_news.get(key)
        if news is not None and answered and host.index in news.pending:
            news.pending.discard(host.index)
            news.seen.append(self.cluster.now - news.at)
            self._known(key, news)
        ending = self._open_endings.get(event.host)
        if ending is not None and not answered and host.index in ending.pending:
            ending.pending.discard(host.index)
            ending.seen.append(self.cluster.now - ending.at)
            self._close(ending)

    def _died(self, host: Host, event: MemberDied) -> None:
        subject = self._process(event.name)
        # A slow host reports late what it did.
        waited = max(0.0, host.core_time() - event.at)
        self.buried[host.label, event.name] = self.cluster.now - waited
        if subject is None or subject.node_name == host.node_name:
            self.true_deaths += 1
            return
        row = (self.cluster.now, host.label, event.name)
        if not self.well(event.name) or not self._leads_to(host, subject):
            self.true_deaths += 1
        elif self.well(host.node_name):
            self.false_by_well.append(row)
        else:
            self.false_by_ill.append(row)

    def _leads_to(self, host: Host, other: Host) -> bool:
        """Return whether a family leads from one host to another, or one that is well and has both.

        A host of IPv6 alone was 'healthy' for those of IPv4 while the only host with both was down.
        """
        ours, theirs = _families(host), _families(other)
        return bool(ours & theirs) or any(
            self.well(one.node_name) and _families(one) >= ours | theirs
            for one in self.cluster.live
        )

    def _suspected(self, host: Host, event: MemberSuspected) -> None:
        subject = self._process(event.name)
        if subject is not None and self.well(event.name):
            self.false_suspicions += 1
            if self.well(host.node_name):
                self._doubted.setdefault((host.label, event.name), self.cluster.now)

    def _refuted(self, host: Host, event: MemberRefuted | MemberReturned) -> None:
        since = self._doubted.pop((host.label, event.name), self.cluster.now)
        self._longest_doubt = max(self._longest_doubt, self.cluster.now - since)

    def _returned(self, host: Host, event: MemberReturned) -> None:
        """Check whether the dead return.

        A host that declared it dead before its end (being cut off, say) may hear evidence from in
        between, which is true, only late. One that did so afterwards must not, unless it was
        misled: a host whose sends or receives were stuck cannot always know how old the evidence is
        that it passes on.
        """
        self._refuted(host, event)
        for other in self.cluster.hosts:
            if other.node_name == event.name and other.boots:
                if other.up and other.core.generation == event.generation:
                    return
                if self.buried.get((host.label, event.name), -inf) < other.stopped_at:
                    return
        if self._misled(host, event.name):
            self.misled.add((host.node_name, event.name))
            return
        self._breaks(Violation.RESURRECTED, host, event.name)

    def _breaks(self, violation: Violation, host: Host, subject: str, topic: str = "") -> None:
        at, observer = self.cluster.now, host.label
        self.broken.append(
            Breach(violation=violation, at=at, observer=observer, subject=subject, topic=topic)
        )

    def _misled(self, host: Host, name: str) -> bool:
        """Return whether a host whose sends and receives were stuck holds it alive, or did.

        Possibly by the word of others that believed that host.
        """
        reporters = {one.reporter for one in host.why(name)[-1:] if one.kind == "returned"}
        since = self.cluster.now - self.grace
        for other in self.cluster.hosts:
            if (other.node_name, name) in self.misled and other.node_name in reporters:
                return True
            if other.up and (other.blocked or other.service or other.stuck_at > since):
                held = other.member(name)
                if other is host or (held is not None and held.status in _LIVE):
                    return True
        return False

    def _process(self, name: str) -> Host | None:
        """Return the running process of that node name, or None."""
        host = self.cluster.by_label.get(name)
        return host if host is not None and host.up else None

    # -- figures ---------------------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        """Return the measurements as plain numbers; missing ones were not part of the run."""
        out: dict[str, Any] = {
            "false_deaths_by_well": len(self.false_by_well),
            "false_deaths_by_ill": len(self.false_by_ill),
            "false_deaths": len(self.false_by_well) + len(self.false_by_ill),
            "deaths_seen": self.true_deaths,
            "false_suspicions": self.false_suspicions,
            "longest_false_suspicion": self._longest_doubt,
            "taken_back_by_misled": len(self.misled),
        }
        for how in ("crash", "leave"):
            of = [one for one in self.endings if one.how == how]
            if of:
                out |= _spread(f"{how}_seen", [t for one in of for t in one.times])
                out |= _spread(f"{how}_seen_by_all", [one.all_seen for one in of])
        if self.news:
            out |= _spread("registration_known", [t for one in self.news for t in one.times])
            out |= _spread("registration_known_to_all", [one.all_seen for one in self.news])
        return out


def _families(host: Host) -> set[int]:
    return {4} if host.socket is None else set(host.socket.families)


def _answers(host: Host, topic: str, name: str) -> bool:
    view = host.table.topic(topic)
    entry = view.entries.get(name) if view is not None else None
    return entry is not None and entry.state in _ANSWERED


def quantile(values: list[float], share: float) -> float:
    """Return the value below which a share of the sorted values lies (nearest rank)."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else inf


def _spread(name: str, values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        f"{name}_median": quantile(ordered, 0.5),
        f"{name}_p99": quantile(ordered, 0.99),
        f"{name}_max": ordered[-1] if ordered else inf,
    }
