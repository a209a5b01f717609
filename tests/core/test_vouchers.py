"""Where all have to sign, one silence is no death, and the word of others is charged for.

Rows are not signed: a heartbeat in one is a number that anybody can raise.
"""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.failure import vouchers
from gossipmm.core.failure.vouchers import Vouchers
from gossipmm.core.values.events import MemberDied
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Packet, held
from tests.identities import signed_mesh
from tests.puppets import claims, datagram

BOTH = pytest.mark.parametrize("on", [True, False], ids=["on", "off"])


def but(one: Mechanism, *, on: bool) -> frozenset[Mechanism]:
    """What is switched off: nothing, or that."""
    return frozenset() if on else frozenset({one})


@BOTH
def test_one_silence_is_no_death_where_only_a_signature_undoes_it(on: bool) -> None:
    """[P190]: five insiders told heartbeats of all, above those that their owners had issued.

    So whatever a host said of itself looked as if it had been overtaken. At 25 % loss a probe
    failed now and then; nothing refuted that, and two healthy hosts were declared dead.
    """
    mesh = signed_mesh(*"abcdef", without=but(Mechanism.SIGNED_SUSPICIONS, on=on))
    mesh.run(5)
    a, b = mesh["a"].addresses[0], mesh["b"].addresses[0]
    b_key = held(mesh["a"], "b").key

    def silent(packet: Packet) -> bool:
        return packet.target == a and (
            packet.source == b
            or packet.frame.kind == wire.HELPED
            or any(claim == wire.ALIVE for claim, _ in claims(packet.frame.rows, b_key))
        )

    def unsigned(packet: Packet) -> bool:
        return silent(packet) and not (packet.source == b and wire.OPT_LIFE in packet.frame.options)

    mesh.rules["lies"] = silent
    mesh.cut("b", "cdef")
    while held(mesh["a"], "b").failed_at is None:
        mesh.run(0.01)
    mesh.heal()
    mesh.rules["lies"] = unsigned
    mesh.run(2)
    assert bool(mesh.told("a", MemberDied, "b")) is not on


class Scene:
    """Six hosts with keys, of which ``x`` has crashed, and some tell ``a`` that it lives."""

    def __init__(self, **fields: Any) -> None:
        self.mesh = signed_mesh("a", "x", "liar", "y", "z", "w", **fields)
        self.mesh.run(5)
        self.key, self.at = held(self.mesh["a"], "x").key, self.mesh["x"].addresses[0]
        self.mesh.crash("x")

    def asked(self, seconds: float, by: str) -> int:
        """Return what ``a`` asks of x, or for it, while one tells twice a second that it lives."""
        mesh, me = self.mesh, self.mesh["a"].addresses[0]
        before = len(mesh.sent)
        for _ in range(int(2 * seconds)):
            x, liar = held(mesh["a"], "x"), mesh[by]
            row = wire.row(self.key, max(x.k, x.s, x.d) + 5, wire.ALIVE)
            sender = held(mesh["a"], by).key
            told = datagram(sender=sender, heartbeat=liar.heartbeat, rows=row)
            mesh.deliver(told, liar.addresses[0], "a")
            mesh.run(0.5)
        sent = [one for one in mesh.sent[before:] if one.source == me]
        return sum(one.target == self.at or one.frame.kind == wire.HELP for one in sent)


@BOTH
def test_who_says_in_vain_that_a_crashed_host_lives_is_not_asked_about_without_end(
    on: bool,
) -> None:
    """[P191]: one insider had twenty hosts ask, with helpers, for as long as it told heartbeats."""
    scene = Scene(without=but(Mechanism.VOUCHERS, on=on))
    first = scene.asked(10, "liar")
    assert scene.mesh.told("a", MemberDied, "x")
    assert first + scene.asked(20, "liar") < 80 if on else first > 80


def test_one_whose_word_was_in_vain_does_not_silence_another_one() -> None:
    """[P191]: the account is of who tells it; whoever was not found to be wrong is heard."""
    scene = Scene()
    scene.asked(30, "liar")
    quiet = scene.asked(3, "liar")
    assert scene.asked(3, "y") > quiet


def test_an_answer_clears_the_account_of_who_said_that_a_member_lives() -> None:
    """[P191]: a bridge between halves says so of many, and loses some questions to the network."""
    scene = Scene()
    account, x = Vouchers(scene.mesh["a"]._local), held(scene.mesh["a"], "x")
    for _ in range(3):
        account.in_vain(x, "liar")
    assert not account.counts(x, "liar")
    assert account.counts(x, "y")
    account.true(x, "liar")
    assert account.counts(x, "liar")


def test_what_a_member_says_of_itself_is_always_asked_about() -> None:
    """[P191]."""
    scene = Scene()
    account, x = Vouchers(scene.mesh["a"]._local), held(scene.mesh["a"], "x")
    for _ in range(9):
        account.in_vain(x, "x")
    assert account.counts(x, "x")


def test_accounts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """[P191]: whoever is forgotten first was charged first."""
    monkeypatch.setattr(vouchers, "_KEPT", 8)
    scene = Scene()
    account, x = Vouchers(scene.mesh["a"]._local), held(scene.mesh["a"], "x")
    for number in range(20):
        for _ in range(3):
            account.in_vain(x, f"m{number}")
    assert account.counts(x, "m0")
    assert not account.counts(x, "m19")


def test_where_nobody_has_to_sign_others_are_asked_about_as_before() -> None:
    """[P191]: there an insider can do more than that, and a bridge has only its word."""
    scene = Scene()
    scene.mesh["a"]._local.all_sign = False
    assert scene.asked(10, "liar") > 80
