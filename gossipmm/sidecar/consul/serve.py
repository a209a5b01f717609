"""Serves an agent's table to Consul's clients, at a port of its own."""

from __future__ import annotations

import logging

import trio

from gossipmm.addresses import format_address
from gossipmm.agent import Agent
from gossipmm.sidecar.consul.catalog import MOST_WAITING, Catalog
from gossipmm.sidecar.consul.router import application, text
from gossipmm.sidecar.http.listening import listen_tcp
from gossipmm.sidecar.http.server import Server

__all__ = ("serve",)

_LOOPBACK = "127.0.0.1"
_log = logging.getLogger(__name__)
#: Connections beside those whose requests wait.
_MORE = 256


async def serve(
    agent: Agent, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled. Tells where, ``host:port``. Raises BindError."""
    config = agent.config
    where = config.consul_bind or _LOOPBACK
    listener = listen_tcp(config.consul_port, where, field="consul_port")
    catalog = Catalog(agent)
    local = where in (_LOOPBACK, "::1")
    server = Server(application(agent, catalog, local=local), text, most=MOST_WAITING + _MORE)
    with listener:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(catalog.run)
                nursery.start_soon(server.run, [listener])
                host, port = listener.getsockname()[:2]
                _log.info("Consul's catalog is served at %s", format_address((host, port)))
                task_status.started(format_address((host, port)))
        finally:
            # Whoever waits is answered, so that the end waits for nobody.
            catalog.close()
