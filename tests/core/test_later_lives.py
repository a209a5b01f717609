"""A later life of a live member counts once it has answered, and none begins in the future.

[P14, P129]
"""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.node import Node
from gossipmm.core.values.events import (
    GenerationAhead,
    MemberDied,
    MemberRestarted,
    NameClaimed,
    NotAdmitted,
)
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import (
    MAX_GENERATION,
    NodeState,
    Refusal,
    Registration,
    Status,
)
from gossipmm.core.wire import frame as wire
from gossipmm.text.events import as_line
from gossipmm.text.evidence import sentence
from tests.helpers import WALL, Mesh, Packet, dropped, held, key_of
from tests.puppets import Puppet

HOUR = 3600 * 1000 << 16


def claimant(mesh: Mesh, label: str, name: str, later: int = 1 << 20) -> Puppet:
    """A puppet that says that it is a later life of the member ``name`` of node a."""
    puppet = mesh.puppet(label, generation=held(mesh["a"], name).generation + later)
    puppet.name = name
    puppet.key = wire.record_key(mesh.config.cluster, name, puppet.generation)
    return puppet


def with_victim(**fields: Any) -> tuple[Mesh, Puppet, Puppet]:
    """Node a, a liar, and the victim, which registers a host."""
    mesh = Mesh("a", **fields)
    liar, *_ = mesh.puppets("liar")
    victim = mesh.puppet("x").introduce("a", entries=[Registration("t", "h")])
    mesh.run(3)
    return mesh, liar, victim


# -- who answers counts --------------------------------------------------------------------------


def test_a_name_is_not_taken_from_who_lives_by_who_does_not_answer() -> None:
    """Story: a page of 300 bytes, told to each of five agents, left every one of them alone."""
    mesh, liar, victim = with_victim()
    forged = claimant(mesh, "x2", "x")
    forged.answers = False
    liar.say("a", pages=[forged.page_zero()], rows=wire.row(forged.key, 5, wire.ALIVE))
    mesh.run(20)
    member = held(mesh["a"], "x")
    assert (member.generation, member.status) == (victim.generation, Status.ALIVE)
    assert mesh["a"].table.topic("t") is not None
    assert len([frame for frame in forged.heard if frame.kind == wire.SYN]) == 8
    assert dropped(mesh["a"], Drop.UNPROVED_LIFE) >= 1


def test_who_answers_takes_the_place_of_its_last_life_within_a_round_trip() -> None:
    mesh, liar, _ = with_victim()
    restarted = claimant(mesh, "x2", "x")
    page = restarted.page(1, Registration("u", "h"), version=2)
    liar.say("a", pages=[restarted.page_zero(), page])
    assert held(mesh["a"], "x").generation == restarted.generation - (1 << 20)
    mesh.run(0.02)
    member = held(mesh["a"], "x")
    assert (member.generation, member.status) == (restarted.generation, Status.ALIVE)
    assert (mesh["a"].table.topic("t"), len(mesh.told("a", MemberRestarted))) == (None, 1)
    assert mesh["a"].table.topic("u") is not None


def test_an_answer_of_somebody_else_proves_nothing() -> None:
    mesh, liar, victim = with_victim()
    forged = claimant(mesh, "x2", "x")
    forged.answers = False
    (asked,) = (
        packet.frame
        for packet in liar.say("a", pages=[forged.page_zero()])
        if packet.frame.target == forged.key
    )
    liar.say("a", wire.ACK, probe=asked.probe)
    assert held(mesh["a"], "x").generation == victim.generation
    assert dropped(mesh["a"], Drop.WRONG_ANSWERER) == 1


def test_when_the_life_held_is_dead_here_the_later_one_counts_and_the_other_is_told() -> None:
    """Neither can be reached from here: who comes later counts, and who lives can object.

    Not before the death: at 25 % loss a question of six tries fails now and then, and of a host
    whose names five others claim, a forged life was then held until the end of the run.
    """
    mesh, liar, victim = with_victim()
    later = claimant(mesh, "x2", "x")
    victim.answers = later.answers = False
    mesh.until(lambda: held(mesh["a"], "x").status is Status.DEAD, within=10)
    mesh.run(3)
    victim.heard.clear()
    page = later.page_zero()
    liar.say("a", pages=[page])
    assert held(mesh["a"], "x").generation == later.generation
    mesh.run(0.1)
    assert [page.raw] in [frame.options.get(wire.OPT_PAGES) for frame in victim.heard]


