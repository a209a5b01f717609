"""gossipmm: gossip-based membership and matchmaking for RPC hosts.

    async with gossipmm.open_agent(gossipmm.load_config()) as agent:
        agent.register("compute", "host-a")
        agent.queues("compute")

The public names. Each is imported when it is first used: ``import gossipmm`` alone loads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossipmm.agent import Agent, Watch, open_agent
    from gossipmm.config import PRESETS, Config
    from gossipmm.core.values.queries import QueryAsked
    from gossipmm.core.values.types import (
        EntryState,
        HostEntry,
        HostState,
        MemberView,
        NodeState,
        Registration,
        Status,
        TopicView,
    )
    from gossipmm.embed.matchmaker import MatchMakerGossip
    from gossipmm.errors import (
        AgentClosedError,
        AgentUnreachableError,
        BindError,
        ConfigError,
        ForkedError,
        GossipError,
        KeyringError,
        LimitError,
        RegistrationError,
        SeedError,
        WatchOverflowError,
    )
    from gossipmm.matchmaker import (
        FoundHost,
        Lookup,
        LookupStatus,
        MatchMakerException,
        TableMatchMaker,
    )
    from gossipmm.settings import load_config

    __version__: str

__all__ = (
    "PRESETS",
    "Agent",
    "AgentClosedError",
    "AgentUnreachableError",
    "BindError",
    "Config",
    "ConfigError",
    "EntryState",
    "ForkedError",
    "FoundHost",
    "GossipError",
    "HostEntry",
    "HostState",
    "KeyringError",
    "LimitError",
    "Lookup",
    "LookupStatus",
    "MatchMakerException",
    "MatchMakerGossip",
    "MemberView",
    "NodeState",
    "QueryAsked",
    "Registration",
    "RegistrationError",
    "SeedError",
    "Status",
    "TableMatchMaker",
    "TopicView",
    "Watch",
    "WatchOverflowError",
    "__version__",
    "load_config",
    "open_agent",
)

#: Where the names come from.
_MODULES = {
    "gossipmm.agent": "Agent Watch open_agent",
    "gossipmm.config": "PRESETS Config",
    "gossipmm.core.values.queries": "QueryAsked",
    "gossipmm.core.values.types": (
        "EntryState HostEntry HostState MemberView NodeState Registration Status TopicView"
    ),
    "gossipmm.embed.matchmaker": "MatchMakerGossip",
    "gossipmm.errors": (
        "AgentClosedError AgentUnreachableError BindError ConfigError ForkedError GossipError"
        " KeyringError LimitError RegistrationError SeedError WatchOverflowError"
    ),
    "gossipmm.matchmaker": "FoundHost Lookup LookupStatus MatchMakerException TableMatchMaker",
    "gossipmm.settings": "load_config",
}
_ORIGIN = {name: module for module, names in _MODULES.items() for name in names.split()}


if not TYPE_CHECKING:  # to a type checker any name would exist

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562)."""
        if name == "__version__":
            from gossipmm.version import installed_version

            value: object = installed_version()
        elif name in _ORIGIN:
            from importlib import import_module

            value = getattr(import_module(_ORIGIN[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
