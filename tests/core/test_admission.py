"""Who may speak, and how much: budgets by source, the allow list, bounded memory."""

from __future__ import annotations

import pytest

from gossipmm.config import Config
from gossipmm.core.sealing.admission import Admission
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.errors import ConfigError
from tests.helpers import Mesh, dropped
from tests.puppets import datagram

X = ("192.0.2.1", 1000)


def admission(**fields: object) -> Admission:
    return Admission(Config(**fields), 0.0)  # type: ignore[arg-type]


def read(door: Admission, count: int, now: float, source: tuple[str, int] = X) -> int:
    """How many of so many datagrams are read."""
    return sum(door.refuses(source, now) is None for _ in range(count))


def test_a_source_has_two_seconds_at_once_and_then_its_rate() -> None:
    """[P94]."""
    door = admission(source_rate=100.0)
    assert read(door, 500, 0.0) == 200
    assert door.refuses(X, 0.0) is Drop.SOURCE_RATE
    assert read(door, 500, 0.5) == 50
    assert read(door, 500, 100.0) == 200
    assert sum(read(door, 10, 200.0 + step / 100) for step in range(1000)) == pytest.approx(
        1200, abs=3
    )


def test_sources_are_told_apart_by_address_not_by_port() -> None:
    door = admission(source_rate=10.0)
    assert read(door, 50, 0.0) == 20
    assert read(door, 50, 0.0, (X[0], 2000)) == 0
    assert read(door, 50, 0.0, ("192.0.2.2", 1000)) == 20


def test_at_the_limit_of_sources_further_ones_share_one_budget() -> None:
    """[P94]."""
    door = admission(source_rate=10.0)
    hosts = [f"10.{n >> 8}.{n & 255}.1" for n in range(6000)]
    assert all(door.refuses((host, 1), 0.0) is None for host in hosts[:4096])
    assert sum(door.refuses((host, 1), 0.0) is None for host in hosts[4096:]) == 20
    assert len(door._sources) == 4096
    assert sum(door.refuses((host, 1), 5.0) is None for host in hosts[4096:]) == 6000 - 4096
    assert len(door._sources) <= 4096


def test_proved_addresses_are_bounded_and_the_first_one_goes() -> None:
    door = admission(max_members=1)
    for port in range(1, 2000):
        door.prove(("10.0.0.1", port), 0.0)
    assert len(door.proved) == 1024
    assert ("10.0.0.1", 1) not in door.proved
    assert ("10.0.0.1", 1999) in door.proved


def test_the_allow_list_comes_before_everything() -> None:
    """[P93]."""
    door = admission(allow=("10.0.0.0/8", "2001:db8::/32"))
    assert door.allows("10.1.2.3")
    assert door.allows("2001:db8::1")
    assert not door.allows("11.0.0.1")
    assert not door.allows("2001:db9::1")
    assert not door.allows("nonsense")
    assert door.refuses(("11.0.0.1", 5), 0.0) is Drop.NOT_ALLOWED
    door.prove(("11.0.0.1", 5), 0.0)
    assert door.proved == {}


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "here", ""])
def test_a_network_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="allow: .*write it like 10.0.0.0/8"):
        Config(allow=(text,))


# -- in a node -----------------------------------------------------------------------------------


def test_a_node_reads_nothing_from_outside_its_networks_and_no_record_that_points_there() -> None:
    """[P93]."""
    mesh = Mesh("a", allow=("10.0.0.0/24",))
    inside, outside = mesh.puppet("x"), mesh.puppet("y")
    assert mesh.deliver(outside.frame(wire.SYN, 0, probe=1), ("192.0.2.9", 7946), "a") == []
    assert dropped(mesh["a"], Drop.NOT_ALLOWED) == 1
    outside.addresses = (("192.0.2.9", 7946),)
    inside.introduce("a")
    inside.say("a", pages=[outside.page_zero()])
    assert dropped(mesh["a"], Drop.NOT_ALLOWED) == 2
    assert mesh["a"].member("x") is not None
    assert mesh["a"].member("y") is None


def test_a_flood_of_one_source_does_not_touch_the_members() -> None:
    mesh = Mesh("a", "b", source_rate=50.0)
    mesh.settle()
    mesh.run(2)
    answered = mesh["a"].stats.probes_answered
    for _turn in range(200):
        for _ in range(50):
            mesh["a"].receive_datagram(b"junk", ("192.0.2.66", 666), mesh.now)
        mesh.run(0.02)
    assert dropped(mesh["a"], Drop.MALFORMED) == pytest.approx(300, abs=10)
    assert dropped(mesh["a"], Drop.SOURCE_RATE) == pytest.approx(9700, abs=10)
    assert mesh["a"].stats.probes_answered - answered >= 2
    assert mesh["a"].stats.suspicions == 0


def test_a_borrowed_address_spends_nothing_of_its_owner() -> None:
    """Junk from a proved address is read (it costs more), so that nobody can silence a member.

    [P94]
    """
    mesh = Mesh("a", "b", source_rate=20.0, peer_rate=50.0)
    mesh.settle()
    mesh.run(2)
    for _ in range(1000):
        mesh["a"].receive_datagram(b"junk", mesh["b"].addresses[0], mesh.now)
    assert dropped(mesh["a"], Drop.MALFORMED) == 1000
    mesh.run(5)
    assert mesh["a"].stats.suspicions == 0
    assert dropped(mesh["a"], Drop.SOURCE_RATE) == dropped(mesh["a"], Drop.PEER_RATE) == 0


def test_a_member_has_a_budget_too() -> None:
    """[P94]."""
    mesh = Mesh("a", peer_rate=50.0)
    x = mesh.puppet("x").introduce("a")
    for _ in range(500):
        mesh["a"].receive_datagram(x.frame(wire.NEWS, 0), x.addresses[0], mesh.now)
    assert dropped(mesh["a"], Drop.PEER_RATE) == 400
    mesh.run(1)
    assert x.say("a", wire.SYN, probe=7)[0].frame.kind == wire.ACK


def test_datagrams_that_are_dropped_by_rate_are_counted_as_received() -> None:
    mesh = Mesh("a", source_rate=10.0)
    before = mesh["a"].stats.received_datagrams
    for _ in range(30):
        mesh.deliver(datagram(kind=wire.SYN, probe=1), ("192.0.2.66", 666), "a")
    assert mesh["a"].stats.received_datagrams == before + 30
    assert dropped(mesh["a"], Drop.SOURCE_RATE) == 10
