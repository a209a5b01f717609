"""Registrations whose checks fail: out of picks, beside a drain, and never told to an old node."""

from __future__ import annotations

import pytest

from gossipmm.core.values.types import EntryState, HostState, NodeState, Registration
from gossipmm.errors import LimitError, RegistrationError
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, held, picks

UP, DRAINING, UNHEALTHY = EntryState.UP, EntryState.DRAINING, EntryState.UNHEALTHY
#: Speaks and announces wire version 1 only.
OLD = frozenset({Mechanism.WIRE_VERSION})


def state(mesh: Mesh, at: str, topic: str, host: str) -> HostState:
    return mesh[at].table.topics[topic].entries[host].state


def written(mesh: Mesh, at: str, owner: str) -> dict[tuple[str, str], EntryState]:
    """What a node holds of another one's entries."""
    entries = held(mesh[at], owner).registrations()
    return {(entry.topic, entry.host): entry.state for entry in entries}


def two() -> Mesh:
    mesh = Mesh("a", "b")
    mesh["a"].register("t", "ha", now=mesh.now)
    mesh["b"].register("t", "hb", now=mesh.now)
    mesh.settle()
    return mesh


def test_a_host_that_fails_its_checks_is_in_no_pick_but_can_be_named() -> None:
    """A program that was dead stayed in all picks for as long as its agent lived [P8, P10]."""
    mesh = two()
    assert mesh["a"].service_health.tell({("t", "ha"): False}, mesh.now) == 1
    mesh.run(0.3)
    for name in "ab":
        assert picks(mesh[name], "t") == mesh[name].table.topics["t"].fanout == ("hb",)
        assert state(mesh, name, "t", "ha") is HostState.UNHEALTHY
    assert mesh["a"].service_health.tell({("t", "ha"): True}, mesh.now) == 1
    mesh.run(0.3)
    assert picks(mesh["b"], "t") == ("ha", "hb")


def test_a_broken_check_does_not_empty_a_topic() -> None:
    """[P8, P10]."""
    mesh = two()
    for name in "ab":
        mesh[name].service_health.tell({("t", f"h{name}"): False}, mesh.now)
    mesh.run(0.3)
    for name in "ab":
        view = mesh[name].table.topics["t"]
        assert (view.picks, view.fanout, view.stale) == (("ha", "hb"), ("ha", "hb"), False)
    mesh["b"].drain("t", now=mesh.now)
    mesh.run(0.3)
    assert picks(mesh["a"], "t") == ("ha",)  # who drains is never picked


@pytest.mark.parametrize("first", ["drain", "fail"])
def test_a_drain_outlasts_failing_checks_and_they_a_drain(first: str) -> None:
    """Two bits with two masters [P10]."""
    mesh = two()
    node = mesh["a"]
    for step in (first, "fail" if first == "drain" else "drain"):
        if step == "drain":
            assert node.drain("t", now=mesh.now) == 1
        else:
            node.service_health.tell({("t", "ha"): False}, mesh.now)
    assert node.registrations(mesh.now)[0].state is EntryState.UNHEALTHY_DRAINING
    assert state(mesh, "a", "t", "ha") is HostState.DRAINING
    node.register("t", "ha", {"v": 2}, draining=True, now=mesh.now)
    assert node.registrations(mesh.now)[0].state is EntryState.UNHEALTHY_DRAINING
    node.service_health.tell({("t", "ha"): True}, mesh.now)
    assert node.registrations(mesh.now)[0].state is DRAINING
    node.service_health.tell({("t", "ha"): False}, mesh.now)
    assert node.drain("t", draining=False, now=mesh.now) == 1
    assert node.registrations(mesh.now)[0].state is UNHEALTHY
    mesh.run(0.3)
    assert state(mesh, "b", "t", "ha") is HostState.UNHEALTHY


def test_what_is_not_registered_or_not_new_changes_nothing() -> None:
    mesh = two()
    version = held(mesh["a"], "a").pages[1].version
    assert mesh["a"].service_health.tell({("t", "nobody"): False, ("t", "ha"): True}, mesh.now) == 0
    assert held(mesh["a"], "a").pages[1].version == version


def test_two_hundred_services_that_fail_together_are_told_in_one_version_of_each_page() -> None:
    """[P10]."""
    mesh = Mesh("a", "b")
    names = [(f"t{number:03}", "h") for number in range(200)]
    for topic, host in names:
        mesh["a"].register(topic, host, now=mesh.now)
    mesh.settle()
    mesh.run(2)
    pages = len(held(mesh["b"], "a").pages) - 1
    mesh.sent.clear()
    assert mesh["a"].service_health.tell(dict.fromkeys(names, False), mesh.now) == 200
    mesh.run(0.5)
    raws = {raw for packet in mesh.sent for raw in packet.pages}
    # Each entry grows by a byte: a page that was full gives its last ones to one more.
    assert pages <= len(raws) <= pages + 2
    assert set(written(mesh, "b", "a").values()) == {UNHEALTHY}


