"""A mesh of nodes that encrypt, each with a file of keys: what the shell does about them."""

from __future__ import annotations

import random
from typing import Any

from gossipmm.core.node import Node
from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.rotation_state import Phase
from gossipmm.core.values.types import Address
from tests.helpers import Mesh

OLD, NEW, OTHER = (Key(bytes((n,)), bytes(range(n, n + 32))) for n in (1, 2, 3))
RING = Keyring((OLD,))


class SealedMesh(Mesh):
    """``files`` has each node's keyring as it was written last; a restart reads it again."""

    def __init__(self, *names: str, ring: Keyring = RING, **fields: Any) -> None:
        self.ring = ring
        self.files: dict[str, Keyring] = {}
        #: Nodes that cannot write their file; and where each node was.
        self.full: set[str] = set()
        self.where: dict[str, Address] = {}
        super().__init__(*names, **fields)

    def add(self, name: str, **options: Any) -> Node:  # type: ignore[override]
        """Start a node with the keys of its file, at the address that it had."""
        address = options.pop("address", None) or self.where.get(name) or self.new_address()
        self.where[name] = address
        ring = self.files.setdefault(name, self.ring)
        self._count += 1
        rng = random.Random(f"{self._seed}/{name}/{self._count}")
        node = Node(
            self.config,
            name=name,
            addresses=(address,),
            generation=self.new_generation(),
            rng=rng,
            now=self.now,
            wall_ms=self.wall_ms() if self._knows_wall else None,
            envelope=CoseEnvelope(ring, self.config.cluster, rng),
            identity=self._identity(name),
        )
        seeds = [self[first].addresses[0] for first in self.names()[:3]]
        self._put(name, address, node)
        node.join(options.get("seeds", seeds), self.now)
        self.flush(name)
        return node

    def flush(self, name: str) -> None:
        """As a shell does: write the keys down when they changed, and say so."""
        super().flush(name)
        keys = self[name].keys
        if keys.unsaved and name not in self.full:
            assert keys.ring is not None
            self.files[name] = keys.ring
            keys.saved(keys.ring, self.now)
            super().flush(name)

    def reread(self, name: str, ring: Keyring) -> None:
        """The operator changed a file by hand and had the agent read it."""
        self.files[name] = ring
        self[name].keys.replace(ring, self.now)
        self.flush(name)

    def kids(self, name: str) -> list[str]:
        """Ids of the keys that a node uses, the sending one first."""
        ring = self[name].keys.ring
        assert ring is not None
        return [key.kid.hex() for key in ring.keys]

    def phase(self, name: str) -> Phase:
        """How far a node is."""
        ring = self[name].keys.ring
        assert ring is not None
        return ring.rotation.phase

    def done(self) -> bool:
        """True when all that are up have finished the same rotation."""
        rings = [self[name].keys.ring for name in self.names()]
        first = rings[0]
        assert first is not None
        same = all(ring is not None and ring.rotation == first.rotation for ring in rings)
        return same and bool(first.rotation.epoch) and not first.rotation.active
