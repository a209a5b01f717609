"""Records that are too large to be pushed: fetched from one peer, until they are whole [P136]."""

from __future__ import annotations

import pytest

from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import page_untrusted
from tests.helpers import Mesh, held, picks


def scene(hosts: int = 12) -> Mesh:
    """Nodes that agree, and have nothing to tell."""
    mesh = Mesh(*(f"n{number}" for number in range(hosts)))
    mesh.settle()
    mesh.run(5)
    mesh.sent.clear()
    return mesh


def register(mesh: Mesh, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        mesh["n0"].register("big", f"h{number}", {"x": "y" * 100}, now=mesh.now)


def complete(mesh: Mesh, count: int) -> bool:
    return all(len(picks(mesh[name], "big")) == count for name in mesh.names())


@pytest.mark.parametrize("count", [150, 1000, 2000])
def test_many_registrations_at_once_are_known_to_all_soon_and_come_once(count: int) -> None:
    """Above 100 pages a record was asked for in random parts, until one of them had nothing.

    1,000 registrations were known to all of 20 hosts after 0.7 to 3.8 s, 2,000 never within 15 s,
    and each page came twice [P136].
    """
    mesh = scene()
    register(mesh, count)
    mesh.until(lambda: complete(mesh, count), within=0.3)
    mesh.run(1)
    pages = len(held(mesh["n0"], "n0").pages) - 1
    came = sum(len(packet.pages) for packet in mesh.sent)
    assert pages * 11 <= came <= 1.05 * pages * 11
    assert len(mesh.sent) < 1.3 * pages * 11 + 300


def test_a_change_in_the_middle_of_a_large_record_is_found_part_by_part() -> None:
    """What differs may be in any part of a record: another one is asked for at once [P136]."""
    mesh = scene(3)
    register(mesh, 2000)
    mesh.until(lambda: complete(mesh, 2000), within=1)
    mesh.rules["no pushes"] = lambda packet: bool(packet.frame.kind == wire.NEWS and packet.pages)
    mesh["n0"].unregister("big", "h3", now=mesh.now)
    mesh.run(0.1)
    del mesh.rules["no pushes"]
    assert not complete(mesh, 1999)
    mesh.sent.clear()
    mesh.until(lambda: complete(mesh, 1999), within=5)
    digests = [p for p in mesh.sent if p.frame.options.get(wire.OPT_DIGEST, [0, b""])[1]]
    assert len(digests) <= 4


@pytest.mark.parametrize("share", [0.05, 0.25])
def test_what_is_lost_of_a_record_is_asked_for_again_at_once(share: float) -> None:
    """A burst with a gap waited for the next digest: at 25 % loss for 15 s and more [P136]."""
    mesh = scene()
    mesh.lose(share)
    register(mesh, 1000)
    mesh.until(lambda: complete(mesh, 1000), within=1 if share < 0.1 else 5)


def test_who_does_not_answer_is_replaced_by_another_one_that_told_the_same() -> None:
    """Story: the one of whom a record was being fetched crashed, and the rest waited for a digest.

    [P136]
    """
    mesh = Mesh("a", gossip_interval=20.0)
    big, one, other = mesh.puppets("big", "one", "other")
    row = wire.digest_row(big.key, held(mesh["a"], "big").k, wire.ALIVE, 0, b"sixsix")
    for puppet in (one, other):
        puppet.prove("a")
        puppet.say("a", options={wire.OPT_DIGEST: [0, b"", row]})
    mesh.run(0.001)
    assert [wire.OPT_WANT in frame.options for frame in other.heard] == []
    assert any(wire.OPT_WANT in frame.options for frame in one.heard)
    mesh.run(0.1)
    assert any(wire.OPT_WANT in frame.options for frame in other.heard)


def test_of_its_own_record_a_node_does_not_ask_who_lacks_some_of_it() -> None:
    """It asked, was asked back, and sent what the other one was already fetching [P136]."""
    mesh = scene(2)
    mesh.rules["n1 hears nothing"] = lambda packet: bool(packet.pages)
    mesh["n0"].register("t", "h", now=mesh.now)
    mesh.run(0.1)
    mesh.rules.clear()
    mesh.sent.clear()
    mesh.until(lambda: picks(mesh["n1"], "t") == ("h",), within=5)
    wants = [p for p in mesh.sent if wire.OPT_WANT in p.frame.options]
    (key,) = {want[0] for packet in wants for want in packet.frame.options[wire.OPT_WANT]}
    assert key == held(mesh["n0"], "n0").key
    assert {p.source for p in wants} == {held(mesh["n0"], "n1").addresses[0]}
    assert [page_untrusted(raw).number for p in mesh.sent for raw in p.pages] == [1]
