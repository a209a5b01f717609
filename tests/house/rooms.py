"""The room table: which part of the source may import which. ``tests/test_house.py`` walks it.

In each list a room may import the rooms before it, never those after it. The exceptions are a debt:
a test fails as soon as one of them is no longer needed, so these lists can only shrink.
"""

from __future__ import annotations

__all__ = ("CORE", "GOSSIPMM", "KNOWN_CIRCLES", "PUBLISHED", "SIDECAR", "SIM", "UPWARDS")

#: Rooms of the package, from the bottom up.
GOSSIPMM = (
    "errors",
    "version",
    "mechanisms",
    "names",
    "addresses",
    "publickeys",
    "config_values",
    "config_tables",
    "config_handlers",
    "config_services",
    "config_fields",
    "config_identity",
    "config_ranges",
    "config",
    "settings",
    "core",
    "events",
    "text",
    "secretfile",
    "keyfile",
    "identityfile",
    "authority",
    "answers",
    "client",
    "matchmaker",
    "services",
    "agent",
    "embed",
    "sidecar",
    "cli",
    "verbs",
    "__main__",
)

#: Rooms of ``gossipmm/core``.
CORE = (
    "values",
    "wire",
    "identity",
    "sealing",
    "distances",
    "table",
    "sending",
    "failure",
    "life",
    "sync",
    "messages",
    "parts",
    "receiver",
    "views",
    "node",
)

#: Rooms of ``gossipmm/sidecar``: transport, what is served, and ``serve``, which puts it together.
SIDECAR = ("http", "dns", "consul", "ops", "page", "api", "serve")

#: Rooms of ``sim/gossipmm_sim``.
SIM = (
    "errors",
    "values",
    "engine",
    "faults",
    "judge",
    "runs",
    "search",
    "report",
    "loops",
    "cli",
    "pytest_plugin",
    "__main__",
)

#: Imports that still point upwards: (module, what it imports).
UPWARDS: set[tuple[str, str]] = set()

#: Names that are published by a room although they live above it: (module, where they live). They
#: are for programs; no code of the package may use them, so the imports of such a module are not
#: part of the graph.
PUBLISHED = {
    # ``rpc_zmq_matchmaker = gossipmm.matchmaker.MatchMakerGossip`` in configuration files.
    ("gossipmm.matchmaker", "gossipmm.embed.matchmaker"): "MatchMakerGossip",
}

#: Files that import each other, directly or around a corner.
KNOWN_CIRCLES: set[tuple[str, ...]] = set()