def test_the_later_life_takes_over_when_the_one_held_would_be_declared_dead() -> None:
    """A host that only others reach had started again: its death was told, and then its start.

    [P129]
    """
    mesh, liar, victim = with_victim()
    later = claimant(mesh, "x2", "x")
    victim.answers = later.answers = False
    mesh.until(lambda: held(mesh["a"], "x").status is Status.SUSPECT, within=10)
    page = later.page_zero()
    liar.say("a", pages=[page])
    assert held(mesh["a"], "x").generation == victim.generation
    mesh.until(lambda: held(mesh["a"], "x").generation == later.generation, within=10)
    mesh.run(0.1)
    assert not mesh.told("a", MemberDied)
    assert [page.raw] in [frame.options.get(wire.OPT_PAGES) for frame in victim.heard]


def started_again(mesh: Mesh, generation: int = 0) -> Node:
    """Start x again at its address, from where nothing comes to a."""
    address = mesh["x"].addresses[0]
    mesh.crash("x")
    mesh.rules["from x"] = lambda packet: (
        packet.source == address and packet.target in mesh["a"].addresses
    )
    return mesh.add("x", address=address, generation=generation, seeds=mesh["b"].addresses)


def test_time_for_which_the_asker_stood_still_is_not_taken_from_the_answer() -> None:
    """Story: a host that was paused for 2.6 s took that for no answer, and asked no more.

    [P129]
    """
    mesh = Mesh(*"abx")
    mesh.settle()
    later = started_again(mesh)
    trail = lambda: held(mesh["a"], "x").trail  # noqa: E731
    mesh.until(lambda: trail()[-1].kind is EvidenceKind.LATER_LIFE, within=2)
    mesh.freeze("a")
    mesh.run(3)
    mesh.rules.clear()
    mesh.thaw("a")
    mesh.until(lambda: held(mesh["a"], "x").generation == later.generation, within=1)
    assert not mesh.told("a", NameClaimed)


def test_who_answers_in_the_place_of_the_life_held_is_asked_for_its_record() -> None:
    """Story: nobody had answered for it once, and for a minute it was not asked, though there.

    [P129]
    """
    mesh = Mesh(*"abx")
    mesh.settle()
    (liar,) = mesh.puppets("liar")
    forged = claimant(mesh, "x2", "x")
    forged.answers = False
    liar.say("a", pages=[forged.page_zero()])
    mesh.until(lambda: bool(mesh.told("a", NameClaimed)), within=5)
    started_again(mesh, forged.generation)
    mesh.run(0.5)
    mesh.rules.clear()
    mesh.until(lambda: held(mesh["a"], "x").generation == forged.generation, within=3)
    assert not mesh.told("a", MemberDied)


@pytest.mark.parametrize("ends", ["left", "dead"])
def test_who_was_asked_in_vain_is_asked_for_its_record_once_the_life_held_has_ended(
    ends: str,
) -> None:
    """Story: a copy of a host lived, and the host came back where no question reached it.

    The copy left, and for the rest of a minute the host was unknown, though it asked each second.

    [P129] (swarm_paths seed 101376, 2 hosts)
    """
    mesh, liar, victim = with_victim()
    later = claimant(mesh, "x2", "x")
    later.answers = False
    liar.say("a", pages=[later.page_zero()])
    mesh.until(lambda: bool(mesh.told("a", NameClaimed)), within=5)
    assert wanted(later, later.say("a", wire.SYN)) == []
    if ends == "left":
        victim.say("a", pages=[victim.page_zero(NodeState.LEFT, version=2)])
    else:
        victim.answers = False
    status = {"left": Status.LEFT, "dead": Status.DEAD}[ends]
    mesh.until(lambda: held(mesh["a"], "x").status is status, within=20)
    assert wanted(later, later.say("a", wire.SYN)) == [later.key]


@pytest.mark.parametrize("known", [True, False])
def test_a_life_of_which_only_registrations_came_keeps_no_earlier_one_out(known: bool) -> None:
    """Story: page 0 of a crash-looping host was lost, page 1 came; the next life had no state left.

    It began below that, was refused, and nothing told it so: it was unknown for good. Now page 0
    alone ends a life that is gone, and whoever comes below a life of which there is no page 0 is
    shown what there is of it.

    [P15, P16, P129] (swarm_paths seed 100219, 2 hosts)
    """
    mesh = Mesh("a")
    (liar,) = mesh.puppets("liar")
    if known:
        victim = mesh.puppet("x").introduce("a")
        victim.answers = False
        mesh.until(lambda: held(mesh["a"], "x").status is Status.DEAD, within=20)
    lost = mesh.puppet("lost", generation=mesh.new_generation())
    lost.name, lost.answers = "x", False
    key = wire.record_key(mesh.config.cluster, "x", lost.generation)
    said = liar.say("a", pages=[lost.page(1, Registration("t", "h"))])
    assert wanted(liar, said) == [key]
    assert held(mesh["a"], "x").complete is known
    mesh.add("x", generation=mesh.new_generation(-900.0))
    mesh.until(lambda: held(mesh["a"], "x").status is Status.ALIVE, within=5)
    assert held(mesh["a"], "x").generation == mesh["x"].generation


