"""Two pages at one version: of a restored clone, or of an owner that says two things."""

from __future__ import annotations

import pytest

from gossipmm.core.table.table import Put, Table
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page
from tests.helpers import Mesh, Packet, held, picks
from tests.puppets import Puppet


def two_at_one_version(x: Puppet, number: int = 1) -> list[Page]:
    """Pages of one number and version, the one that counts first."""
    version = x.page(number).version
    pages = [x.page(number, Registration("t", host), version=version) for host in ("h1", "h2")]
    return sorted(pages, key=lambda page: page.digest, reverse=True)


@pytest.mark.parametrize("first", [0, 1])
def test_the_page_with_the_greater_digest_counts_whichever_came_first(first: int) -> None:
    """[P3]."""
    mesh = Mesh("a")
    x = mesh.puppet("x")
    pages = two_at_one_version(x)
    table = Table(mesh.config, Stats())
    outcomes = [table.put(page, 0.0)[0] for page in (pages[first], pages[1 - first])]
    assert outcomes == [Put.NEW, Put.KNOWN if first == 0 else Put.NEW]
    assert table.by_name["x"].pages[1].raw == pages[0].raw


def told_apart(mesh: Mesh, x: Puppet) -> list[Page]:
    """Half of the nodes are told one page of ``x``, half the other; nobody pushes them on."""
    pages = two_at_one_version(x)
    for place, name in enumerate(mesh.names()):
        page = pages[place % 2]
        x.say(name, pages=[page], options={wire.OPT_MORE: []})
        assert held(mesh[name], "x").pages[1].raw == page.raw
    return pages


def test_holders_of_two_pages_at_one_version_end_with_one_of_them() -> None:
    """Of 20 hosts ten listed one host and nine the other, and agreed: hashes were of versions.

    [P3, P52, P56]
    """
    mesh = Mesh("a", "b", "c", "d", "e", "f")
    mesh.settle()
    (x,) = mesh.puppets("x")
    mesh.run(2)
    pages = told_apart(mesh, x)
    names = mesh.names()
    assert len({mesh[name].table.fingerprint for name in names}) == 2
    mesh.until(lambda: len({mesh[name].table.fingerprint for name in names}) == 1, within=20)
    assert {held(mesh[name], "x").pages[1].raw for name in names} == {pages[0].raw}
    assert {picks(mesh[name], "t") for name in names} == {(pages[0].entries[0].host,)}


def test_who_asks_and_holds_the_greater_digest_is_asked_back() -> None:
    """[P56]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    (y,) = mesh.puppets("y")
    greater, lesser = two_at_one_version(y)
    y.say("a", pages=[lesser])
    mesh.run(0.1)
    vector = wire.vector({1: lesser.version})

    def answers(digests: bytes) -> list[Packet]:
        want = [y.key, vector, 1, 2, digests]
        return x.say("a", options={wire.OPT_WANT: [want]})

    back = answers(wire.packed_digests([greater.digest]))
    assert [key for p in back for key, *_ in p.frame.options.get(wire.OPT_WANT, ())] == [y.key]
    assert not [page for packet in back for page in packet.pages]
    same = answers(wire.packed_digests([lesser.digest]))
    # Who names no digests, as version 1 does, has the page.
    same += x.say("a", options={wire.OPT_WANT: [[y.key, vector, 1, 2]]})
    assert not [
        packet for packet in same if {wire.OPT_PAGES, wire.OPT_WANT} & packet.frame.options.keys()
    ]
    assert [page for p in answers(bytes(4)) for page in p.pages] == [lesser.raw]
