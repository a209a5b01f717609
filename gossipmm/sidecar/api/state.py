"""Shared by the endpoints: the agent, its events, and the conversion of times in answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite

from gossipmm.agent import Agent
from gossipmm.sidecar.api.monitors import Monitors
from gossipmm.sidecar.api.watch import Hub

__all__ = ("State",)


class State:
    """One sidecar. ``left`` is called once a leave that a client asked for has been answered."""

    def __init__(self, agent: Agent, left: Callable[[], None]) -> None:
        self.agent = agent
        self.left = left
        self.hub = Hub(agent, self.wall)
        self.monitors = Monitors(agent.name)
        self.hub.also = self.monitors.tell
        #: Where the API can be reached: paths of sockets, and URLs.
        self.control: list[str] = []

    def wall(self, at: float) -> float:
        """Return a core time as seconds since 1970."""
        return round(time.time() - (self.agent.now() - at), 3)

    def ago(self, at: float) -> float:
        """Return how long ago a core time was, in seconds."""
        return ago(self.agent.now(), at)

    def heard_ago(self, heard: float) -> float | None:
        """Return the age of evidence; None: there is none."""
        return self.ago(heard) if isfinite(heard) else None


def ago(now: float, at: float) -> float:
    """Return the seconds from ``at`` to ``now``, to the millisecond."""
    return round(max(0.0, now - at), 3) if isfinite(at) else 0.0
