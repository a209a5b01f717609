"""How a frame is put into a datagram: the seam for an encrypting envelope.

An envelope seals a frame into the bytes of a datagram and opens them again. ``overhead`` is what
it adds at most; packing leaves that much room, so that no datagram exceeds the limit.
"""

from __future__ import annotations

from typing import Protocol


class Envelope(Protocol):
    """What the core asks of an envelope."""

    #: Bytes added to a frame, at most.
    overhead: int

    def seal(self, frame: bytes) -> bytes:
        """Return the datagram for a frame."""

    def open_untrusted(self, data: bytes) -> bytes:
        """Return the frame of a datagram. Raises ``wire.Refused``."""


class PlainEnvelope:
    """No envelope: the frame is the datagram."""

    overhead = 0

    def seal(self, frame: bytes) -> bytes:
        """Return the frame itself."""
        return frame

    def open_untrusted(self, data: bytes) -> bytes:
        """Return the datagram itself."""
        return data
