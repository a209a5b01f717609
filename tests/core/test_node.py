"""The node as a whole: reproducible, with time as an argument, and plain about its own state."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import pytest

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, NodePair, held, picks


def history(seed: int) -> tuple[list[tuple[Any, ...]], dict[str, list[Any]]]:
    """Everything that three nodes said and told in some eventful seconds."""
    mesh = Mesh("a", "b", "c", seed=seed)
    mesh["a"].register("t", "h", {"m": 1}, now=mesh.now)
    mesh.settle()
    mesh.lose(0.2)
    mesh.run(5)
    mesh.crash("c")
    mesh.run(6)
    mesh["b"].leave(mesh.now)
    mesh.run(1)
    return [tuple(packet) for packet in mesh.sent], mesh.events


def test_one_seed_replays_one_history_byte_for_byte() -> None:
    """Every source of change comes in through the arguments."""
    assert history(7) == history(7)
    assert history(7) != history(8)


def test_the_next_timer_is_always_finite_and_never_stuck() -> None:
    mesh = Mesh("a", "b", "c")
    for _ in range(200):
        mesh.run(0.05)
        assert all(isfinite(mesh[name].next_timer()) for name in "abc")
        assert all(mesh[name].next_timer() >= mesh.now - 0.06 for name in "abc")


def test_a_clock_that_goes_back_a_little_does_no_harm() -> None:
    """CLOCK_BOOTTIME does not, but a shell may read it before it takes a datagram."""
    pair = NodePair()
    pair.run(2)
    data = pair.sent[-1]
    for step in (0.0, 0.001, 5.0):
        pair.a.receive_datagram(data.data, data.source, pair.now - step)
        pair.a.handle_timer(pair.now - step)
        pair.a.register("t", "h", now=pair.now - step)
    pair.run(3)
    assert held(pair.a, "b").status is Status.ALIVE
    assert picks(pair.b, "t") == ("h",)


def test_statistics_are_plain_values_that_only_grow() -> None:
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    before = mesh["a"].stats.as_dict()
    mesh.crash("c")
    mesh.run(8)
    mesh.deliver(b"junk", ("192.0.2.1", 1), "a")
    after = json.loads(json.dumps(mesh["a"].stats.as_dict()))
    counters = {name: value for name, value in before.items() if type(value) is int}
    assert len(counters) > 20
    for name, value in counters.items():
        assert after[name] >= value, name
    assert after["sent_by_kind"].keys() <= set(wire.KIND_NAMES.values())
    assert sum(after["sent_by_kind"].values()) == after["sent_datagrams"]
    assert after["deaths"] == 1
    assert sum(after["dropped"].values()) == 1


def test_bytes_counted_are_those_of_the_payloads() -> None:
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(5)
    mine = [p for p in mesh.sent if p.source == mesh["a"].addresses[0]]
    assert mesh["a"].stats.sent_datagrams == len(mine)
    assert mesh["a"].stats.sent_bytes == sum(len(packet.data) for packet in mine)
    mesh.run(0.01)
    other = [p for p in mesh.sent if p.source == mesh["b"].addresses[0]]
    assert mesh["a"].stats.received_bytes == sum(len(packet.data) for packet in other)


def test_reasons_of_refusals_are_stable_names() -> None:
    """They are values of a metric's label: lower case, and each once."""
    assert all(reason.value == reason.name.lower() for reason in Drop)


def test_every_node_can_say_how_many_agree_with_it_and_who_does_not_and_since_when() -> None:
    """[P52]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(3)
    agreement = mesh["a"].agreement()
    assert (agreement.agree, agreement.differ, agreement.unheard) == (2, (), 0)
    assert agreement.fingerprint == mesh["c"].table.fingerprint
    mesh.rules["no news"] = lambda p: p.frame.kind == wire.NEWS
    mesh["a"].register("t", "h", now=mesh.now)
    began = mesh.now
    mesh.run(3)
    agreement = mesh["a"].agreement()
    assert agreement.agree == 0
    assert {one.name for one in agreement.differ} == {"b", "c"}
    assert all(began <= one.since <= began + 2 for one in agreement.differ)
    mesh.heal()
    mesh.settle()
    mesh.run(2)
    assert mesh["a"].agreement().agree == 2


def test_a_peer_that_was_not_heard_since_a_change_does_not_differ() -> None:
    """On a page of 131 members 5 of 123 agreed after each change, the others "for 0 ms" [P52]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(3)
    mesh["a"].register("t", "h", now=mesh.now)
    agreement = mesh["a"].agreement()
    assert (agreement.agree, agreement.differ, agreement.unheard) == (0, (), 2)


def test_members_are_listed_by_name_with_the_node_itself() -> None:
    mesh = Mesh("c", "a", "b")
    mesh.settle()
    assert [member.name for member in mesh["b"].members()] == ["a", "b", "c"]
    me = mesh["b"].member("b")
    assert me is not None
    assert (me.status, me.heartbeat) == (Status.ALIVE, mesh["b"].heartbeat)
    assert mesh.now - me.heard < mesh.config.gossip_interval
    assert mesh["b"].member("nobody") is None


def test_own_registrations_are_in_the_own_table_at_once() -> None:
    node = Mesh("a")["a"]
    node.register("t", "h", now=1000.0)
    assert picks(node, "t") == ("h",)
    assert node.unregister("t", "h", now=1000.0)
    assert not node.unregister("t", "h", now=1000.0)
    assert node.table.topic("t") is None


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_smallest_clusters_work_as_any(size: int) -> None:
    """Scenario cluster_of_1_2_3."""
    names = "abc"[:size]
    mesh = Mesh(*names)
    mesh.settle()
    for name in names:
        mesh[name].register("t", f"h-{name}", now=mesh.now)
    mesh.run(0.2)
    for name in names:
        assert picks(mesh[name], "t") == tuple(f"h-{one}" for one in names)
    if size > 1:
        mesh.crash(names[-1])
        rest = names[:-1]
        expected = tuple(f"h-{one}" for one in rest)
        mesh.until(lambda: all(picks(mesh[name], "t") == expected for name in rest), within=8)


def test_what_a_program_delivered_is_evidence_of_life() -> None:
    """ack_alive: first-hand evidence for the owners of a remote registration [P13]."""
    mesh = Mesh("a", "b")
    mesh["b"].register("t", "h", now=mesh.now)
    mesh.settle()
    mesh.run(1)
    mesh.cut("a", "b")
    mesh.run(0.3)
    before = held(mesh["a"], "b").heard
    assert mesh["a"].ack_alive("t", "h", now=mesh.now)
    assert held(mesh["a"], "b").heard == mesh.now > before
    assert "delivered" in {line.kind for line in mesh["a"].why("b")}
    assert not mesh["a"].ack_alive("t", "nobody", now=mesh.now)
    assert not mesh["a"].renew("t", "h", now=mesh.now)
