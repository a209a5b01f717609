"""SRV records by zone and weight, and which addresses a topic has then."""

import random
import re
from types import SimpleNamespace

import pytest

from gossipmm.sidecar.dns.zone import Zone
from tests.helpers import Mesh
from tests.sidecar.test_dns import OfMesh, ask, dig, needs_dig, register, texts
from tests.sidecar.test_dns import served as served

HOSTS = {
    "a": ("eu", {"port": 1}),
    "b": ("eu", {"port": 2, "weight": 50}),
    "c": ("us", {"port": 3, "weight": "25"}),
    "d": ("eu", {"port": 4, "weight": 0}),
}


def zone_with(hosts=HOSTS, **fields):
    """Return a mesh of hosts with zones and weights, and the zone as the first one serves it."""
    mesh = Mesh(**fields)
    for number, (name, (zone, metadata)) in enumerate(hosts.items()):
        mesh.add(name, address=(f"10.0.0.{number + 1}", 7946), metadata={"zone": zone})
        register(mesh, name, "web", metadata=metadata)
    mesh.settle()
    return mesh, Zone(OfMesh(mesh, next(iter(hosts))), "gossipmm.", random.Random(1))


def services(zone):
    """Target -> priority and weight."""
    found = [text.split() for text in texts(ask(zone, "_web._tcp.gossipmm.", "SRV"))]
    return {words[3][0]: (int(words[0]), int(words[1])) for words in found}


def addresses(zone):
    return sorted(texts(ask(zone, "web.gossipmm.")))


def test_weights_are_told_times_256_as_haproxy_reads_them():
    """All of them were 1, whatever the metadata said."""
    _, zone = zone_with()
    assert services(zone) == {"a": (0, 25_600), "b": (0, 12_800), "c": (0, 6_400), "d": (0, 0)}
    assert addresses(zone) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "none for weight 0"


def test_equal_weights_are_1_each():
    _, zone = zone_with({name: ("eu", {"port": 1, "weight": 7}) for name in "ab"})
    assert services(zone) == {"a": (0, 1), "b": (0, 1)}


def test_weights_beyond_16_bits_keep_their_proportion():
    weights = {"a": 1_000_000, "b": 250_000, "c": 1}
    _, zone = zone_with({name: ("", {"port": 1, "weight": one}) for name, one in weights.items()})
    assert services(zone) == {"a": (0, 65_535), "b": (0, 16_383), "c": (0, 1)}


def test_own_zone_has_the_lower_priority_number():
    mesh, zone = zone_with(prefer="zone")
    assert services(zone) == {"a": (0, 25_600), "b": (0, 12_800), "c": (1, 0), "d": (0, 0)}
    assert addresses(zone) == ["10.0.0.1", "10.0.0.2"]
    for name in ("a", "b"):
        mesh[name].drain("web", name, now=mesh.now)
        mesh.flush(name)
    mesh.run(1)
    assert services(zone) == {"c": (0, 1), "d": (0, 0)}
    assert addresses(zone) == ["10.0.0.3"]


def test_below_zone_spill_all_zones_have_one_priority():
    _, zone = zone_with(prefer="zone", zone_spill=3)
    assert {priority for priority, _ in services(zone).values()} == {0}
    assert len(addresses(zone)) == 3


def test_a_host_that_two_register_is_offered_once():
    hosts = {"a": ("eu", {"port": 1}), "b": ("us", {"port": 2})}
    mesh, zone = zone_with(hosts, prefer="zone")
    register(mesh, "b", "web", "alias", {"port": 1, "zone": "eu"})
    register(mesh, "b", "web", "other", {"port": 1})
    mesh.run(1)
    assert sorted(texts(ask(zone, "_web._tcp.gossipmm.", "SRV"))) == [
        "0 1 1 a.node.gossipmm.",
        "0 1 1 b.node.gossipmm.",
        "1 0 2 b.node.gossipmm.",
    ]


@needs_dig
async def test_dig_shows_priorities_and_weights(served):
    agent, listening = served
    agent.register("web", "a", {"port": 80, "weight": 3})
    agent.register("web", "alias", {"port": 81, "weight": 1})
    shown = await dig(listening[0], "+notcp", "+short", "_web._tcp.gossipmm.", "SRV")
    assert sorted(re.findall(r"^(\d+ \d+ \d+) a.node", shown, re.M)) == ["0 256 81", "0 768 80"]


@pytest.fixture(autouse=True)
def quiet(caplog):
    """Nothing here is worth a line in the log."""
    yield
    assert not caplog.records


def test_near_hosts_have_the_lower_priority_number():
    """[P183]: SRV records of hosts further away are for when none of the near ones answers."""
    hosts = {**HOSTS, "e": ("", {"port": 5, "weight": 0})}
    mesh, zone = zone_with(hosts, prefer="near")
    assert {priority for priority, _ in services(zone).values()} == {0}, "no distance is known"
    rtts = {"a": 0.0, "b": 0.004, "c": 0.08, "d": 0.001, "e": 0.09}
    known = SimpleNamespace(
        changed_at=1.0, of=lambda names: {one: rtts[one] for one in names if one in rtts}
    )
    mesh["a"].table.round_trips = known
    assert services(zone) == {
        "a": (0, 25_600),
        "b": (0, 12_800),
        "c": (1, 0),
        "d": (0, 0),
        "e": (1, 0),
    }
    assert addresses(zone) == ["10.0.0.1", "10.0.0.2"]
    mesh["a"].table.round_trips.of = lambda names: {"b": 0.04, "c": 0.2, "d": 0.001, "e": 0.06}
    known.changed_at += 60
    assert services(zone)["e"] == (0, 0), "near is by those that are picked, not by weight 0"
    assert services(zone)["c"] == (1, 0)
    rtts = {"c": 0.08, "e": 0.09}
    known.of = lambda names: {one: rtts[one] for one in names if one in rtts}
    known.changed_at += 60
    assert services(zone)["c"] == (0, 1), "those that are not known come last"
    assert addresses(zone) == ["10.0.0.3"]
