"""A pytest plugin: simulated clusters with matchmakers, for the tests of your own RPC system.

Installed with gossipmm; nothing of the simulator is imported until a test asks for the fixture::

    def test_router_survives_a_partition(sim_cluster):
        cluster = sim_cluster(5, topic="compute")       # five hosts that know each other
        router = MyRouter(cluster[0].matchmaker)        # any code that takes a matchmaker
        cluster.cut([0, 1], [2, 3, 4])
        cluster.advance(10)                             # virtual seconds: milliseconds of yours
        assert router.route("compute") in ("n0", "n1")
        cluster.heal()
        cluster.settle()
        assert len(cluster[0].queues("fanout~compute")) == 5

The seed comes from the test's own name, so that a test is the same each time; ``--sim-seed`` sets
another one, and a failing test says which it had. ``gossipmm_sim.Cluster`` documents everything a
cluster can do; ``gossipmm_sim.in_trio`` and ``run_asyncio`` run a program of those loops in it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gossipmm.config import Config
    from gossipmm_sim.engine.cluster import Cluster

__all__ = ("pytest_addoption", "pytest_runtest_makereport", "sim_cluster")

_SEEDS = pytest.StashKey[list[int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--sim-seed``."""
    group = parser.getgroup("gossipmm")
    group.addoption(
        "--sim-seed",
        type=int,
        default=None,
        metavar="SEED",
        help="seed of the simulated clusters (default: from each test's name)",
    )


@pytest.fixture
def sim_cluster(request: pytest.FixtureRequest) -> Callable[..., Cluster]:
    """Make clusters: ``sim_cluster(hosts, topic=..., config=..., latency=..., seed=...)``.

    The hosts ``n0``, ``n1`` ... are up, registered under ``topic`` (None: not at all) by their own
    names, and agree with each other. ``boot=False`` leaves them down.
    """
    from gossipmm_sim.engine.cluster import Cluster
    from gossipmm_sim.engine.streams import child_seed

    seeds = request.node.stash.setdefault(_SEEDS, [])
    given: int | None = request.config.getoption("--sim-seed")

    def make(
        hosts: int = 3,
        *,
        topic: str | None = "service",
        config: Config | None = None,
        latency: str = "lan",
        seed: int | None = None,
        boot: bool = True,
    ) -> Cluster:
        if seed is None:
            seed = given if given is not None else child_seed(0, request.node.nodeid) % 1_000_000
        seeds.append(seed)
        cluster = Cluster(hosts, seed=seed, config=config, latency=latency, label="n{}")
        if topic is not None:
            for host in cluster:
                host.register(topic)
        if boot:
            cluster.boot()
            cluster.settle()
        return cluster

    return make


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add to a failing test's report how to repeat it."""
    outcome = yield
    report = outcome.get_result()
    seeds = item.stash.get(_SEEDS, [])
    if report.when == "call" and report.failed and seeds:
        text = f"seed {seeds[0]}; repeat: pytest '{item.nodeid}' --sim-seed {seeds[0]}"
        report.sections.append(("gossipmm simulation", text))
