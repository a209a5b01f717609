"""Trio programs in a simulated cluster: its virtual time follows Trio's clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from gossipmm_sim.engine.cluster import Cluster
from gossipmm_sim.engine.host import Host
from gossipmm_sim.loops.agents import STEP, Agents, TrioAgent

__all__ = ("in_trio",)


@asynccontextmanager
async def in_trio(cluster: Cluster) -> AsyncGenerator[Agents[TrioAgent], None]:
    """Let a cluster's time pass with Trio's for as long as the block runs; gives its agents.

    With Trio's autojump clock (pytest-trio's ``autojump_clock``) that takes no time::

        async def test_it(sim_cluster, autojump_clock):
            cluster = sim_cluster(5, topic="compute")
            async with in_trio(cluster) as agents:
                cluster[4].crash()
                await trio.sleep(5)
                assert "n4" not in agents[0].topic("compute").fanout
    """
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_follow, cluster)
            try:
                yield Agents(cluster, _agent)
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # That a nursery runs here is our affair: one error comes out as itself.
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None


def _agent(cluster: Cluster, host: Host) -> TrioAgent:
    return TrioAgent(cluster, host, trio.sleep, trio.Event)


async def _follow(cluster: Cluster) -> None:
    clock = cluster.clock
    ahead = trio.current_time() - clock.now
    while True:
        # The program may have begun something since: it begins a step late at most.
        due = clock.heap[0][0] if clock.heap else clock.now + STEP
        until = min(due, clock.now + STEP)
        await trio.sleep_until(ahead + until)
        # Up to that at least, or what is due then stays due for ever: sums of floats are not exact.
        clock.run_until(max(until, trio.current_time() - ahead))
