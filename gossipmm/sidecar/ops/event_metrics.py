"""Metrics of user events: how many were sent, told, lost and refused here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

if TYPE_CHECKING:
    from prometheus_client import Metric

    from gossipmm.agent import Agent

__all__ = ("user_events",)


def user_events(agent: Agent) -> Iterator[Metric]:
    """Yield them."""
    stats = agent.event_stats
    counted = CounterMetricFamily(
        "gossipmm_user_events",
        "User events by what became of them here: sent, delivered, filtered (not meant for this "
        "member), repeated, lost, refused (of other members), over_budget (refused to programs "
        "here), forgotten for want of memory.",
        labels=("result",),
    )
    for result, count in (
        ("sent", stats.sent),
        ("delivered", stats.delivered),
        ("filtered", stats.filtered),
        ("repeated", stats.repeated),
        ("lost", stats.lost),
        ("refused", stats.refused),
        ("over_budget", stats.over_budget),
        ("forgotten", stats.forgotten),
    ):
        counted.add_metric((result,), count)
    yield counted
