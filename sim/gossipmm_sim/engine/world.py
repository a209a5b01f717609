"""What a host sees of the cluster that it is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gossipmm_sim.engine.clock import Clock
from gossipmm_sim.engine.network import Network
from gossipmm_sim.engine.streams import Streams
from gossipmm_sim.engine.trace import Trace

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address

__all__ = ("World",)


class World:
    """Time, randomness and network, and where a host reports what happens."""

    clock: Clock
    streams: Streams
    trace: Trace
    network: Network
    own_clocks: bool
    #: How far its hosts go with identities of their own: off, announce, require.
    identity: str
    #: Called with (host, topic, registered host, True or False) as programs (un)register.
    on_register: list[Callable[[Any, str, str, bool], None]]

    def taken(self, address: Address) -> bool:
        """Return whether a host that is up has that address."""
        raise NotImplementedError

    def new_address(self) -> Address:
        """Give an address that nobody has had."""
        raise NotImplementedError

    def new_literal(self, family: int) -> str:
        """Give a literal of that family that nobody has had."""
        raise NotImplementedError

    def new_core(self, host: Any) -> Any:
        """Build a host's core for its next boot."""
        raise NotImplementedError

    def resolve_seeds(self, host: Any) -> list[Address] | None:
        """Resolve what a host joins by; None while the name service is down."""
        raise NotImplementedError

    def on_event(self, host: Any, event: Any) -> None:
        """Take what a core tells."""
        raise NotImplementedError

    def note(self, host: Any, what: str) -> None:
        """Write down what was done to a host."""
        raise NotImplementedError
