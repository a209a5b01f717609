"""Whoever tells of lives that there are not is asked for them a few times, and then no more [P186].

Story: five insiders of twenty told of a later life of everybody twice a second, each under a new
key. Four fifths of the 1,258 bytes a second that it cost each host were questions for those.
"""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, Packet, dropped
from tests.identities import REQUIRE, seal, signed_mesh, signing
from tests.puppets import Puppet


def with_insider(**fields: Any) -> tuple[Mesh, Puppet]:
    mesh = Mesh("a", "b", identity=signing(REQUIRE), **fields)
    mesh.settle()
    x = mesh.puppet("x")
    x.seal = seal("x")
    return mesh, x.introduce()


def asked(packets: list[Packet], key: int) -> bool:
    """Return whether one of them asks for a record."""
    wants = [want for one in packets for want in one.frame.options.get(wire.OPT_WANT, ())]
    return any(want[0] == key for want in wants)


def tell_of(mesh: Mesh, x: Puppet, key: int) -> bool:
    """Have x say that somebody lives; return whether it is asked who that is."""
    return asked(x.say("a", rows=wire.row(key, 3, wire.ALIVE)), key)


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_who_was_asked_in_vain_is_asked_no_more_for_a_while(on: bool) -> None:
    """[P186]."""
    without = frozenset() if on else frozenset({Mechanism.ASKED_IN_VAIN})
    mesh, x = with_insider(without=without)
    found = []
    for key in range(100, 160):
        found.append(tell_of(mesh, x, key))
        mesh.run(0.5)
    assert found[0]
    assert sum(found) == 60 if not on else sum(found) <= 8
    assert bool(dropped(mesh["a"], Drop.ASKED_IN_VAIN)) is on
    if on:
        mesh.run(130)
        assert tell_of(mesh, x, 200)


def test_who_has_what_it_tells_of_is_asked_each_time() -> None:
    """[P186]: also when somebody else was faster to bring the record."""
    mesh, x = with_insider()
    for number in range(12):
        y = mesh.puppet(f"y{number}")
        y.seal = seal(y.name)
        assert tell_of(mesh, x, y.key)
        y.introduce("a")
        mesh.run(1.5)
    assert not dropped(mesh["a"], Drop.ASKED_IN_VAIN)


def test_whoever_has_brought_nothing_yet_is_asked_for_eight_records_at_a_time() -> None:
    """[P186]: all that a liar told in its first second was asked for: a seventh of its bytes."""
    mesh, x = with_insider()
    assert [tell_of(mesh, x, key) for key in range(100, 120)] == 8 * [True] + 12 * [False]


def test_whoever_brings_records_is_asked_for_more_of_them_at_a_time() -> None:
    """[P186]: of newcomers on the other side of a split one member may tell hundreds."""
    mesh, x = with_insider()
    for number in range(30):
        y = mesh.puppet(f"y{number}")
        y.seal = seal(y.name)
        assert tell_of(mesh, x, y.key)
        x.say("a", pages=[y.page_zero()])
    assert all(tell_of(mesh, x, key) for key in range(100, 130))


def test_a_newcomer_asks_one_member_for_all_that_it_tells_of() -> None:
    """[P186]."""
    mesh, x = with_insider()
    mesh["a"]._local.table.joined = False
    assert all(tell_of(mesh, x, key) for key in range(100, 150))


def test_one_that_is_asked_no_more_does_not_silence_another_one() -> None:
    """[P186]: the account is of an address, whoever it speaks for."""
    mesh, x = with_insider()
    for key in range(100, 130):
        tell_of(mesh, x, key)
        mesh.run(0.5)
    assert not tell_of(mesh, x, 300)
    y = mesh.puppet("y")
    y.seal = seal("y")
    y.introduce()
    assert tell_of(mesh, y, 301)


def test_where_nobody_has_to_sign_everybody_is_asked_as_before() -> None:
    """[P186]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    x = mesh.puppet("x").introduce()
    for key in range(100, 130):
        assert tell_of(mesh, x, key)
        mesh.run(0.5)


def test_addresses_that_are_remembered_are_bounded() -> None:
    """[P186]."""
    mesh = signed_mesh("a")
    node: Any = mesh["a"]
    in_vain = node._parts.replies._in_vain
    for number in range(3000):
        in_vain.may_ask((f"10.7.{number // 250}.{number % 250}", 1), 77)
    assert len(in_vain._accounts) <= 1024
