"""Who tells again and again what is over or refuted is set right a few times [P188].

Story: insiders told pages of earlier lives of one another, which nobody's key had signed, and rows
about them. Each was answered with the page or the floor of today: a third of 6,400 bytes a second.
"""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import START, Mesh, dropped, held, key_of
from tests.identities import REQUIRE, in_the_name_of, seal, signing
from tests.puppets import Puppet


def with_insider(**fields: Any) -> tuple[Mesh, Puppet]:
    mesh = Mesh("a", "b", identity=signing(REQUIRE), **fields)
    mesh.settle()
    x = mesh.puppet("x")
    x.seal = seal("x")
    x.introduce()
    mesh.run(3)
    return mesh, x


def old_page(mesh: Mesh, *, version: int = 1, signer: str = "b") -> Any:
    """Page 0 of a life of b before the one held."""
    node = mesh["b"]
    forger = mesh.puppet(f"before-{signer}-{version}", generation=node.generation - (1 << 16))
    forger.name = "b"
    forger.seal = seal(signer)
    return forger.page_zero(version=version)


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_an_older_life_is_answered_a_few_times(on: bool) -> None:
    """[P188]."""
    without = frozenset() if on else frozenset({Mechanism.FEW_CORRECTIONS})
    mesh, x = with_insider(without=without)
    answered = 0
    for version in range(1, 41):
        sent = x.say("a", pages=[old_page(mesh, version=version)])
        answered += any(wire.OPT_PAGES in one.frame.options for one in sent)
    assert answered == (8 if on else 40)
    assert bool(dropped(mesh["a"], Drop.CORRECTED)) is on
    mesh.run(5)
    sent = x.say("a", pages=[old_page(mesh, version=99)])
    assert any(wire.OPT_PAGES in one.frame.options for one in sent)


def test_an_older_life_that_its_key_did_not_sign_is_not_answered() -> None:
    """[P188]."""
    mesh, x = with_insider()
    sent = x.say("a", pages=[old_page(mesh, signer="x")])
    assert not any(wire.OPT_PAGES in one.frame.options for one in sent)
    assert dropped(mesh["a"], Drop.OTHER_KEY) == 1
    forger = in_the_name_of(mesh, "b", 1)
    forger.generation = mesh["b"].generation - (1 << 16)
    x.say("a", pages=[forger.page(1)])
    assert dropped(mesh["a"], Drop.BAD_SIGNATURE) == 1
    assert held(mesh["a"], "b").generation == mesh["b"].generation


def test_one_that_was_set_right_often_does_not_silence_others() -> None:
    """[P188]."""
    mesh, x = with_insider()
    for version in range(1, 41):
        x.say("a", pages=[old_page(mesh, version=version)])
    y = mesh.puppet("y")
    y.seal = seal("y")
    y.introduce()
    sent = y.say("a", pages=[old_page(mesh)])
    assert any(wire.OPT_PAGES in one.frame.options for one in sent)


def test_questions_of_who_was_set_right_often_are_answered() -> None:
    """[P188]: only what nobody asked for is left out."""
    mesh, x = with_insider()
    for version in range(1, 41):
        x.say("a", pages=[old_page(mesh, version=version)])
    sent = x.say("a", options={wire.OPT_WANT: [[key_of(mesh["b"]), b""]]})
    assert any(wire.OPT_PAGES in one.frame.options for one in sent)
    sent = x.say("a", kind=wire.SYN, probe=9, pages=[old_page(mesh, version=50)])
    assert any(wire.OPT_PAGES in one.frame.options for one in sent)


def test_addresses_that_are_remembered_are_bounded() -> None:
    """[P188]."""
    mesh, x = with_insider()
    node: Any = mesh["a"]
    accounts = node._parts.replies.corrections._accounts
    for number in range(2000):
        accounts[(f"10.7.{number // 250}.{number % 250}", 1)] = None
        if len(accounts) > 1023:
            break
    x.say("a", pages=[old_page(mesh)])
    assert len(accounts) <= 1024
    assert mesh.now > START
