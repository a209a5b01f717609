"""Zones of hosts, and weights, as readers of the table see them [P8, P9]."""

from __future__ import annotations

from typing import Any

from gossipmm.core.values.hosts import Hosts, weighed
from gossipmm.core.values.types import EntryState, NodeState, Registration, TopicView
from gossipmm.core.wire.pages import encode_page_zero
from tests.core.test_topic_views import GENERATION, page, put, table_of
from tests.helpers import Mesh


def view(mesh: Mesh, at: str = "a") -> TopicView:
    found = mesh[at].table.topic("t")
    assert found is not None
    return found


def zones(mesh: Mesh, at: str = "a") -> dict[str, str]:
    return {host: entry.zone for host, entry in view(mesh, at).entries.items()}


def mesh_of(**metadata: Any) -> Mesh:
    mesh = Mesh("a", "b", metadata=metadata)
    mesh.settle()
    for name in mesh.names():
        mesh[name].register("t", name, now=mesh.now)
    mesh.run(1)
    return mesh


def test_a_host_is_in_the_zone_of_its_node_unless_it_names_another() -> None:
    mesh = mesh_of(zone="eu")
    mesh["a"].register("t", "moved", {"zone": "us"}, now=mesh.now)
    mesh.run(1)
    for name in mesh.names():
        assert zones(mesh, name) == {"a": "eu", "b": "eu", "moved": "us"}
        assert mesh[name].table.zone == "eu"


def test_a_zone_that_is_a_number_is_its_text() -> None:
    assert zones(mesh_of(zone=7)) == {"a": "7", "b": "7"}
    assert zones(mesh_of()) == {"a": "", "b": ""}


def test_a_node_that_changes_its_zone_takes_its_hosts_along() -> None:
    """Page 0 alone is sent then: no page that lists the hosts changes."""
    mesh = mesh_of(zone="eu")
    mesh["b"].set_metadata({"zone": "us"}, now=mesh.now)
    mesh.run(1)
    assert zones(mesh) == zones(mesh, "b") == {"a": "eu", "b": "us"}
    assert (mesh["a"].table.zone, mesh["b"].table.zone) == ("eu", "us")
    before = view(mesh)
    mesh["b"].set_metadata({"rack": 5}, now=mesh.now)
    mesh.run(1)
    assert view(mesh) is before, "other metadata of a node is not its hosts' business"
    mesh["b"].set_metadata({"zone": None}, now=mesh.now)
    mesh.run(1)
    assert zones(mesh) == {"a": "eu", "b": ""}


def test_a_topic_says_whether_any_of_its_hosts_has_a_weight() -> None:
    mesh = mesh_of()
    assert not view(mesh).weighted
    mesh["b"].set_metadata({"weight": 50}, "t", now=mesh.now)
    mesh.run(1)
    assert view(mesh).weighted
    assert weighed(view(mesh).picks, view(mesh).entries) == (["a", "b"], [100, 50])
    mesh["b"].unregister("t", "b", now=mesh.now)
    mesh.run(1)
    assert not view(mesh).weighted


def test_of_a_large_topic_only_sections_that_changed_are_weighed_again() -> None:
    """Reading zone and weight of 10,000 hosts takes milliseconds, at each change of one of them."""
    table = table_of(1000)
    here = (("127.0.0.1", 1),)
    put(table, encode_page_zero("owner-1", GENERATION, 9, NodeState.UP, here, {"zone": "eu"}))
    table.publish()
    before = table.topics["t"]
    assert isinstance(before.picks, Hosts)
    in_eu, _ = weighed(before.picks, before.entries, "eu")
    assert in_eu == [f"host-{one:06}" for one in range(1, 1000, 4)]
    names, weights = weighed(before.picks, before.entries)
    assert (tuple(names), set(weights)) == (before.picks, {100})
    one_more = Registration("t", "host-000000-a", EntryState.UP, {"weight": 7})
    put(table, page("owner-0", 900, 3, [one_more]))
    table.publish()
    after = table.topics["t"]
    names, weights = weighed(after.picks, after.entries)
    assert (after.weighted, dict(zip(names, weights, strict=True))["host-000000-a"]) == (True, 7)
    assert isinstance(after.picks, Hosts)
    sections = [part for part in after.picks._sections if part in before.picks._sections]
    assert len(sections) >= 6
    assert all((0, "eu") in part._weighed for part in sections)
