"""What others tell of a member's life has this node ask, and does not undo its own silence [P138].

One real node, ``a``; everybody else is a puppet whose words the test chooses.
"""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.events import MemberDied, MemberReturned
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, held
from tests.puppets import Puppet


class Scene:
    """Node ``a``, puppet ``x`` that others speak of, and eight others, among them the liar."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
        monkeypatch.setattr(LocalState, "chance", lambda self, probability: False)
        self.mesh = Mesh("a", **fields)
        self.x, self.liar, *self.others = self.mesh.puppets("x", *(f"y{n}" for n in range(8)))
        self.mesh.run(1)

    def status(self) -> Status:
        return held(self.mesh["a"], "x").status

    def tell(self, by: Puppet, age: float = 0.0) -> None:
        """Tell that x lives, at a heartbeat above all that was said of it."""
        x = held(self.mesh["a"], "x")
        beat, code = max(x.k, x.s, x.d) + 1, wire.age_up(age)
        by.say("a", rows=wire.row(self.x.key, beat, wire.ALIVE, code))

    def accuse(self, by: Puppet) -> None:
        by.say("a", rows=wire.row(self.x.key, held(self.mesh["a"], "x").k, wire.SUSPECT))

    def retell(self, seconds: float) -> None:
        """Run, while a liar tells four times a second that x lives, and one that it does not."""
        for turn in range(int(seconds * 4)):
            if turn % 4 == 0:
                self.accuse(self.others[0])
            for one in self.others:
                one.heartbeat += 1
                one.say("a")
            self.tell(self.liar)
            self.mesh.run(0.25)

    def helped(self) -> set[str]:
        """Who was asked to reach x."""
        names = {one.addresses[0]: one.name for one in (self.liar, *self.others)}
        return {names[packet.target] for packet in self.mesh.sent if packet.frame.kind == wire.HELP}


def test_a_dead_host_leaves_lookups_while_a_liar_tells_that_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stayed for as long as it was told: 46 s of 46, on every host [P138]."""
    scene = Scene(monkeypatch)
    scene.x.answers = False
    scene.retell(10)
    assert scene.status() in (Status.DEAD, Status.RETURNING)
    assert len(scene.mesh.told("a", MemberDied, "x")) == 1
    assert scene.mesh.told("a", MemberReturned, "x") == []


def test_the_word_of_others_ends_a_suspicion_that_others_brought_once_in_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A false suspicion costs no question, as long as it is the first [P138]."""
    scene = Scene(monkeypatch)
    scene.accuse(scene.others[0])
    scene.tell(scene.others[1])
    assert scene.status() is Status.ALIVE
    scene.accuse(scene.others[0])
    scene.tell(scene.others[1])
    assert scene.status() is Status.SUSPECT
    scene.mesh.run(0.1)
    assert scene.status() is Status.ALIVE  # it answered


def test_death_waits_for_the_help_of_whoever_says_that_the_member_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where one host bridges two halves, 53 members died that others had just reached [P138]."""
    scene = Scene(monkeypatch)
    bridge = scene.others[3]
    scene.x.answers = False
    scene.accuse(scene.others[0])
    scene.mesh.until(lambda: held(scene.mesh["a"], "x").failed_at is not None)
    scene.mesh.sent.clear()
    scene.tell(bridge)
    assert scene.status() is Status.SUSPECT
    scene.mesh.run(0.3)
    assert bridge.name in scene.helped()
    asked = next(one for one in reversed(bridge.heard) if one.kind == wire.HELP)
    options = {wire.OPT_TARGET: scene.x.key, wire.OPT_REACHED: True}
    bridge.say("a", wire.HELPED, probe=asked.probe, options=options)
    assert scene.status() is Status.ALIVE
    assert scene.mesh.told("a", MemberDied, "x") == []


def test_the_helper_is_who_tells_the_youngest_evidence_and_not_who_tells_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two bridges, 41 hosts: one host was held dead by one that asked only those who were told.

    What passed from hand to hand is older than what a bridge tells [P138].
    """
    scene = Scene(monkeypatch, helpers=1)
    bridge, told = scene.others[3], scene.others[4]
    scene.x.answers = False
    scene.accuse(scene.others[0])
    scene.mesh.until(lambda: held(scene.mesh["a"], "x").failed_at is not None)
    scene.mesh.run(0.05)
    scene.mesh.sent.clear()
    scene.tell(bridge)
    scene.tell(told, age=0.04)
    scene.mesh.run(0.3)
    assert scene.helped() == {bridge.name}


def test_one_held_dead_here_is_asked_and_not_taken_back_on_the_word_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A split heals by answers: what others tell of the dead is where to ask [P138]."""
    scene = Scene(monkeypatch)
    scene.x.answers = False
    scene.accuse(scene.others[0])
    scene.mesh.until(lambda: scene.status() is Status.DEAD)
    scene.tell(scene.liar)
    assert scene.status() is Status.RETURNING
    scene.mesh.run(2)
    assert scene.status() is Status.RETURNING
    scene.x.answers = True
    scene.retell(4)
    assert scene.status() in (Status.ALIVE, Status.PROBATION)


def test_only_who_got_the_answer_itself_tells_that_it_reached_a_member(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hosts that were only told passed it on, and were asked from then on as if they were bridges.

    The helper of one that asked for help itself had "reached" go on from hand to hand, at the age
    of an answer [P139].
    """
    scene = Scene(monkeypatch)
    scene.x.answers = False
    seeker, bridge = scene.others[0], scene.others[1]
    scene.mesh["a"]._parts.probes.start(held(scene.mesh["a"], "x"), Purpose.FAILURE)
    options = {wire.OPT_TARGET: scene.x.key}
    seeker.say("a", wire.HELP, probe=64, options=options)
    scene.mesh.until(lambda: any(one.frame.kind == wire.HELP for one in scene.mesh.sent))
    asked = next(one for one in scene.mesh.sent if one.frame.kind == wire.HELP)
    options = {**options, wire.OPT_REACHED: True}
    bridge.say("a", wire.HELPED, probe=asked.frame.probe, options=options)
    scene.mesh.run(0.1)
    told = [one for one in seeker.heard if one.kind == wire.HELPED]
    assert told
    assert not any(wire.OPT_REACHED in one.options for one in told)