def wanted(puppet: Puppet, packets: list[Packet]) -> list[int]:
    """Keys of the records that a puppet is asked for."""
    return [
        key
        for packet in packets
        if packet.frame.target == puppet.key
        for key, *_ in packet.frame.options.get(wire.OPT_WANT, ())
    ]


def test_a_leave_of_a_later_life_ends_nobody_who_lives() -> None:
    mesh, liar, victim = with_victim()
    forged = claimant(mesh, "x2", "x")
    liar.say("a", pages=[forged.page_zero(NodeState.LEFT)])
    mesh.run(3)
    assert held(mesh["a"], "x").status is Status.ALIVE
    assert held(mesh["a"], "x").generation == victim.generation
    assert forged.heard == []


def test_a_forged_life_does_not_keep_the_true_one_waiting() -> None:
    """Four of a name are asked at a time, and who speaks for itself is always among them."""
    mesh, liar, _ = with_victim()
    for number in range(6):
        forged = claimant(mesh, f"f{number}", "x", later=(number + 1) << 20)
        forged.answers = False
        liar.say("a", pages=[forged.page_zero()])
    true = claimant(mesh, "true", "x", later=5)
    true.say("a", pages=[true.page_zero()])
    mesh.run(0.1)
    assert held(mesh["a"], "x").generation == true.generation


def test_what_claims_cost_has_an_end() -> None:
    """A liar claims a name fifty times a second: four at a time are asked, three times each.

    That is 5 questions of 65 bytes a second.
    """
    mesh, liar, victim = with_victim()
    node = mesh["a"]
    for number in range(1000):
        forged = claimant(mesh, f"f{number}", "x", later=(number + 1) << 20)
        forged.answers = False
        liar.say("a", pages=[forged.page_zero()])
        mesh.run(0.02)
    assert held(node, "x").generation == victim.generation
    assert node.stats.later_lives_asked <= 4 * (8 + 3 * 20 / 2.5)
    mesh.run(70)
    assert not node._parts.later_lives._lives
    assert not node._parts.later_lives._contested


def test_who_is_asked_in_vain_may_speak_for_itself_later() -> None:
    mesh, liar, _ = with_victim()
    late = claimant(mesh, "x2", "x")
    late.answers = False
    liar.say("a", pages=[late.page_zero()])
    mesh.run(5)
    late.answers = True
    liar.say("a", pages=[late.page_zero()])
    mesh.run(0.2)
    assert held(mesh["a"], "x").generation != late.generation
    late.say("a", pages=[late.page_zero()])
    mesh.run(0.2)
    assert held(mesh["a"], "x").generation == late.generation


def test_why_says_what_is_announced_and_the_log_says_once_a_minute_that_nobody_answers() -> None:
    mesh, liar, _ = with_victim()
    for number in range(3):
        forged = claimant(mesh, f"f{number}", "x", later=(number + 1) << 20)
        forged.answers = False
        liar.say("a", pages=[forged.page_zero()])
        if not number:
            last = mesh["a"].why("x")[-1]
            assert last.kind is EvidenceKind.LATER_LIFE
            assert "liar announced a later life of it at 10.0." in sentence(last, "a", "x")
        mesh.run(4)
    (told,) = mesh.told("a", NameClaimed)
    assert "nobody answers there" in as_line(told, "a")
    assert EvidenceKind.LATER_LIFE_SILENT in [line.kind for line in mesh["a"].why("x")]
    assert all(sentence(line, "a", "x") for line in mesh["a"].why("x"))


def test_forget_drops_what_is_announced_of_a_live_name() -> None:
    mesh, liar, _ = with_victim()
    forged = claimant(mesh, "x2", "x")
    forged.answers = False
    liar.say("a", pages=[forged.page_zero()])
    assert mesh["a"].forget("x", now=mesh.now)
    assert not mesh["a"].forget("x", now=mesh.now)
    assert held(mesh["a"], "x").status is Status.ALIVE
    asked = mesh["a"].stats.later_lives_asked
    liar.say("a", pages=[forged.page_zero()])
    assert mesh["a"].stats.later_lives_asked == asked


def test_forget_takes_what_was_never_alive() -> None:
    """Story: a name claimed at the last generation was unknown for ever, and forget refused it."""
    mesh = Mesh("a")
    liar, *_ = mesh.puppets("liar")
    ghost = mesh.puppet("ghost")
    ghost.answers = False
    liar.say("a", pages=[ghost.page_zero()])
    assert held(mesh["a"], "ghost").status is Status.UNKNOWN
    assert mesh["a"].forget("ghost", now=mesh.now)
    assert mesh["a"].member("ghost") is None


