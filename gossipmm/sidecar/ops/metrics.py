"""``GET /metrics``: the core's plain integers in the text format of Prometheus.

Nothing is counted here. At each scrape, a collector reads what the core and the shell count anyway
into a registry of its own: no global state, and two agents in one process do not mix. No label ever
names a node, host or topic: the number of series is fixed (about 150), however large the cluster
grows and however often its members change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from gossipmm.agent.faults import CODES
from gossipmm.agent.verdict import VERDICTS
from gossipmm.core.values.stats import BOUNDS, Drop, Timing
from gossipmm.core.values.types import NodeState, Status
from gossipmm.core.wire.frame import KIND_NAMES
from gossipmm.version import installed_version

if TYPE_CHECKING:
    from gossipmm.agent import Agent

from gossipmm.sidecar.ops.distance_metrics import distances
from gossipmm.sidecar.ops.event_metrics import user_events
from gossipmm.sidecar.ops.identity_metrics import identities
from gossipmm.sidecar.ops.service_metrics import queries, services

__all__ = ("CONTENT_TYPE", "render")

#: What ``render`` returns: the text format that every Prometheus reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Label value -> type of event. Written out, because people's alerts use these names.
_MEMBER_EVENTS = {
    "joined": "MemberJoined",
    "restarted": "MemberRestarted",
    "suspected": "MemberSuspected",
    "refuted": "MemberRefuted",
    "died": "MemberDied",
    "returned": "MemberReturned",
    "crash_looping": "MemberCrashLooping",
    "left": "MemberLeft",
    "reaped": "MemberReaped",
    "moved": "AddressChanged",
    "conflicted": "NameConflict",
    "claimed": "NameClaimed",
    "other_key": "IdentityConflict",
    "equivocated": "Equivocating",
}


def render(agent: Agent) -> bytes:
    """Return all metrics of an agent, as they are now. Call it in the agent's own Trio run."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(agent))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collector(Collector):
    """Reads an agent when it is scraped; keeps nothing."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def describe(self) -> Iterable[Metric]:
        # Without this the registry would collect once at registration, to learn the names.
        return (self._build(),)

    def collect(self) -> Iterator[Metric]:
        agent = self._agent
        yield self._build()
        yield from self._cluster()
        yield from self._memory()
        yield from self._changes()
        yield from self._network()
        yield from self._health()
        yield from self._timings()
        yield _counter(
            "gossipmm_watchers_dropped",
            "Watchers of events dropped because they read too slowly.",
            agent.io_stats.watchers_dropped,
        )
        verdict = agent.status().verdict.name
        yield _labelled(
            GaugeMetricFamily,
            "gossipmm_verdict",
            "1 for what this agent is to be taken for, as gossipmm status says; the others are 0.",
            "verdict",
            {name: int(name == verdict) for name in VERDICTS},
        )
        yield _gauge(
            "gossipmm_isolated",
            "1 while this agent hears nobody, or lost most others at once.",
            int(verdict == "isolated"),
        )
        faults = agent.faults()
        yield _labelled(
            GaugeMetricFamily,
            "gossipmm_faults",
            "1 while something is wrong with this node or its machine, as gossipmm status says.",
            "fault",
            {code: int(code in faults) for code in CODES},
        )
        yield _counter(
            "gossipmm_seed_failures", "Resolutions of a seed that failed.", agent.seed_failures
        )

    @staticmethod
    def _build() -> Metric:
        text = "1, with the version that runs."
        version = {installed_version(): 1.0}
        return _labelled(GaugeMetricFamily, "gossipmm_build_info", text, "version", version)

    def _memory(self) -> Iterator[Metric]:
        agent = self._agent
        yield _gauge(
            "gossipmm_table_bytes",
            "Bytes of memory that the records of all members take, nearly; what is above the limit "
            "is refused.",
            agent.table.memory,
        )
        yield _gauge("gossipmm_table_limit_bytes", "Its limit, max_table.", agent.config.max_table)

    def _cluster(self) -> Iterator[Metric]:
        agent = self._agent
        members = agent.members()
        states = Counter(view.status for view in members)
        yield _labelled(
            GaugeMetricFamily,
            "gossipmm_members",
            "Members known here, this one included, by what this node holds of them.",
            "state",
            {status.label: states[status] for status in Status},
        )
        yield _gauge(
            "gossipmm_members_draining",
            "Members that are alive or suspected and say that they drain.",
            sum(
                view.node_state is NodeState.DRAINING
                and view.status in (Status.ALIVE, Status.SUSPECT)
                for view in members
            ),
        )
        found = agent.agreement()
        yield _labelled(
            GaugeMetricFamily,
            "gossipmm_agreement_peers",
            "Live peers whose table, as last heard, agrees with this one, differs, or was not "
            "heard yet.",
            "state",
            {"agrees": found.agree, "differs": len(found.differ), "unheard": found.unheard},
        )
        since = min((peer.since for peer in found.differ), default=None)
        yield _gauge(
            "gossipmm_agreement_differs_seconds",
            "How long the longest difference from a live peer lasts; 0 when all agree.",
            0.0 if since is None else max(0.0, agent.now() - since),
        )
        yield _gauge(
            "gossipmm_joined",
            "1 once this table agreed with a peer's, or when there is nobody to join.",
            int(agent.table.joined),
        )
        hosts = [len(view.entries) for view in list(agent.table.topics.values())]
        yield _gauge("gossipmm_topics", "Topics with at least one host.", sum(map(bool, hosts)))
        yield _gauge(
            "gossipmm_registrations",
            "Pairs of topic and host known here, in any state but gone.",
            sum(hosts),
        )
        yield _gauge(
            "gossipmm_own_registrations",
            "Registrations that this agent itself announces.",
            len(agent.registrations()),
        )
        yield _gauge(
            "gossipmm_own_registrations_unhealthy",
            "Registrations of this agent whose checks fail.",
            sum(own.state.unhealthy for own in agent.registrations()),
        )
        yield from services(agent)
        yield from queries(agent)
        yield from (*identities(agent), *user_events(agent), *distances(agent))

    def _changes(self) -> Iterator[Metric]:
        stats, told = self._agent.stats, self._agent.io_stats.events
        yield _labelled(
            CounterMetricFamily,
            "gossipmm_member_events",
            "What happened to members, as seen here.",
            "event",
            {label: told.get(kind, 0) for label, kind in _MEMBER_EVENTS.items()},
        )
        yield _counter(
            "gossipmm_member_flaps", "Returns of members that were held dead here.", stats.returns
        )
        yield _counter(
            "gossipmm_own_refutations",
            "Suspicions of this node itself that it had to refute.",
            stats.own_refutations,
        )
        yield _counter(
            "gossipmm_later_lives_asked",
            "Questions whether a later life that was announced of a live member answers.",
            stats.later_lives_asked,
        )
        yield _counter(
            "gossipmm_host_changes",
            "Changes of state of a host under a topic.",
            told.get("HostChanged", 0),
        )
        yield _counter(
            "gossipmm_registrations_expired",
            "Own registrations whose time to live ended without a renewal.",
            told.get("RegistrationExpired", 0),
        )

    def _network(self) -> Iterator[Metric]:
        stats, io = self._agent.stats, self._agent.io_stats
        for way, datagrams, size, kinds in (
            ("sent", stats.sent_datagrams, stats.sent_bytes, stats.sent_by_kind),
            ("received", stats.received_datagrams, stats.received_bytes, stats.received_by_kind),
        ):
            yield _counter(f"gossipmm_udp_{way}_bytes", f"UDP payload {way}.", size)
            yield _counter(f"gossipmm_udp_{way}_datagrams", f"Datagrams {way}.", datagrams)
            yield _labelled(
                CounterMetricFamily,
                f"gossipmm_messages_{way}",
                f"Messages {way}, by kind.",
                "kind",
                {**dict.fromkeys(KIND_NAMES.values(), 0), **kinds},
            )
        yield _labelled(
            CounterMetricFamily,
            "gossipmm_packets_dropped",
            "Datagrams, or parts of one, that were not acted on.",
            "reason",
            {reason.value: stats.dropped.get(reason, 0) for reason in Drop},
        )
        for way, errors in (("send", io.send_errors), ("receive", io.receive_errors)):
            yield _labelled(
                CounterMetricFamily,
                f"gossipmm_udp_{way}_errors",
                f"Errors of the socket at a {way}, by errno.",
                "errno",
                {name or "unknown": count for name, count in errors.items()},
            )

        yield _gauge(
            "gossipmm_small_paths",
            "Paths to members on which large datagrams are lost: what goes there is cut.",
            self._agent.health().small_paths,
        )
        yield _counter(
            "gossipmm_size_tests",
            "Tests of whether a path carries large datagrams.",
            stats.size_tests,
        )
        yield _counter(
            "gossipmm_frames_cut", "Frames sent in parts, on small paths.", stats.frames_cut
        )

    def _health(self) -> Iterator[Metric]:
        health = self._agent.health()
        yield _gauge(
            "gossipmm_queue_depth",
            "Members with changes that wait to be broadcast.",
            health.broadcasts,
        )
        yield _gauge(
            "gossipmm_health_score",
            "This node's own state: 0 well, 1 its timers are late, 2 it hears nobody, 3 both. "
            "Above 0 it holds its accusations.",
            health.slow + 2 * health.deaf,
        )
        yield _gauge(
            "gossipmm_impaired",
            "1 while most of what this node sends or is sent is lost: it is on probation.",
            int(health.impaired),
        )
        yield _gauge(
            "gossipmm_unheard_ratio",
            "Share of the last probes of this node whose sender had to ask a third time.",
            health.unheard,
        )
        yield _gauge(
            "gossipmm_missed_ratio",
            "Share of what is sent to this node that is lost, by the tries of probes it misses.",
            health.missed,
        )
        yield _gauge(
            "gossipmm_accusations_held",
            "Members that this node does not accuse now because it may itself be the one to blame.",
            health.held,
        )
        yield from self._losses()

    def _losses(self) -> Iterator[Metric]:
        stats, health = self._agent.stats, self._agent.health()
        yield _gauge(
            "gossipmm_members_slow",
            "Live members that said within the last two intervals that their timers fire late.",
            health.slow_peers,
        )
        yield _gauge(
            "gossipmm_probe_loss_ratio",
            "Share of answered probes that needed more than one try, smoothed.",
            health.loss,
        )
        yield _gauge(
            "gossipmm_round_trip_seconds", "Round trip to other members, smoothed.", health.rtt
        )
        yield _labelled(
            CounterMetricFamily,
            "gossipmm_probes",
            "Probes that ended: answered by the target, reached by a helper, or failed.",
            "result",
            {
                "answered": stats.probes_answered,
                "helped": stats.probes_helped,
                "failed": stats.probes_failed,
            },
        )
        yield _counter(
            "gossipmm_late_steps",
            "Pauses of this node itself of more than two intervals.",
            stats.late_steps,
        )

    def _timings(self) -> Iterator[Metric]:
        yield _histogram(
            "gossipmm_gossip_seconds",
            "One turn of the gossip: all waiting datagrams received, timers run, answers sent.",
            self._agent.io_stats.turns,
        )
        yield _histogram(
            "gossipmm_probe_seconds",
            "From the first try of a probe to the answer of its target.",
            self._agent.stats.probe_seconds,
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _labelled(
    family: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    text: str,
    label: str,
    values: Mapping[str, float],
) -> Metric:
    metric = family(name, text, labels=(label,))
    for key, value in values.items():
        metric.add_metric((key,), value)
    return metric


def _histogram(name: str, text: str, timing: Timing) -> Metric:
    bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
    buckets: Sequence[Any] = list(zip(bounds, accumulate(timing.counts), strict=True))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=timing.sum)
