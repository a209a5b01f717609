"""Whatever order, loss and doubling: genuine pages end in one table, and forged ones nowhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipmm.core.identity.keys import Identity
from gossipmm.core.values.types import NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, encode_certificate_page
from gossipmm_sim.engine.signing import StandInSigner
from tests.core.certified_mesh import AUTHORITY, certified, issued
from tests.helpers import Mesh, held
from tests.identities import REQUIRE, seal, signing
from tests.puppets import Puppet

ENTRIES = [Registration(topic, host) for topic in ("t", "u") for host in ("h1", "h2")]


def pinned(name: str) -> Identity:
    """The owner's key is known before: of a name that nobody used the first key is its own."""
    return signing(REQUIRE, {"x": StandInSigner("x").public})(name)


def genuine(x: Puppet) -> list[Page]:
    """What the owner wrote, in order: pages of a higher version replace others."""
    pages = [
        x.page_zero(),
        x.page(1, ENTRIES[0]),
        x.page(1, *ENTRIES[:2]),
        x.page(2, ENTRIES[2]),
        x.page_zero(NodeState.DRAINING, metadata={"zone": "b"}),
        x.page(2),
        x.page(1, ENTRIES[1]),
    ]
    certificate = issued("x")
    return [*pages, encode_certificate_page("x", x.generation, 1, certificate.raw)]


def forged(x: Puppet, mesh: Mesh) -> list[Page]:
    """Pages of the same life and of others, under no key, another one, or a signature bent."""
    found: list[Page] = []
    for key in (None, seal("forger"), seal("x", 1), seal("x", cluster="other")):
        for generation in (x.generation, x.generation + 1, x.generation - 1):
            liar = Puppet(mesh, "x", ("10.9.9.9", 1), generation)
            liar.seal = key
            for version in (3, 900):
                found.append(liar.page_zero(NodeState.LEFT, version=version))
                found.append(liar.page(1, Registration("t", "evil"), version=version))
                found.append(liar.page(7, Registration("v", "evil"), version=version))
    good = x.page(1, ENTRIES[3], version=901)
    raw = good.raw[:-1] + bytes((good.raw[-1] ^ 1,))
    return [*found, good._replace(raw=raw)]


@pytest.mark.parametrize("give", [pinned, certified()], ids=["pinned", "certified"])
@given(data=st.data())
@settings(max_examples=60)
def test_genuine_pages_end_in_one_table_and_forged_ones_nowhere(
    give: Callable[[str], Identity], data: st.DataObject
) -> None:
    """[P3, P150, P151, P154, P155]."""
    mesh = Mesh("a", identity=give, wall=True)
    x = mesh.puppet("x")
    x.seal = seal("x")
    own, false = genuine(x), forged(x, mesh)
    last = {page.number: page for page in own}
    told = data.draw(st.lists(st.sampled_from([*own, *false]), max_size=30))
    told += data.draw(st.permutations(own))
    for place, page in enumerate(told):
        if data.draw(st.booleans()):
            x.say("a", pages=[page, told[place - 1]], options={wire.OPT_MORE: []})
        else:
            x.say("a", pages=[page], options={wire.OPT_MORE: []})
    x.say("a", pages=list(last.values()))  # what it asked for again: it comes in the end
    member = held(mesh["a"], "x")
    assert {number: page.raw for number, page in member.pages.items()} == {
        number: page.raw for number, page in last.items()
    }
    assert member.barred is None
    assert member.generation == x.generation
    assert AUTHORITY
