"""The gossip interval: one exchange each, soon after joining a few more, and who sends a digest."""

from __future__ import annotations

from itertools import pairwise

from gossipmm.core.values.events import Joined
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, Packet, picks


def sent_by(mesh: Mesh, address: Address, kind: int, *, since: float = 0.0) -> list[Packet]:
    """Datagrams of one kind that a node sent."""
    return [p for p in mesh.sent if p.source == address and p.at >= since and p.frame.kind == kind]


def test_one_exchange_an_interval_more_or_less_by_the_jitter() -> None:
    """[P60]."""
    mesh = Mesh("a", gossip_interval=0.5, jitter=0.1)
    mesh.puppets("x")
    mesh.run(20)
    before = mesh["a"].heartbeat
    mesh.run(20)
    times = [p.at for p in sent_by(mesh, mesh["a"].addresses[0], wire.SYN, since=mesh.now - 20)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(0.45 <= gap <= 0.55 for gap in gaps)
    assert max(gaps) > 0.51
    assert min(gaps) < 0.49
    assert mesh["a"].heartbeat - before in range(len(times) - 1, len(times) + 2)


def test_who_has_just_joined_exchanges_faster_for_a_moment() -> None:
    """[P81]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    node = mesh.add("d")
    mesh.until(lambda: node.table.joined, step=0.001)
    joined = mesh.now
    mesh.run(3)
    times = [p.at - joined for p in sent_by(mesh, node.addresses[0], wire.SYN, since=joined)]
    assert len([at for at in times if at <= 0.5]) >= 4
    assert all(later - earlier > 0.4 for earlier, later in pairwise(t for t in times if t > 0.7))


def test_who_has_just_joined_asks_at_once_for_what_it_lacks() -> None:
    """Its transfer may have missed what came meanwhile.

    It does not wait for its table to stand still, nor for somebody to ask it [P81].
    """
    mesh = Mesh("a", "b")
    mesh.settle()
    node = mesh.add("c")
    mesh.until(lambda: bool(mesh.told("c", Joined)), step=0.001)
    joined = mesh.now
    mesh.rules["pushes"] = lambda p: p.target == node.addresses[0] and p.frame.kind == wire.NEWS
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.run(0.05)
    mesh.heal()
    mesh.until(lambda: picks(node, "t") == ("h",), within=0.45)
    assert [p for p in mesh.sent if p.at > joined and wire.OPT_DIGEST in p.frame.options]


def test_a_digest_is_sent_although_the_tables_change_all_the_time() -> None:
    """No fingerprint stood still: one registration in 2,000 took 5 s to reach all [P53]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(3)
    node = mesh["c"]
    lost = mesh["a"].addresses[0]
    mesh.rules["lost"] = lambda p: (
        p.target == node.addresses[0] and any(raw.startswith(b"\x85aa") for raw in p.pages)
    )
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.run(0.1)
    assert picks(node, "t") == ()
    assert picks(mesh["b"], "t") == ("h",)
    assert [p for p in mesh.lost if p.source == lost]
    mesh.heal()
    for turn in range(40):
        mesh["b"].register("u", f"h{turn}", now=mesh.now)
        mesh.run(0.1)
        assert mesh.now - node.table.changed_at < 0.2
        if picks(node, "t"):
            break
    assert picks(node, "t") == ("h",)
