"""A stand-in for Ed25519: keys and signatures of the same sizes, at a hundredth of the time.

It proves nothing to anybody who breaks the rules: who knows a public key could compute signatures.
In a simulation nobody does, unless a fault is meant to; figures of time need the real one.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ("StandInSigner", "verify_stand_in")


class StandInSigner:
    """The key of a name: each name has one, and ``number`` others."""

    __slots__ = ("public",)

    def __init__(self, name: str, number: int = 0) -> None:
        data = f"{number}/{name}".encode()
        self.public = blake2b(data, digest_size=32, person=b"stand-in-key").digest()

    def sign(self, text: bytes) -> bytes:
        """Return 64 bytes that ``verify_stand_in`` takes for this key's signature."""
        return blake2b(text, key=self.public, digest_size=64).digest()


def verify_stand_in(public: bytes, text: bytes, signature: bytes) -> bool:
    """Return whether the stand-in of that key signed a text. Any bytes may be given."""
    return len(public) == 32 and blake2b(text, key=public, digest_size=64).digest() == signature
