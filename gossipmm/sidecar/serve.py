"""The sidecar: an agent with a control API, in one nursery.

    async with gossipmm.open_agent(config) as agent, open_sidecar(agent) as sidecar:
        ...

The API outlives a leave: it answers until the block ends, and then lets running requests finish.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import trio

from gossipmm.addresses import parse_address
from gossipmm.agent import Agent
from gossipmm.client.owners import fault_of_folder
from gossipmm.client.place import NONE, VARIABLE, Place, default_folder, parse, socket_path
from gossipmm.errors import BindError, ConfigError
from gossipmm.sidecar.api.app import application
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.listening import listen_tcp, listen_unix
from gossipmm.sidecar.http.problems import refuse
from gossipmm.sidecar.http.server import MAX_CONNECTIONS, Server

__all__ = ("Sidecar", "open_sidecar")

#: File descriptors wanted; each connection takes one.
_FILES = 8192
#: Descriptors kept for the agent: sockets, resolving names, the state file.
_OWN_FILES = 128
#: Simultaneous connections for health (probes and scrapes), and at ``control_port``: whoever fills
#: one of them leaves the Unix socket as it is.
_HEALTH = 64
_TCP = 256

_log = logging.getLogger(__name__)


class Sidecar:
    """A control API that is being served."""

    def __init__(self, state: State, server: Server) -> None:
        self._state = state
        self._server = server

    @property
    def control(self) -> tuple[str, ...]:
        """Where it is served: paths of sockets, and URLs."""
        return tuple(self._state.control)

    @property
    def watchers(self) -> int:
        """Number of watchers at the moment."""
        return self._state.hub.watchers


@asynccontextmanager
async def open_sidecar(
    agent: Agent, *, left: Callable[[], None] = lambda: None
) -> AsyncGenerator[Sidecar, None]:
    """Serve an agent's control API for as long as the block runs, as its configuration says.

    ``left`` is called once a leave that a client asked for has been answered: end the agent then.
    Raises BindError when a path or port that was asked for cannot be had; the default path is
    only logged as missing.
    """
    state = State(agent, left)
    api = application(state)
    server = Server(api, refuse, most=_room_for_connections())
    async with AsyncExitStack() as stack:
        listeners = _listen_at_path(agent, state, stack)
        ports = []
        if agent.config.control_port:
            ports.append(listen_tcp(agent.config.control_port))
            stack.callback(ports[0].close)
            host, port = ports[0].getsockname()[:2]
            state.control.append(str(Place("", host, port)))
        health = []
        if agent.config.health_bind:
            host, port = parse_address(agent.config.health_bind, path="health_bind")
            health.append(listen_tcp(port, host, field="health_bind"))
            stack.callback(health[0].close)
        try:
            async with trio.open_nursery() as nursery:
                if agent.config.dns_port:
                    from gossipmm.sidecar.dns import responder

                    await nursery.start(responder.serve, agent)
                if agent.config.consul_port:
                    from gossipmm.sidecar.consul import serve as consul

                    await nursery.start(consul.serve, agent)
                agent.extras.context = lambda: {
                    "GOSSIPMM_CONTROL": state.control[0] if state.control else "",
                    "GOSSIPMM_EVENT_ID": state.hub.event_id,
                }
                nursery.start_soon(state.hub.run)
                nursery.start_soon(server.run, listeners)
                if ports:
                    beside = Server(api, refuse, most=_TCP)
                    nursery.start_soon(beside.run, ports)
                if health:
                    only = Server(application(state, only_health=True), refuse, most=_HEALTH)
                    nursery.start_soon(only.run, health)
                try:
                    yield Sidecar(state, server)
                finally:
                    state.hub.close(f"agent {agent.name} ends")
                    state.monitors.close(f"agent {agent.name} ends")
                    nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # That a nursery runs here is our affair: one error comes out as itself.
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None


def _listen_at_path(agent: Agent, state: State, stack: AsyncExitStack) -> list[socket.socket]:
    """Listen on the Unix socket, if there is to be one. Raises BindError."""
    try:
        if path := _path(agent):
            unix = listen_unix(path)
            stack.callback(unix.close)
            state.control.append(unix.path)
            return [unix.sock]
    except BindError as exc:
        if not agent.config.control:
            _log.warning("no control socket: %s", exc)
        elif os.environ.get(VARIABLE) == agent.config.control:
            # The shell that starts this agent may have exported it for the commands.
            raise BindError(f"{exc} (as {VARIABLE} says; --control overrides it)") from None
        else:
            raise
    return []


def _path(agent: Agent) -> str:
    """Path of the socket; empty: none. Raises BindError."""
    control = agent.config.control
    if control == NONE:
        return ""
    if "/" in control or control.endswith(".sock"):
        return control.removeprefix("unix:")
    # A stranger's folder: its owner could put another socket into the place of this one.
    if fault := fault_of_folder(default_folder()):
        raise BindError(f"control: {fault}: give a path")
    if control and not parse(control).path:
        words = f"{control!r} is neither a path nor a name: control_port serves a port"
        raise ConfigError(words, path="control")
    return socket_path(control or agent.name)


def _room_for_connections() -> int:
    """Return how many connections fit, leaving room for the agent's own files.

    Raises the soft limit of open files: it is often 1,024, for the sake of select().
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, soft - _OWN_FILES))