def test_pages_are_passed_on_before_they_are_proved_but_not_of_a_contested_name() -> None:
    """Else each hop waits for a round trip; and else a liar has each holder send for it."""
    mesh = Mesh("a")
    liar, other, _victim = mesh.puppets("liar", "other", "x")
    mesh.run(3)
    passed = []
    for number in range(2):
        forged = claimant(mesh, f"f{number}", "x", later=(number + 1) << 20)
        forged.answers = False
        page = forged.page_zero()
        liar.say("a", pages=[page])
        mesh.run(4)
        heard = [frame for one in (other, liar) for frame in one.heard]
        passed.append(any(page.raw in f.options.get(wire.OPT_PAGES, ()) for f in heard))
    assert passed == [True, False]


# -- none begins in the future -------------------------------------------------------------------


@pytest.mark.parametrize("later", [26 * HOUR, MAX_GENERATION - 2])
def test_a_life_that_begins_more_than_a_day_ahead_is_refused_and_said_once(later: int) -> None:
    """Story: a name claimed at generation 2^59 - 2 was never given back, nor by a restart."""
    mesh = Mesh("a", wall=True)
    liar, *_ = mesh.puppets("liar")
    generation = later if later > WALL << 16 else (WALL << 16) + later
    for name in ("x", "y"):
        ghost = mesh.puppet(name, generation=generation)
        liar.say("a", pages=[ghost.page_zero()])
        assert mesh["a"].member(name) is None
    assert dropped(mesh["a"], Drop.AHEAD) == 2
    (told,) = mesh.told("a", GenerationAhead)
    assert "in the future" in as_line(told, "a")


def test_a_life_within_a_day_is_believed() -> None:
    mesh = Mesh("a", wall=True)
    mesh.puppet("x", generation=(WALL << 16) + 24 * HOUR).introduce("a")
    assert held(mesh["a"], "x").status is Status.ALIVE


@pytest.mark.parametrize("kind", ["floor", "page", "left"])
def test_what_is_said_of_itself_moves_a_node_at_most_to_a_day_ahead(kind: str) -> None:
    """Story: one forged floor, and the owner itself took the last generation there is."""
    mesh = Mesh("a", wall=True)
    liar, *_ = mesh.puppets("liar")
    node = mesh["a"]
    mesh.run(700)
    for hours in (23, 30, 24 * 365):
        forged = mesh.puppet(f"f{hours}", generation=node.generation + hours * HOUR)
        forged.name = "a"
        state = NodeState.LEFT if kind == "left" else NodeState.UP
        node._local.own.acknowledged = False
        if kind == "floor":
            options = {wire.OPT_MINIMUMS: [["a", forged.generation]]}
            liar.say("a", options=options)
        else:
            liar.say("a", pages=[forged.page_zero(state)])
        mesh.run(1300)
        assert node._local.ahead(node.generation) <= 24 * 3600 + 1
    assert node._local.ahead(node.generation) > 20 * 3600
    assert dropped(node, Drop.AHEAD) > 0


def test_who_begins_in_the_future_is_told_that_it_is_not_admitted() -> None:
    """Else a host whose clock is a week ahead knows everybody, and is known to nobody."""
    mesh = Mesh("a", wall=True)
    ahead = mesh.add("b", generation=mesh.new_generation(7 * 86400.0))
    mesh.run(3)
    assert mesh["a"].member("b") is None
    (told,) = mesh.told("b", NotAdmitted)
    assert (told.active, told.reason) == (True, Refusal.AHEAD)
    assert "clock" in as_line(told, "b")
    assert ahead.member("a") is not None
    assert any(wire.OPT_AHEAD in packet.frame.options for packet in mesh.sent)
    mesh.crash("b")
    mesh.run(70)
    assert [event.active for event in mesh.told("b", NotAdmitted)] == [True]


def test_a_clock_that_jumps_ahead_is_believed_and_one_set_back_is_not() -> None:
    """A machine without a battery hears of the time late; its own count of it goes on meanwhile."""
    mesh = Mesh("a", wall=True)
    local = mesh["a"]._local
    generation = (WALL << 16) + 30 * HOUR
    assert local.ahead(generation) > 25 * 3600
    mesh["a"].new_boot(mesh.now, WALL + 10 * 3_600_000)
    assert local.ahead(generation) < 21 * 3600
    mesh["a"].new_boot(mesh.now, WALL - 10**9)
    assert local.ahead(generation) < 21 * 3600
    assert key_of(mesh["a"])
