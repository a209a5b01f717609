"""The mechanisms whose absence no scenario shows: here the switch itself shows what each does.

``gossipmm_sim.search.ablation`` has the others, each with a promise that breaks without it.
"""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.values.claim import Claim
from gossipmm.core.values.events import MemberReaped, MemberSuspected
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Registration, Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, dropped, held, key_of
from tests.identities import in_the_name_of, seal, signing
from tests.puppets import Puppet

OFF_AND_ON = pytest.mark.parametrize("on", [True, False], ids=["on", "off"])


def mesh(mechanism: Mechanism, on: bool, *names: str, **fields: Any) -> Mesh:
    without = frozenset() if on else frozenset({mechanism})
    return Mesh(*names, without=without, **fields)


def hears_suspicion(listener: Puppet, about: Puppet, *kinds: int) -> bool:
    return any(
        key == about.key and claim == Claim.SUSPECT
        for frame in listener.heard
        if not kinds or frame.kind in kinds
        for key, _, claim, _ in wire.rows_in(frame.rows)
    )


@OFF_AND_ON
def test_floors_keep_a_reaped_generation_closed(on: bool) -> None:
    net = mesh(Mechanism.MINIMUM_GENERATIONS, on, "a", reap_after=10.0)
    x, y = net.puppets("x", "y")
    net.rules["x is gone"] = lambda packet: x.addresses[0] in (packet.source, packet.target)
    net.until(lambda: bool(net.told("a", MemberReaped, "x")), within=60, step=0.5)
    y.say("a", pages=[x.page_zero()])
    net.run(0.1)
    assert dropped(net["a"], Drop.CLOSED_GENERATION) == (1 if on else 0)
    assert ("x" in net["a"].table.by_name) is not on


@OFF_AND_ON
def test_no_life_begins_more_than_a_day_ahead_of_the_clock_here(on: bool) -> None:
    net = mesh(Mechanism.CLOCK_BOUND, on, "a", wall=True)
    (liar,) = net.puppets("liar")
    ghost = net.puppet("ghost", generation=net.new_generation(2 * 86400.0))
    liar.say("a", pages=[ghost.page_zero()])
    assert (net["a"].member("ghost") is None) is on
    assert dropped(net["a"], Drop.AHEAD) == on


@OFF_AND_ON
def test_the_accused_is_told_with_the_next_datagram(on: bool) -> None:
    net = mesh(Mechanism.ACCUSED_IS_TOLD, on, "a")
    x, y = net.puppets("x", "y")
    net.run(1)
    x.heard.clear()
    y.say("a", rows=wire.row(x.key, x.heartbeat, wire.SUSPECT))
    net.run(0.05)
    probes = [frame for frame in x.heard if frame.kind == wire.SYN]
    assert probes, "it is asked at once whether it lives"
    assert hears_suspicion(x, x, wire.SYN) is on


@OFF_AND_ON
def test_suspicions_ride_on_exchanges(on: bool) -> None:
    net = mesh(Mechanism.SUSPECT_ROWS, on, "a", gossip_interval=0.5)
    x, y, z = net.puppets("x", "y", "z")
    net.rules["x is gone"] = lambda packet: x.addresses[0] in (packet.source, packet.target)
    y.say("a", rows=wire.row(x.key, x.heartbeat, wire.SUSPECT))
    net.run(0.9)
    assert held(net["a"], "x").status is Status.SUSPECT
    assert hears_suspicion(z, x, wire.SYN, wire.ACK) is on


@OFF_AND_ON
def test_a_late_node_holds_its_accusations(on: bool) -> None:
    """Without the other hold, which would see that it heard nobody meanwhile."""
    without = {Mechanism.DEAF_HOLD} | (set() if on else {Mechanism.LATE_HOLD})
    net = Mesh("a", without=frozenset(without))
    x, _ = net.puppets("x", "y")
    net.run(2)
    net.rules["x is gone"] = lambda packet: x.addresses[0] in (packet.source, packet.target)
    for _ in range(4):
        net.freeze("a")
        net.run(0.9)
        net.thaw("a")
        net.run(0.3)  # less than it holds them for
    assert bool(net.told("a", MemberSuspected, "x")) is not on
    assert bool(net["a"].stats.probes_held) is on


