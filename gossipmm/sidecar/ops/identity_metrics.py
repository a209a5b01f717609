"""Metrics of identities: how many members are ready for ``require``, and when certificates end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from gossipmm.core.values.types import IdentityState

if TYPE_CHECKING:
    from prometheus_client import Metric

    from gossipmm.agent import Agent

__all__ = ("identities",)


def identities(agent: Agent) -> Iterator[Metric]:
    """Yield them; nothing for an agent without an identity."""
    found = agent.identity.status()
    if found.mode == "off":
        return
    states = GaugeMetricFamily(
        "gossipmm_identities",
        "Live members, this one included, by what stands behind their names.",
        labels=("state",),
    )
    for state in IdentityState:
        states.add_metric((state.value,), found.members.get(state.value, 0))
    yield states
    for name, text, value in (
        (
            "gossipmm_identities_not_ready",
            "Members that agents with identity = require refuse: unsigned, or not certified.",
            len(found.not_ready),
        ),
        (
            "gossipmm_identities_in_conflict",
            "Names that somebody uses with another key than they have.",
            len(found.conflicts),
        ),
        (
            "gossipmm_identities_ending",
            "Members whose certificate ends within a week, or has ended.",
            len(found.ending),
        ),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    if found.expires is not None:
        yield GaugeMetricFamily(
            "gossipmm_certificate_left_seconds",
            "Seconds until this node's own certificate ends.",
            value=found.expires - time.time(),
        )
