"""Metrics of services and queries. No label names one of them: the number of series is fixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gossipmm.config_services import KINDS

if TYPE_CHECKING:
    from gossipmm.agent import Agent

__all__ = ("queries", "services")

_STATES = ("starting", "up", "unhealthy", "removed")
_CHECKS = ("starting", "passing", "failing")
_RESULTS = ("pass", "warn", "fail")


def queries(agent: Agent) -> Iterator[Metric]:
    """Yield what is counted of queries: asked, answered and passed on here."""
    counted = CounterMetricFamily("gossipmm_queries", "Queries, by what was done.", labels=("did",))
    for did, count in agent.answerers.queries().items():
        counted.add_metric((did,), count)
    yield counted
    text = "Runs of programs that answer queries, by how they ended."
    runs = CounterMetricFamily("gossipmm_query_runs", text, labels=("result",))
    for result in ("ok", "failed", "timeout"):
        runs.add_metric((result,), agent.answerers.counts().get(result, 0))
    yield runs


def services(agent: Agent) -> Iterator[Metric]:
    """Yield what is counted of an agent's services."""
    found = agent.services()
    states = Counter(one.state for one in found)
    gauge = GaugeMetricFamily("gossipmm_services", "Services of this agent.", labels=("state",))
    for state in _STATES:
        gauge.add_metric((state,), states[state])
    yield gauge
    checks = Counter(check.state for one in found for check in one.checks)
    gauge = GaugeMetricFamily("gossipmm_checks", "Checks of services.", labels=("state",))
    for state in _CHECKS:
        gauge.add_metric((state,), checks[state])
    yield gauge
    counts, flaps = agent.extras.counts()
    runs = CounterMetricFamily(
        "gossipmm_check_runs", "Runs of checks, by what they found.", labels=("kind", "result")
    )
    for kind in KINDS:
        for result in _RESULTS:
            runs.add_metric((kind, result), counts.get((kind, result), 0))
    yield runs
    handled = CounterMetricFamily(
        "gossipmm_handler_runs", "Runs of handlers, by how they ended.", labels=("result",)
    )
    for result in ("ok", "failed", "timeout"):
        handled.add_metric((result,), agent.extras.handler_counts().get(result, 0))
    yield handled
    text = "Times that a service changed so often that it was held unhealthy for a while."
    yield CounterMetricFamily("gossipmm_service_flaps", text, value=flaps)