@OFF_AND_ON
def test_later_wire_versions_are_spoken_to_who_reads_them(on: bool) -> None:
    """Off, tables that differ in bytes at one version go on agreeing, as in version 1."""
    net = mesh(Mechanism.WIRE_VERSION, on, "a", "b")
    net.settle()
    net["a"]._parts.anti_entropy.send_digest(held(net["a"], "b"))
    net.flush("a")
    (told,) = (one.frame.options for one in net.sent[-1:])
    assert len(told[wire.OPT_DIGEST]) == (4 if on else 3)


def with_insider(net: Mesh) -> Puppet:
    """Let a member that signs be known to all, and its word be heard."""
    net.settle()
    x = net.puppet("x")
    x.seal = seal("x")
    return x.introduce()


@OFF_AND_ON
def test_pages_are_judged_by_their_signatures(on: bool) -> None:
    net = mesh(Mechanism.SIGNED_PAGES, on, "a", "b", identity=signing())
    x = with_insider(net)
    forger = in_the_name_of(net, "b")
    x.say("a", pages=[forger.page(1, Registration("t", "evil"))])
    assert ("t" in net["a"].table.topics) is not on
    assert dropped(net["a"], Drop.UNSIGNED) == on


@OFF_AND_ON
def test_the_first_key_of_a_name_is_its_only_one(on: bool) -> None:
    net = mesh(Mechanism.PINS, on, "a", "b", identity=signing())
    x = with_insider(net)
    net.run(5)
    forger = in_the_name_of(net, "b", 1)
    x.say("a", pages=[forger.page_zero()])
    assert (held(net["a"], "b").addresses == net["b"].addresses) is on
    assert dropped(net["a"], Drop.OTHER_KEY) == on


@OFF_AND_ON
def test_who_signs_two_pages_of_one_version_is_in_no_lookup(on: bool) -> None:
    net = mesh(Mechanism.EQUIVOCATION, on, "a", "b", identity=signing())
    x = with_insider(net)
    for host in ("h1", "h2"):
        x.say("a", pages=[x.page(1, Registration("t", host), version=9)])
    net.run(1)
    assert (held(net["a"], "x").status is Status.PROBATION) is on


@OFF_AND_ON
def test_that_a_helper_reached_a_member_counts_by_the_signature_of_that_one(on: bool) -> None:
    net = mesh(Mechanism.SIGNED_STATEMENTS, on, "a", "b", "c", identity=signing())
    net.settle()
    net.run(10)
    net.sent.clear()
    net.run(60)
    signed = [p for p in net.sent if wire.OPT_SIGN in p.frame.options]
    assert bool(signed) is on


@OFF_AND_ON
def test_only_its_own_key_ends_a_life_that_is_signed(on: bool) -> None:
    net = mesh(Mechanism.SIGNED_ENDS, on, "a", "b", identity=signing())
    x = with_insider(net)
    before = net["b"].generation
    x.say("b", rows=wire.row(key_of(net["b"]), 1, wire.LEFT))
    net.run(1)
    assert (net["b"].generation == before) is on


@OFF_AND_ON
def test_who_was_told_often_that_it_is_wrong_is_told_more_seldom(on: bool) -> None:
    net = mesh(Mechanism.FEW_CORRECTIONS, on, "a", "b", identity=signing())
    x = with_insider(net)
    net.run(5)
    before = net.puppet("before", generation=net["b"].generation - (1 << 16))
    before.name, before.seal = "b", seal("b")
    for _ in range(20):
        x.say("a", pages=[before.page_zero()])
    assert dropped(net["a"], Drop.CORRECTED) == (12 if on else 0)
