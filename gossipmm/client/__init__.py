"""Clients of an agent's control API (``gossipmm agent``), for Python programs.

    from gossipmm.client import Client

    with Client() as agent:                # GOSSIPMM_CONTROL, or the only agent that runs here
        with agent.registered("compute", "host-a", ttl=10):
            agent.queues("compute")        # [("compute.host-b", "host-b")]

``Client`` blocks and needs the standard library alone: it works in threads, and under gevent and
eventlet, whose patched sockets and threads it uses. ``gossipmm.client.trio.TrioClient`` has the
same calls for Trio. Neither imports the agent.
"""

from gossipmm.client.blocking import Client
from gossipmm.client.place import Place, find

__all__ = ("Client", "Place", "find")
