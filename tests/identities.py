"""Meshes whose nodes have identities, and forgers that have the wrong ones.

The signatures are a stand-in's: same sizes, and nobody computes one who should not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gossipmm.core.identity.keys import Identity, IdentityMode
from gossipmm.core.identity.signed import seal_of
from gossipmm.core.values.types import MemberView
from gossipmm.core.wire.pages import Seal
from gossipmm_sim.engine.signing import StandInSigner, verify_stand_in
from tests.helpers import Mesh
from tests.puppets import Puppet

REQUIRE, ANNOUNCE = IdentityMode.REQUIRE, IdentityMode.ANNOUNCE


def identity_of(name: str, mode: IdentityMode = REQUIRE, **fields: Any) -> Identity:
    """The identity of a name, with the stand-in's signatures."""
    return Identity(mode, StandInSigner(name), verify_stand_in, **fields)


def signing(
    mode: IdentityMode = REQUIRE, pins: Mapping[str, bytes] | None = None
) -> Callable[[str], Identity]:
    """Give each node its identity by its name."""
    return lambda name: identity_of(name, mode, pins=pins or {})


def seal(name: str, number: int = 0, cluster: str = "gossipmm") -> Seal:
    """What signs the pages of a name; each ``number`` is another key."""
    return seal_of(StandInSigner(name, number), cluster)


def signed_mesh(*names: str, mode: IdentityMode = REQUIRE, **fields: Any) -> Mesh:
    """Nodes that all have identities, and agree."""
    mesh = Mesh(*names, identity=signing(mode), **fields)
    mesh.settle()
    return mesh


def in_the_name_of(mesh: Mesh, name: str, number: int | None = None) -> Puppet:
    """Somebody else that writes pages of a node's present life, under another key or none."""
    node = mesh[name]
    forger = mesh.puppet(f"forger of {name}", generation=node.generation)
    forger.name, forger.version = name, 1000
    forger.seal = seal("forger", number) if number is not None else None
    return forger


def view(mesh: Mesh, at: str, name: str) -> MemberView:
    """How a node shows a member."""
    found = mesh[at].member(name)
    assert found is not None
    return found
