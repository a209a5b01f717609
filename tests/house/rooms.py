"""The room table: which part of the source may import which. ``tests/test_house.py`` walks it.

In each list a room may import the rooms before it, never those after it. The exceptions are a debt:
a test fails as soon as one of them is no longer needed, so these lists can only shrink.
"""

from __future__ import annotations

__all__ = ("CORE", "GOSSIPMM", "KNOWN_CIRCLES", "SIDECAR", "SIM", "UPWARDS")

#: Rooms of the package, from the bottom up.
GOSSIPMM = (
    "errors",
    "config",
    "addresses",
    "settings",
    "core",
    "keyfile",
    "client",
    "matchmaker",
    "agent",
    "embed",
    "sidecar",
    "cli",
    "__main__",
)

#: Rooms of ``gossipmm/core``.
CORE = (
    "values",
    "wire",
    "sealing",
    "table",
    "sending",
    "failure",
    "life",
    "sync",
    "receiver",
    "node",
)

#: Rooms of ``gossipmm/sidecar``: transport, what is served, and ``serve``, which puts it together.
SIDECAR = ("why", "http", "dns", "ops", "api", "page", "serve")

#: Rooms of ``sim/gossipmm_sim``.
SIM = (
    "errors",
    "values",
    "engine",
    "faults",
    "scenario",
    "judge",
    "run",
    "search",
    "report",
    "cli",
    "pytest_plugin",
    "__main__",
)

#: Imports that still point upwards: (module, what it imports).
UPWARDS = {
    ("gossipmm.matchmaker.gossip", "gossipmm.embed.patched"),
    ("gossipmm.matchmaker.gossip", "gossipmm.embed.thread"),
    ("gossipmm.core.failure.self_health", "gossipmm.core.life.reply_loss"),
    ("gossipmm.sidecar.http.router", "gossipmm.sidecar.api.problems"),
    ("gossipmm.sidecar.http.router", "gossipmm.sidecar.api.state"),
    ("gossipmm.sidecar.api.app", "gossipmm.sidecar.page.files"),
    ("gossipmm_sim.judge.checks", "gossipmm_sim.run"),
    ("gossipmm_sim.judge.result", "gossipmm_sim.run"),
    ("gossipmm_sim.judge.result", "gossipmm_sim.search.swarm"),
}

#: Files that import each other, directly or around a corner.
KNOWN_CIRCLES = {
    (
        "gossipmm.agent.agent",
        "gossipmm.agent.control",
        "gossipmm.agent.opening",
        "gossipmm.embed.thread",
        "gossipmm.matchmaker",
        "gossipmm.matchmaker.gossip",
    ),
    ("gossipmm.sidecar.api.agent", "gossipmm.sidecar.api.app"),
    (
        "gossipmm_sim.engine.cluster",
        "gossipmm_sim.engine.host",
        "gossipmm_sim.engine.matchmaker",
        "gossipmm_sim.engine.network",
        "gossipmm_sim.engine.shell",
    ),
    ("gossipmm_sim.judge.checks", "gossipmm_sim.judge.result", "gossipmm_sim.run"),
}
