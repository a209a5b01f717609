"""The trace hash: one number over every delivery and event of a run, in order.

Two runs with the same trace hash delivered the same bytes and saw the same kinds of events at the
same times. Deliveries are buffered and hashed in blocks, which costs about 0.2 us each; events are
few, and hashed by time, host and class name only.
"""

from __future__ import annotations

import sys
from array import array
from hashlib import blake2b
from typing import Final

__all__ = ("Trace",)

_BLOCK: Final = 1 << 16


class Trace:
    """A running BLAKE2b of deliveries (time, receiver, bytes) and events (time, host, text)."""

    __slots__ = ("_data", "_hash", "_times", "_who", "deliveries")

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)
        self._times = array("d")
        self._who = array("I")
        self._data = bytearray()
        self.deliveries = 0

    def delivery(self, when: float, receiver: int, data: bytes) -> None:
        """Add one datagram that a host has received."""
        self._times.append(when)
        self._who.append(receiver)
        self._data += data
        if len(self._data) > _BLOCK:
            self._flush()

    def event(self, when: float, host: int, text: str) -> None:
        """Add one event: what the core told its host, or what was done to it."""
        self._times.append(when)
        self._who.append(host)
        self._data += text.encode()

    def _flush(self) -> None:
        self.deliveries += len(self._times)
        if sys.byteorder == "big":
            self._times.byteswap()
            self._who.byteswap()
        self._hash.update(self._times.tobytes())
        self._hash.update(self._who.tobytes())
        self._hash.update(self._data)
        self._times = array("d")
        self._who = array("I")
        self._data = bytearray()

    def hexdigest(self) -> str:
        """Hash of everything so far, 32 hex digits; the run may go on afterwards."""
        self._flush()
        return self._hash.hexdigest()