def test_an_old_node_is_never_sent_a_state_that_it_refuses() -> None:
    """It would refuse the page, and with it every other registration of the owner [P123]."""
    mesh = Mesh("a", "b")
    mesh.add("old", without=OLD)
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.settle()
    mesh["a"].service_health.tell({("t", "h"): False}, mesh.now)
    assert mesh["a"].registrations(mesh.now)[0].state is UNHEALTHY  # it knows what it is
    mesh.run(0.3)
    assert {written(mesh, name, "a")["t", "h"] for name in mesh.names()} == {DRAINING}
    mesh.crash("old")
    mesh.until(lambda: state(mesh, "b", "t", "h") is HostState.UNHEALTHY, within=30)
    assert mesh.agreed()


def test_an_old_node_that_joins_while_checks_fail_gets_the_page_within_two_intervals() -> None:
    """[P123]."""
    mesh = Mesh("a", "b")
    mesh["a"].register("t", "h", now=mesh.now)
    mesh["a"].register("t", "fine", now=mesh.now)
    mesh.settle()
    mesh["a"].service_health.tell({("t", "h"): False}, mesh.now)
    mesh.run(0.3)
    assert written(mesh, "b", "a")["t", "h"] is UNHEALTHY
    mesh.add("old", without=OLD)
    mesh.until(lambda: written(mesh, "b", "a")["t", "h"] is DRAINING, within=10)
    mesh.settle()
    assert written(mesh, "old", "a") == {("t", "h"): DRAINING, ("t", "fine"): UP}


def test_the_best_of_several_owners_counts_before_one_that_fails() -> None:
    """[P8]."""
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    x.say("a", pages=[x.page(1, Registration("t", "h", UNHEALTHY))])
    y.say("a", pages=[y.page(1, Registration("t", "h"))])
    mesh.run(0.1)
    assert state(mesh, "a", "t", "h") is HostState.LIVE
    y.say("a", pages=[y.page(1, Registration("t", "h", DRAINING))])
    mesh.run(0.1)
    assert state(mesh, "a", "t", "h") is HostState.UNHEALTHY


# -- metadata that changes ----------------------------------------------------------------------


def test_metadata_of_a_node_and_of_registrations_changes_while_they_run() -> None:
    """It was fixed at the start: a new version or zone took a restart [P2]."""
    mesh = two()
    node = mesh["a"]
    assert node.set_metadata({"version": "2", "gpus": 4}, now=mesh.now) == 1
    assert node.set_metadata({"version": "2"}, now=mesh.now) == 0
    assert node.set_metadata({"level": 1}, "t", "ha", now=mesh.now) == 1
    assert node.set_metadata({"level": True}, "t", now=mesh.now) == 1  # to Python the same
    assert node.set_metadata({"x": 1}, "t", "nobody", now=mesh.now) == 0
    mesh.run(0.3)
    view = mesh["b"].member("a")
    assert view is not None
    assert view.metadata == {"gpus": 4, "version": "2"}
    entry = mesh["b"].table.topics["t"].entries["ha"]
    assert entry.metadata == {"level": True}
    assert type(entry.metadata["level"]) is bool
    assert node.set_metadata({"gpus": None, "never": None}, now=mesh.now) == 1
    assert node.set_metadata({"level": None}, host="ha", now=mesh.now) == 1
    mesh.run(0.3)
    view = mesh["b"].member("a")
    assert view is not None
    assert (view.metadata, view.node_state) == ({"version": "2"}, NodeState.UP)
    assert mesh["b"].table.topics["t"].entries["ha"].metadata == {}


def test_metadata_that_no_page_has_room_for_changes_nothing() -> None:
    """[P2]."""
    mesh = two()
    node = mesh["a"]
    node.register("t", "h2", {"m": "x" * 700}, now=mesh.now)
    before = node.registrations(mesh.now)
    for changes, topic in (({"k": "y" * 500}, None), ({"k": "y" * 200}, "t")):
        with pytest.raises(LimitError):
            node.set_metadata(changes, topic, now=mesh.now)
        assert node.registrations(mesh.now) == before
        assert held(node, "a").metadata == {}
    with pytest.raises(RegistrationError, match="'k': 1.5 is not a string"):
        node.set_metadata({"k": 1.5}, "t", now=mesh.now)
    mesh.settle()
    assert mesh.agreed()


def test_a_change_that_is_refused_half_way_loses_nothing() -> None:
    """One that had moved to another page was in none that was told, after the next change [P2]."""
    mesh = Mesh("a", "b")
    node = mesh["a"]
    for number in range(2):
        node.register("filler", f"f{number}", {"m": "x" * 350}, now=mesh.now)
    node.register("t", "h1", {"m": "x" * 100}, now=mesh.now)
    node.register("t", "h2", {"m": "x" * 700}, now=mesh.now)
    mesh.settle()
    with pytest.raises(LimitError):
        node.set_metadata({"k": "y" * 200}, "t", now=mesh.now)
    node.unregister("filler", "f0", now=mesh.now)  # writes the page where h1 was
    mesh.run(2)
    for name in "ab":
        entries = mesh[name].table.topics["t"].entries
        assert {host: entry.metadata for host, entry in entries.items()} == {
            "h1": {"m": "x" * 100},
            "h2": {"m": "x" * 700},
        }
