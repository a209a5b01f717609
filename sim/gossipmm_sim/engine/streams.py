"""Named child random streams from one seed.

Each consumer draws from a stream of its own (``net/n003``, ``node/n003/1``), so that a draw added
in one place moves no other place's numbers, and the same seed gives the same run on any Python.
"""

from __future__ import annotations

import random
from hashlib import blake2b

__all__ = ("Streams", "child_seed")


def child_seed(seed: int, name: str) -> int:
    """Derive the seed of the stream ``name``: 64 bits of BLAKE2b of the text."""
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class Streams:
    """A factory of independent streams: ``streams("net/n003")`` is a new ``random.Random``."""

    __slots__ = ("seed",)

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, name: str) -> random.Random:
        """Begin the stream of that name; calling it twice gives the same numbers twice."""
        return random.Random(child_seed(self.seed, name))
