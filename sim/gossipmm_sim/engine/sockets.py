"""A machine's addresses, and the socket that a process has bound on it.

As the agent's shell does it (``gossipmm.agent.binding``, ``gossipmm.agent.udp``): a process has one
socket. Bound to one address, it has that address's family and announces it. Bound to ``0.0.0.0``
(``any4``) or to ``[::]`` (``any``: both families), it hears on every address that the machine has
just then, sends from the machine's first one of the family, and announces one of each family, IPv6
before IPv4: the first one, and later the same for as long as the machine has it.

The name of the errno tells what Linux answers to a send that cannot leave.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address

__all__ = ("BINDS", "Socket", "family_of")

#: Ways to bind a socket, with its families in the order in which their addresses are announced.
BINDS: Final[dict[str, tuple[int, ...]]] = {"v4": (4,), "v6": (6,), "any4": (4,), "any": (6, 4)}


def family_of(literal: str) -> int:
    """Return 6 for an IPv6 literal, else 4."""
    return 6 if ":" in literal else 4


class Socket:
    """One UDP socket. Its machine's ``addresses`` change under it; the port does not."""

    __slots__ = ("addresses", "bind", "bound", "families", "port", "unrouted")

    def __init__(self, bind: str, addresses: Iterable[str], port: int) -> None:
        """Bind; the address bound to is the machine's first one of the family.

        Raises ValueError when the machine has none of the families of ``bind``.
        """
        self.bind = bind
        self.families = BINDS[bind]
        self.port = port
        #: Literals that the machine has, in the order in which it prefers them.
        self.addresses = list(addresses)
        #: Families for which the machine has no route at the moment.
        self.unrouted: set[int] = set()
        own = [one for one in self.addresses if family_of(one) in self.families]
        if not own:
            raise ValueError(f"no address of {', '.join(self.addresses)} is one for bind={bind}")
        #: The address bound to; empty for a wildcard.
        self.bound = "" if bind.startswith("any") else own[0]

    def first(self, family: int) -> str | None:
        """Return the address from which the machine sends in that family; None: it has none."""
        return next((one for one in self.addresses if family_of(one) == family), None)

    def announced(self, keep: Iterable[Address] = ()) -> tuple[Address, ...]:
        """Return what a process announces now; nothing: it has no address.

        An address of ``keep`` that the machine still has is preferred.
        """
        if self.bound:
            return ((self.bound, self.port),) if self.bound in self.addresses else ()
        kept = {family_of(one): one for one, _ in keep if one in self.addresses}
        routed = (None if f in self.unrouted else self.first(f) for f in self.families)
        found = [kept.get(f) or one for f, one in zip(self.families, routed, strict=True)]
        return tuple((literal, self.port) for literal in found if literal is not None)

    def hears(self) -> tuple[Address, ...]:
        """Return all addresses at which datagrams come to it now."""
        return tuple(
            (one, self.port)
            for one in self.addresses
            if (one == self.bound if self.bound else family_of(one) in self.families)
        )

    def reaches(self, target: Address) -> bool:
        """Return whether the socket has the family of that address."""
        return family_of(target[0]) in self.families

    def source(self, target: Address) -> Address | str:
        """Return the address that a datagram to ``target`` leaves from, or an errno."""
        family = family_of(target[0])
        if family not in self.families:
            return "EAFNOSUPPORT"
        first = self.first(family)
        if first is None or family in self.unrouted:
            return "ENETUNREACH"
        if self.bound and self.bound not in self.addresses and family == 4:
            return "EINVAL"  # IPv6 lets it leave, with a source address that nobody has any longer
        return (self.bound or first, self.port)
