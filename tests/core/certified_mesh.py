"""Meshes of nodes that an authority certified, and what it issues."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gossipmm.core.identity.certificates import Certificate, Wanted, encode_certificate
from gossipmm.core.identity.keys import Identity, IdentityMode
from gossipmm.core.identity.revocations import Revocations, encode_revocations
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_certificate_page
from gossipmm_sim.engine.signing import StandInSigner
from tests.helpers import WALL, Mesh
from tests.identities import REQUIRE, identity_of, seal
from tests.puppets import Puppet

AUTHORITY = StandInSigner("authority")
NOW = WALL // 1000
DAY = 86_400


def issued(
    name: str, issue: int = 1, key: StandInSigner | None = None, **fields: Any
) -> Certificate:
    said = {"not_before": NOW - DAY, "expires": NOW + DAY, "cluster": "gossipmm", **fields}
    public = (key or StandInSigner(name)).public
    return encode_certificate(AUTHORITY, Wanted(name, public=public, issue=issue, **said))


def certified(mode: IdentityMode = REQUIRE, **of: Certificate | None) -> Callable[[str], Identity]:
    """Give each node a certificate, those in ``of`` another one, or none."""

    def give(name: str) -> Identity:
        found = of.get(name, issued(name))
        raw = found.raw if found is not None else None
        return identity_of(name, mode, authorities=(AUTHORITY.public,), certificate=raw)

    return give


def mesh_of(*names: str, mode: IdentityMode = REQUIRE, **of: Certificate | None) -> Mesh:
    mesh = Mesh(*names, identity=certified(mode, **of), wall=True)
    mesh.run(5)
    return mesh


def insider(mesh: Mesh, certificate: Certificate | None = None) -> Puppet:
    x = mesh.puppet("x")
    x.seal = seal("x")
    certificate = certificate or issued("x")
    page = encode_certificate_page("x", x.generation, certificate.issue, certificate.raw)
    for name in mesh.names():
        x.say(name, pages=[x.page_zero(), page], options={wire.OPT_MORE: []})
        x.prove(name)
    return x


def a_list(number: int, **least: int) -> Revocations:
    """A list of revocations."""
    return encode_revocations(
        AUTHORITY, cluster="gossipmm", number=number, least=least or {"gone": 2}
    )
