"""A network that remembers its sockets, to close them in a forked child."""

from __future__ import annotations

from typing import Any

from gossipmm.agent.network import Network, Port

__all__ = ("Recording",)


class Recording:
    """Another network, and the ports that were bound in it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.ports: list[Port] = []

    def bind(self, host: str, port: int) -> Port:
        """Bind a socket, and remember it."""
        bound = self._network.bind(host, port)
        self.ports.append(bound)
        return bound

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)
