"""Network address translation in front of one host: which outside port stands for it, and how long.

The host's address is its translator's outside. What the host sends leaves from a port of the
translator's choice, and answers come in through that port until the mapping is forgotten. With
``forwarded`` (a published port), datagrams to the announced port come in as well, and an answer
within such a flow leaves from it, as Linux's connection tracking does it.

The port is the same to everybody (``cone``), another one to each remote address
(``per_destination``), or the announced one and a mapped one in turn (``alternating``), as where two
translators share the traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address

__all__ = ("KINDS", "Nat")

KINDS: Final = ("per_destination", "alternating", "cone")
#: Ports of mappings, used in turn.
_FIRST_PORT: Final = 20_000
_PORTS: Final = 40_000
_EVERYBODY: Final[Address] = ("", 0)


class Nat:
    """One translator. Times are virtual seconds."""

    __slots__ = ("_flows", "_made", "_mapped", "_turn", "forget", "forwarded", "kind")

    def __init__(self, kind: str, *, forget: float, forwarded: bool) -> None:
        self.kind = kind
        #: Seconds without a datagram after which a mapping is gone.
        self.forget = forget
        self.forwarded = forwarded
        #: Remote address (cone: everybody) -> [port outside, when it was used last].
        self._flows: dict[Address, list[float]] = {}
        #: Outside port -> whose flow it is.
        self._mapped: dict[int, Address] = {}
        self._made = 0
        self._turn = False

    def leaves(self, source: Address, target: Address, now: float) -> Address:
        """Translate the source of a datagram on its way out."""
        if self.kind == "alternating":
            self._turn = not self._turn
            if self._turn:
                return source
        remote = _EVERYBODY if self.kind == "cone" else target
        flow = self._flow(remote, now)
        if flow is None:
            port = _FIRST_PORT + self._made % _PORTS
            self._made += 1
            self._mapped[port] = remote
            flow = self._flows[remote] = [port, now]
        flow[1] = now
        return (source[0], int(flow[0]))

    def admits(self, source: Address, target: Address, own_port: int, now: float) -> bool:
        """Return whether a datagram from outside to ``target`` gets in; it keeps its flow alive."""
        if target[1] == own_port:
            if not self.forwarded:
                return False
            if self.kind == "per_destination" and self._flow(source, now) is None:
                self._flows[source] = [own_port, now]
        else:
            remote = self._mapped.get(target[1])
            if remote is None or remote not in (_EVERYBODY, source):
                return False
            if self._flow(remote, now) is None:
                return False
        flow = self._flow(_EVERYBODY if self.kind == "cone" else source, now)
        if flow is not None:
            flow[1] = now
        return True

    def _flow(self, remote: Address, now: float) -> list[float] | None:
        """Return a flow that has not been forgotten."""
        flow = self._flows.get(remote)
        if flow is not None and now - flow[1] > self.forget:
            del self._flows[remote]
            self._mapped.pop(int(flow[0]), None)
            return None
        return flow
