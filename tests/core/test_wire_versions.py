"""Nodes of two wire versions in one cluster: nobody is told what it does not read [P122]."""

from __future__ import annotations

import cbor2
import pytest

from gossipmm.core.values.types import NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_OWN_PAGE_ZERO, encode_page_zero, page_untrusted
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, held, picks

#: Speaks and announces wire version 1 only.
OLD = frozenset({Mechanism.WIRE_VERSION})
HERE = (("127.0.0.1", 7946),)


def test_page_zero_announces_the_wire_version() -> None:
    """[P122]."""
    mesh = Mesh("a")
    mesh.add("old", without=OLD)
    mesh.add("near", distances=True)
    mesh.settle()
    assert held(mesh["old"], "near").reads == wire.WIRE_VERSION
    assert held(mesh["old"], "a").reads == wire.WIRE_VERSION_WITHOUT
    assert held(mesh["a"], "old").reads == 1
    assert len(cbor2.loads(held(mesh["a"], "old").pages[0].raw)) == 7


@pytest.mark.parametrize("told", ["two", -1, True, None, [2], 1.5])
def test_an_announcement_that_is_not_understood_announces_nothing(told: object) -> None:
    page = cbor2.dumps(["a", 1 << 40, 0, 1, 0, [["127.0.0.1", 7946]], {}, None, told])
    assert page_untrusted(page).reads == 1


def test_an_announcement_never_takes_page_zero_above_its_limit() -> None:
    """An upgrade would have refused to start with metadata that was allowed before."""
    for size in range(MAX_OWN_PAGE_ZERO - 60, MAX_OWN_PAGE_ZERO - 30):
        metadata = {"m": "x" * size}
        plain = encode_page_zero("a", 1 << 40, 1, NodeState.UP, HERE, metadata)
        page = encode_page_zero("a", 1 << 40, 1, NodeState.UP, HERE, metadata, None, 2)
        fits = len(plain.raw) + 2 <= MAX_OWN_PAGE_ZERO
        assert page.reads == page_untrusted(page.raw).reads == (2 if fits else 1)
        assert len(page.raw) <= MAX_OWN_PAGE_ZERO
        if len(plain.raw) == MAX_OWN_PAGE_ZERO:
            return
    pytest.fail("no size came to the limit")


def mixed(seed: int = 1) -> Mesh:
    mesh = Mesh("new1", "new2", "new3", seed=seed)
    for name in ("old1", "old2", "old3"):
        mesh.add(name, without=OLD)
    mesh.settle()
    return mesh


def digests(mesh: Mesh) -> list[object]:
    options = [packet.frame.options for packet in mesh.sent]
    return [one[wire.OPT_DIGEST] for one in options if wire.OPT_DIGEST in one]


def test_tables_of_both_versions_that_agree_look_so_to_both() -> None:
    """One hash for all would have every pair of old and new exchange digests without end [P122]."""
    mesh = mixed()
    mesh.run(10)
    mesh.sent.clear()
    mesh.run(30)  # until each has exchanged with each since its table last changed
    assert {packet.frame.kind for packet in mesh.sent} == {wire.SYN, wire.ACK}
    for name in mesh.names():
        found = mesh[name].agreement()
        assert (found.agree, found.differ, found.unheard) == (5, (), 0)


@pytest.mark.parametrize("loser", ["new1", "old1"])
def test_what_was_lost_is_found_between_both_versions(loser: str) -> None:
    """Each way, and each asks with hashes that the other one reads [P122]."""
    mesh = mixed()
    mesh.run(3)
    others = [name for name in mesh.names() if name != loser]
    mesh.cut([loser], others)
    mesh[loser].register("t", "h", now=mesh.now)
    mesh.run(0.3)
    assert all(picks(mesh[name], "t") == () for name in others)
    mesh.sent.clear()
    mesh.heal()
    mesh.until(lambda: all(picks(mesh[name], "t") == ("h",) for name in others), within=5)
    mesh.settle()
    assert digests(mesh)


def test_each_is_shown_the_digests_that_it_reads() -> None:
    """[P122]."""
    mesh = mixed()
    new, old = mesh["new1"], mesh["old1"]
    for to, length in (("new2", 4), ("old1", 3)):
        mesh.sent.clear()
        new._parts.anti_entropy.send_digest(held(new, to))
        mesh.flush("new1")
        (digest,) = digests(mesh)
        assert isinstance(digest, list)
        assert len(digest) == length
        mesh.run(0.1)
        assert all(wire.OPT_WANT not in packet.frame.options for packet in mesh.sent)
    mesh.sent.clear()
    old._parts.anti_entropy.send_digest(held(old, "new1"))
    mesh.flush("old1")
    mesh.run(0.1)
    assert [len(one) for one in digests(mesh) if isinstance(one, list)] == [3]
    assert all(wire.OPT_WANT not in packet.frame.options for packet in mesh.sent)
