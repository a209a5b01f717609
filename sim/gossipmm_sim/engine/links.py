"""Everything that is wrong on the way from one host to another."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

__all__ = ("Link", "flip_bits")


class Link:
    """Everything wrong on the way from one host to another; the defaults are a healthy link.

    ``key`` tells it from other links: by hosts, and where hosts have several addresses, by the
    addresses ``source`` and ``target`` as well, which are empty otherwise.
    """

    __slots__ = (
        "burst",
        "corrupt",
        "cut",
        "duplicate",
        "extra",
        "key",
        "latency",
        "loss",
        "mtu",
        "rate",
        "rate_queue",
        "reorder",
        "replay",
        "rewrite",
        "source",
        "table",
        "target",
        "tells",
        "unseen",
    )

    def __init__(self, key: tuple[object, ...] = (), source: str = "", target: str = "") -> None:
        self.key = key
        self.source = source
        self.target = target
        self.cut = False
        self.loss = 0.0
        #: Gilbert-Elliott: (chance to enter a burst, to leave it, loss inside it), per datagram.
        self.burst: tuple[float, float, float] | None = None
        self.duplicate = 0.0
        #: (chance, at most this many seconds later)
        self.reorder: tuple[float, float] | None = None
        #: (chance, seconds later at most): an old datagram of this pair comes again
        self.replay: tuple[float, float] | None = None
        self.corrupt = 0.0
        #: Share of the changed datagrams that the checksum lets through.
        self.unseen = 1.0
        self.mtu = 65507
        #: What a sender learns of a datagram above ``mtu``: nothing; "error" (its system knows the
        #: path's size from then on, and its socket forbids fragments); "fragments" (allows them).
        self.tells = ""
        #: bytes a second, and bytes that may wait; the rest is dropped
        self.rate = 0.0
        self.rate_queue = 0.0
        self.extra = 0.0
        #: What another version of the program would have sent instead.
        self.rewrite: Callable[[bytes], bytes] | None = None
        self.latency = ""
        self.table: tuple[float, ...] | None = None

    def add_loss(self, p: float) -> None:
        """Lose a share ``p`` more: independent losses multiply what passes."""
        self.loss = 1.0 - (1.0 - self.loss) * (1.0 - p)


def flip_bits(data: bytes, stream: Random) -> bytes:
    """Change one to three bits."""
    changed = bytearray(data)
    for _ in range(1 + int(stream.random() * 3)):
        place = int(stream.random() * len(changed) * 8)
        changed[place >> 3] ^= 1 << (place & 7)
    return bytes(changed)
