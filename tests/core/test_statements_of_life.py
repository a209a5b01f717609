"""Statements of life: word that a member lives counts by its signature, and only when asked for."""

from __future__ import annotations

import pytest

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import IdentityState, Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, Packet, dropped, held
from tests.identities import ANNOUNCE, REQUIRE, seal, signed_mesh, view
from tests.puppets import datagram, frame_of


def is_listed(mesh: Mesh, victim: str, at: str) -> bool:
    """Return whether a node still talks to a member."""
    return held(mesh[at], victim).key in mesh[at].table.peers


def lie_about(mesh: Mesh, victim: str, liar: str) -> None:
    """Have a node say that it reached a dead member, to each that asks for its help."""
    key = held(mesh[liar], victim).key
    node = mesh[liar]
    me = wire.record_key(node.config.cluster, liar, node.generation)

    def lies(packet: Packet) -> bool:
        if packet.target != node.addresses[0] or packet.frame.kind != wire.HELP:
            return False
        options = {wire.OPT_TARGET: key, wire.OPT_REACHED: True}
        data = datagram(
            wire.HELPED,
            sender=me,
            target=packet.frame.sender,
            probe=packet.frame.probe,
            heartbeat=node.heartbeat,
            options=options,
        )
        to = next(n for n in mesh.names() if mesh[n].addresses[0] == packet.source)
        mesh.deliver(data, node.addresses[0], to)
        return False

    mesh.rules["lies"] = lies


@pytest.mark.parametrize("without", [None, Mechanism.SIGNED_STATEMENTS])
def test_a_helper_that_lies_keeps_no_dead_host_listed(without: Mechanism | None) -> None:
    """Two helpers that lied kept a dead host in lookups for as long as they did. [P156]."""
    mesh = signed_mesh("a", "b", "c", "d", without=frozenset({without} if without else ()))
    mesh.run(20)
    lie_about(mesh, "b", "c")
    mesh.crash("b")
    mesh.run(30)
    assert is_listed(mesh, "b", "a") == (without is not None)
    assert bool(dropped(mesh["a"], Drop.NO_STATEMENT)) == (without is None)


def test_an_honest_helper_brings_what_the_target_signed() -> None:
    """[P156]: two that cannot reach one another hold one another alive, by one that both reach."""
    for mode in (REQUIRE, ANNOUNCE):
        mesh = signed_mesh("a", "b", "c", mode=mode)
        mesh.run(20)
        mesh.cut("a", "b")
        mesh.run(30)
        assert view(mesh, "a", "b").status is Status.ALIVE
        assert view(mesh, "b", "a").status is Status.ALIVE
        assert mesh["a"].stats.probes_helped
        told = [p.frame for p in mesh.sent if p.frame.kind == wire.HELPED]
        assert any(wire.OPT_LIFE in frame.options for frame in told)
        assert not dropped(mesh["a"], Drop.NO_STATEMENT)


@pytest.mark.parametrize("replays", [False, True])
def test_who_took_a_dead_members_address_is_not_taken_for_it(replays: bool) -> None:
    """It answered each probe in the name of the dead one, which stayed alive for ever. [P156].

    ``replays``: it shows what the dead one signed when it was asked before.
    """
    mesh = signed_mesh("a", "b", "c")
    mesh.run(5)
    node = mesh["b"]
    signed = [
        packet.frame.options[wire.OPT_LIFE]
        for packet in mesh.sent
        if wire.OPT_LIFE in packet.frame.options and packet.source == node.addresses[0]
    ]
    shown = {"options": {wire.OPT_LIFE: signed[-1]}} if replays else {}
    mesh.crash("b")
    impostor = mesh.puppet("i", address=node.addresses[0], generation=node.generation)
    impostor.name = "b"
    impostor.key = held(mesh["a"], "b").key
    impostor.heartbeat = node.heartbeat + 5

    def heard(data: bytes, source: tuple[str, int], now: float) -> None:
        frame = frame_of(data)
        impostor.heartbeat += 1
        if frame.kind == wire.SYN:
            answer = impostor.frame(wire.ACK, frame.sender, probe=frame.probe, **shown)
            impostor._out.append((answer, source))

    impostor.receive_datagram = heard  # type: ignore[method-assign]
    mesh.run(60)
    assert not is_listed(mesh, "b", "a")
    assert dropped(mesh["a"], Drop.NO_STATEMENT)


def test_a_statement_answers_the_question_that_was_asked_and_no_other() -> None:
    """What was signed before it died could be played afterwards, again and again. [P156]."""
    mesh = signed_mesh("a", "b", "c")
    mesh.run(30)
    signed = [
        packet.frame.options[wire.OPT_LIFE]
        for packet in mesh.sent
        if wire.OPT_LIFE in packet.frame.options and packet.source == mesh["b"].addresses[0]
    ]
    assert signed
    questions = [tuple(life[2]) for life in signed]
    assert len(set(questions)) > len(questions) // 2, "each asks for itself"
    asked = {
        tuple(packet.frame.options[wire.OPT_SIGN])
        for packet in mesh.sent
        if packet.frame.kind == wire.SYN and wire.OPT_SIGN in packet.frame.options
    }
    assert set(questions) <= asked


def test_a_pin_is_provisional_until_its_owner_has_answered_for_itself() -> None:
    """[P152, P156]."""
    mesh = signed_mesh("a", "b")
    mesh.run(10)
    assert view(mesh, "a", "b").identity is IdentityState.PINNED
    assert set(mesh["a"].identities.pins()) == {"b"}
    assert mesh["a"].identities.version == 1
    x = mesh.puppet("x")
    x.seal = seal("x")
    x.introduce("a")
    mesh.run(10)
    assert view(mesh, "a", "x").identity is IdentityState.PROVISIONAL, "it signs no answers"


def test_exchanges_are_rarely_signed_once_all_pins_are_firm() -> None:
    """[P156]: one in sixteen."""
    mesh = signed_mesh("a", "b")
    mesh.run(60)
    mesh.sent.clear()
    mesh.run(200)
    syns = [packet.frame for packet in mesh.sent if packet.frame.kind == wire.SYN]
    signed = [frame for frame in syns if wire.OPT_SIGN in frame.options]
    assert 0 < len(signed) <= len(syns) / 12
