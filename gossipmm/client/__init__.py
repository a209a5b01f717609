"""Clients of an agent's control API (``gossipmm agent``), for Python programs.

    from gossipmm.client import Client

    with Client() as agent:                # GOSSIPMM_CONTROL, or the only agent that runs here
        with agent.registered("compute", "host-a", ttl=10):
            agent.queues("compute")        # [("compute.host-b", "host-b")]

``Client`` blocks and needs the standard library alone: it works in threads, and under gevent and
eventlet, whose patched sockets and threads it uses. ``gossipmm.client.trio.TrioClient`` has the
same calls for Trio. Neither imports the agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossipmm.client.blocking import Client
    from gossipmm.client.place import Place, find

__all__ = ("Client", "Place", "find")


if not TYPE_CHECKING:  # to a type checker any name would exist

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used: an agent has no use for a client."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        origin = "blocking" if name == "Client" else "place"
        value: object = getattr(import_module(f"{__name__}.{origin}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
