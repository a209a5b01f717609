"""Metrics of this node's coordinate: how far it trusts it, and how far it is from the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from prometheus_client import Metric

    from gossipmm.agent import Agent

__all__ = ("distances",)


def distances(agent: Agent) -> Iterator[Metric]:
    """Yield them; nothing where this node keeps no coordinate, or has measured nobody yet."""
    own = agent.coordinate
    if own is None:
        return
    yield GaugeMetricFamily(
        "gossipmm_distance_error_ratio",
        "Share by which round trips that are estimated from this node's coordinate are usually "
        "wrong.",
        own.error,
    )
    yield GaugeMetricFamily(
        "gossipmm_distance_height_seconds",
        "What this node's coordinate adds to the round trip to any other member.",
        own.height,
    )
