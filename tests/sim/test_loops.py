"""Programs of Trio and asyncio in a simulated cluster: one time, and the verbs of their agents."""

from __future__ import annotations

import asyncio
import inspect
import re
from typing import Any

import pytest
import trio

from gossipmm.agent.agent import Agent
from gossipmm.core.values.events import HostChanged, MemberDied
from gossipmm.embed.asyncio import AsyncAgent
from gossipmm.errors import WatchOverflowError
from gossipmm.verbs import VERBS, Face
from gossipmm_sim import Cluster, in_trio, run_asyncio
from gossipmm_sim.loops.agents import AsyncioAgent, TrioAgent

#: What a simulated agent has not, and where that is.
ABSENT = {
    **dict.fromkeys(["status", "faults", "seed_trouble", "seed_failures"], "of a machine"),
    **dict.fromkeys(
        ["keys", "io_stats", "event_stats", "coordinate", "bound", "addresses", "generation"],
        "the host",
    ),
    **dict.fromkeys(["join", "seeds_tried"], "host.seeds"),
    **dict.fromkeys(["tell", "end", "leaving", "registration"], "of those that run an agent"),
}


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster(5, seed=7, label="n{}")
    for host in found:
        host.register("compute")
    found.boot()
    found.settle()
    return found


@pytest.mark.parametrize(("kind", "real"), [(TrioAgent, Agent), (AsyncioAgent, AsyncAgent)])
def test_a_program_cannot_tell_it_from_a_real_agent(kind: type, real: type) -> None:
    """``sim_cluster`` had only blocking calls: a program of a loop could not be tested with it."""

    def shape(method: Any) -> tuple[bool, list[Any]]:
        found = list(inspect.signature(method).parameters.values())[1:]
        return inspect.iscoroutinefunction(method), [
            (each.name, each.kind, each.default, re.sub(r"\bNodeId\b", "str", str(each.annotation)))
            for each in found
        ]

    not_simulated = {verb.name for verb in VERBS if Face.SIMULATOR in verb.absent}
    for name, method in vars(real).items():
        if name.startswith("_") or name in ABSENT:
            continue
        if name in not_simulated and not hasattr(kind, name):
            continue  # the list of verbs says why
        here = inspect.getattr_static(kind, name)
        assert isinstance(here, property) is isinstance(method, property), name
        if not isinstance(method, property):
            assert shape(here) == shape(method), name


async def test_trio_and_the_cluster_have_one_time(cluster: Cluster, autojump_clock: Any) -> None:
    began, there = trio.current_time(), cluster.now
    async with in_trio(cluster) as agents:
        agent = agents[0]
        agent.register("volume", metadata={"port": 1})
        with trio.fail_after(1):
            while not agents["n4"].queues("volume"):
                await trio.sleep(0.01)
        with agent.watch(MemberDied, members=["n4"]) as watch:
            cluster["n4"].crash()
            with trio.fail_after(10):
                assert (await anext(watch)).name == "n4"
        assert await agents[1].wait_joined(1.0)
        assert (agent.name, len(agents), [each.name for each in agents][4]) == ("n0", 5, "n4")
        agreement = agent.agreement()
        assert agreement.agree + len(agreement.differ) + agreement.unheard == 3
        assert agent.lookup("compute").hosts
        assert agent.heard(["n1", "nobody"]).keys() == {"n1"}
        assert (await agents[3].leave()).told > 0
    assert cluster.now - there == pytest.approx(trio.current_time() - began, abs=0.011)


def test_asyncio_and_the_cluster_have_one_time(cluster: Cluster) -> None:
    async def main(agents: Any) -> str:
        loop = asyncio.get_running_loop()
        assert loop.time() == cluster.now
        agent = agents[0]
        await agent.register("volume")
        async with asyncio.timeout(1):
            while not agents[4].queues("volume"):
                await asyncio.sleep(0.01)
        async with agent.watch("member_died") as watch:
            cluster[4].crash()
            async with asyncio.timeout(10):
                event = await anext(watch)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        assert await agents[1].wait_joined()
        agreement = await agent.agreement()
        assert agreement.agree + len(agreement.differ) + agreement.unheard == 3
        assert (await agents[3].leave()).told > 0
        return str(event.name)

    there = cluster.now
    assert run_asyncio(cluster, main) == "n4"
    assert 5 < cluster.now - there < 16


async def test_who_cannot_join_is_told_so_in_time(autojump_clock: Any) -> None:
    cluster = Cluster(2, seed=1)
    cluster.cut([0], [1])
    cluster.boot()
    async with in_trio(cluster) as agents:
        began = trio.current_time()
        assert not await agents[1].wait_joined(3.0)
        assert trio.current_time() - began == pytest.approx(3.0, abs=0.02)


async def test_a_watch_that_falls_behind_is_told_so(cluster: Cluster, autojump_clock: Any) -> None:
    async with in_trio(cluster) as agents:
        watch = agents[0].watch(HostChanged, topics=["volume"], buffer=1)
        agents[1].register("compute", "elsewhere")
        agents[1].register("volume", "one")
        agents[1].register("volume", "two")
        await trio.sleep(1)
        assert (await anext(watch)).topic == "volume"
        with pytest.raises(WatchOverflowError, match="more than 1 events behind"):
            await anext(watch)
        watch.close()
        again = agents[0].watch()
        await again.aclose()
        assert [event async for event in again] == []


async def test_an_error_of_the_program_comes_out_as_itself(
    cluster: Cluster, autojump_clock: Any
) -> None:
    with pytest.raises(KeyError):
        async with in_trio(cluster) as agents:
            _ = agents["nobody"]


def test_a_host_has_one_label_whatever_the_size() -> None:
    """``n1`` of five hosts was ``n01`` of eleven: a test that grew had to be written anew."""
    assert [host.label for host in Cluster(11, label="n{}")][::10] == ["n0", "n10"]
    assert [host.label for host in Cluster(11)][::10] == ["n00", "n10"]


def test_the_clocks_of_a_host_are_set() -> None:
    cluster = Cluster(1, seed=1)
    cluster.boot()
    host = cluster[0]
    wall, core = host.wall_ms(), host.core_time()
    host.change_clock(rate=2.0, jump=5.0, wall=-60.0)
    assert host.wall_ms() - wall == -60_000
    cluster.advance(1)
    assert host.core_time() - core == pytest.approx(7.0)
