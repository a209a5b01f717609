"""asyncio programs in a simulated cluster: the loop's time is the cluster's."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gossipmm_sim.engine.cluster import Cluster
from gossipmm_sim.engine.host import Host
from gossipmm_sim.loops.agents import STEP, Agents, AsyncioAgent

__all__ = ("run_asyncio",)

_T = TypeVar("_T")


def run_asyncio(
    cluster: Cluster, main: Callable[[Agents[AsyncioAgent]], Coroutine[Any, Any, _T]]
) -> _T:
    """Run ``main(agents)`` in a loop of its own, whose time is the cluster's; return its answer.

    ::

        def test_it(sim_cluster):
            cluster = sim_cluster(5, topic="compute")

            async def main(agents):
                cluster[4].crash()
                await asyncio.sleep(5)
                assert "n4" not in agents[0].topic("compute").fanout

            run_asyncio(cluster, main)

    While the program waits, time passes at once; so it does while it waits for a thread.
    """
    with asyncio.Runner(loop_factory=lambda: _Loop(cluster)) as runner:
        return runner.run(main(Agents(cluster, _agent)))


def _agent(cluster: Cluster, host: Host) -> AsyncioAgent:
    return AsyncioAgent(cluster, host, asyncio.sleep, asyncio.Event)


class _Loop(asyncio.SelectorEventLoop):
    """A loop that lets virtual time pass where another would wait."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        super().__init__(_Selector(cluster))

    def time(self) -> float:
        """Return the cluster's time."""
        return self._cluster.now


class _Selector(selectors.SelectSelector):
    """Lets virtual time pass instead of waiting for files."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; nothing: after a step, or so long as the loop has time."""
        ready = super().select(0)
        if not ready and (timeout is None or timeout > 0):
            self._cluster.advance(STEP if timeout is None else min(timeout, STEP))
        return ready
