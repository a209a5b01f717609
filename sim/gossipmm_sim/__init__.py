"""Simulated clusters of real cores: virtual time, one seed, every fault.

    from gossipmm_sim import Cluster

    cluster = Cluster(100, seed=7)
    cluster.boot()
    cluster.settle()
    cluster[3].crash()
    cluster.advance(5.0)

    from gossipmm_sim import Scenario, find, run

    result = run(find("crash_detected_within"), seed=1)
    assert result.ok, result.failures

The public names. Each is imported when it is first used: ``import gossipmm_sim`` loads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossipmm_sim.engine.cluster import Cluster, Traffic
    from gossipmm_sim.engine.host import Host
    from gossipmm_sim.errors import UsageError
    from gossipmm_sim.faults import Fault, parse_fault
    from gossipmm_sim.judge import Breach, Check, Violation, parse_check
    from gossipmm_sim.loops.agents import Agents, AsyncioAgent, TrioAgent
    from gossipmm_sim.loops.in_asyncio import run_asyncio
    from gossipmm_sim.loops.in_trio import in_trio
    from gossipmm_sim.runs.result import Result, Verdict
    from gossipmm_sim.runs.run import run
    from gossipmm_sim.runs.scenario import Scenario, find, load, scenarios
    from gossipmm_sim.search.swarm import swarm

__all__ = (
    "Agents",
    "AsyncioAgent",
    "Breach",
    "Check",
    "Cluster",
    "Fault",
    "Host",
    "Result",
    "Scenario",
    "Traffic",
    "TrioAgent",
    "UsageError",
    "Verdict",
    "Violation",
    "find",
    "in_trio",
    "load",
    "parse_check",
    "parse_fault",
    "run",
    "run_asyncio",
    "scenarios",
    "swarm",
)

#: Where the names come from.
_MODULES = {
    "gossipmm_sim.engine.cluster": "Cluster Traffic",
    "gossipmm_sim.engine.host": "Host",
    "gossipmm_sim.errors": "UsageError",
    "gossipmm_sim.faults": "Fault parse_fault",
    "gossipmm_sim.judge": "Breach Check Violation parse_check",
    "gossipmm_sim.loops.agents": "Agents AsyncioAgent TrioAgent",
    "gossipmm_sim.loops.in_asyncio": "run_asyncio",
    "gossipmm_sim.loops.in_trio": "in_trio",
    "gossipmm_sim.runs.result": "Result Verdict",
    "gossipmm_sim.runs.run": "run",
    "gossipmm_sim.runs.scenario": "Scenario find load scenarios",
    "gossipmm_sim.search.swarm": "swarm",
}
_ORIGIN = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _ORIGIN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_ORIGIN[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
