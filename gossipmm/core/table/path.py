"""What was measured of the addresses of one member: which of them lead there, and which do not."""

from __future__ import annotations

from math import inf

from gossipmm.core.values.types import Address

__all__ = ("Path",)


class Path:
    """The measurements of one member's addresses. Made for one that has several, or has trouble."""

    __slots__ = (
        "address",
        "answered",
        "differed",
        "failed",
        "lost",
        "of",
        "sources",
        "turns",
        "unreached",
        "version",
    )

    def __init__(self) -> None:
        #: The address in use, and what that choice was made for: the record's addresses, and the
        #: state of the families.
        self.address: Address = ("", 0)
        self.of: tuple[Address, ...] = ()
        self.version = -1
        #: When a question that went there was last answered, and when one was last not answered,
        #: or could not be sent.
        self.answered: dict[Address, float] = {}
        self.failed: dict[Address, float] = {}
        #: Probes in a row that only a helper could answer.
        self.unreached = 0
        #: IP addresses that it sends from and that its record does not name, as told; and when it
        #: last began or ended to.
        self.sources: tuple[str, ...] = ()
        self.differed = -inf
        #: True once that is told: no address of the member leads to it from here.
        self.lost = False
        #: Turns in the round since.
        self.turns = 0

    def works(self, address: Address) -> bool:
        """Return whether the last question to the address was answered."""
        return self.answered.get(address, -inf) > self.failed.get(address, -inf)

    def keep(self, addresses: tuple[Address, ...]) -> None:
        """Take the addresses of the record as it is now; forget what is not in it."""
        self.of = addresses
        self.version = -1
        for measured in (self.answered, self.failed):
            for address in [one for one in measured if one not in addresses]:
                del measured[address]
