"""Claims about others [P28, P29]: who is believed, who is answered, who is told.

One real node, ``a``; everybody else is a puppet whose words the test chooses.
"""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from gossipmm.core.sending.packing import claim_row
from gossipmm.core.table.member import TRAIL
from gossipmm.core.values.events import MemberDied, MemberRefuted, MemberSuspected
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import NodeState, Registration, Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, Packet, dropped, held, key_of, picks
from tests.puppets import Puppet, claims


class Scene:
    """Node ``a``, which knows puppets x, y and z, all alive; it has exchanged with nobody yet."""

    def __init__(self, **fields: Any) -> None:
        self.mesh = Mesh("a", **fields)
        self.node = self.mesh["a"]
        self.x, self.y, self.z = self.mesh.puppets("x", "y", "z")

    def status(self, puppet: Puppet) -> Status:
        return held(self.node, puppet.name).status

    def accuse(self, puppet: Puppet, by: Puppet, *accusers: Puppet, beat: int = 0) -> list[Packet]:
        """``by`` says that the puppet is suspect, at its present heartbeat or another."""
        rows = wire.row(puppet.key, beat or puppet.heartbeat, wire.SUSPECT)
        rows += b"".join(wire.row(one.key, 0, wire.ACCUSER) for one in accusers)
        return by.say("a", rows=rows)

    def declare_dead(self, puppet: Puppet, *, answers: bool = False) -> None:
        """Let ``a`` find the puppet dead, by its own timer."""
        puppet.answers = False
        self.accuse(puppet, self.z, beat=puppet.heartbeat + 1)
        self.mesh.until(lambda: self.status(puppet) is Status.DEAD, within=15)
        puppet.answers = answers
        puppet.heard.clear()


# -- alive -------------------------------------------------------------------------------------


def test_a_claim_alive_raises_the_heartbeat_whoever_brings_it() -> None:
    """[P23]."""
    scene = Scene()
    scene.y.say("a", rows=wire.row(scene.x.key, 20, wire.ALIVE))
    assert held(scene.node, "x").k == 20
    scene.y.say("a", rows=wire.row(scene.x.key, 19, wire.ALIVE))
    assert held(scene.node, "x").k == 20


def test_an_accusation_raises_neither_k_nor_the_dead() -> None:
    """[P23]."""
    scene = Scene()
    scene.accuse(scene.x, scene.y, beat=50)
    assert held(scene.node, "x").maxima == (scene.x.heartbeat, 50, -1)


def test_evidence_heard_from_others_is_as_old_as_they_say() -> None:
    """A claim "alive" carries the age of its evidence; the time spent here is added on the way.

    [P24]
    """
    scene = Scene()
    w = scene.mesh.puppet("w")
    age = wire.age_up(2.0)
    scene.y.say("a", pages=[w.page_zero()], rows=wire.row(w.key, 20, wire.ALIVE, age))
    member = held(scene.node, "w")
    assert member.heard == pytest.approx(scene.mesh.now - wire.AGES[age])
    told = next(wire.rows_in(claim_row(member, scene.mesh.now + 3.0)))
    assert wire.AGES[told[3]] >= wire.AGES[age] + 3.0


# -- suspect -----------------------------------------------------------------------------------


def test_anyone_who_knows_better_refutes_and_does_not_pass_the_accusation_on() -> None:
    """A stale accusation dies at the first node that knows better [P28]."""
    scene = Scene()
    scene.y.say("a", rows=wire.row(scene.x.key, 20, wire.ALIVE))
    replies = scene.accuse(scene.x, scene.z, beat=19)
    assert [(p.target, claims(p.frame.rows)) for p in replies] == [
        (scene.z.addresses[0], [(wire.ALIVE, 20)])
    ]
    assert scene.status(scene.x) is Status.ALIVE
    scene.mesh.run(0.1)
    said = [p for p in scene.mesh.sent if (wire.SUSPECT, 19) in claims(p.frame.rows)]
    assert said == []
    assert scene.mesh.told("a", MemberSuspected) == []


def test_an_accusation_at_the_heartbeat_known_counts_and_is_pushed_on() -> None:
    """[P28]."""
    scene = Scene()
    scene.accuse(scene.x, scene.y)
    assert scene.status(scene.x) is Status.SUSPECT
    scene.mesh.run(0.001)
    told = {p.target for p in scene.mesh.sent if claims(p.frame.rows, scene.x.key)[:1]}
    assert told >= {scene.y.addresses[0], scene.z.addresses[0]}


def test_a_refutation_ends_a_suspicion_and_is_pushed_on() -> None:
    """[P33]."""
    scene = Scene()
    scene.x.answers = False
    scene.accuse(scene.x, scene.y)
    scene.mesh.run(0.3)
    scene.mesh.sent.clear()
    scene.z.say("a", rows=wire.row(scene.x.key, scene.x.heartbeat + 1, wire.ALIVE))
    assert scene.status(scene.x) is Status.ALIVE
    refuted = scene.mesh.told("a", MemberRefuted)
    assert [(event.name, event.reporter) for event in refuted] == [("x", "z")]
    scene.mesh.run(0.001)
    said = [p for p in scene.mesh.sent if claims(p.frame.rows, scene.x.key)]
    assert {claims(p.frame.rows, scene.x.key)[0][0] for p in said} == {wire.ALIVE}
    assert len(said) >= 2
    scene.mesh.run(0.2)
    assert scene.mesh.told("a", MemberDied) == []


@pytest.mark.parametrize("why", ["suspect", "dead", "returning", "unknown"])
def test_what_a_reporter_says_against_others_counts_only_while_it_is_itself_above_suspicion(
    why: str,
) -> None:
    """[P29]."""
    scene = Scene()
    if why == "suspect":
        scene.y.answers = False
        scene.accuse(scene.y, scene.z, beat=99)
    elif why in ("dead", "returning"):
        scene.declare_dead(scene.y)
        if why == "returning":
            scene.y.heartbeat += 50
            scene.z.say("a", rows=wire.row(scene.y.key, scene.y.heartbeat, wire.ALIVE, 200))
    else:
        scene.y = scene.mesh.puppet("w")
        scene.y.page_zero()
        scene.y.say("a", pages=[scene.y.page(1, Registration("t", "h"))])
    assert scene.status(scene.y).label == why
    before = dropped(scene.node, Drop.SUSPECT_REPORTER)
    beat = held(scene.node, "x").k
    scene.y.say("a", heartbeat=1, rows=wire.row(scene.x.key, beat, wire.SUSPECT))
    scene.y.say("a", heartbeat=1, rows=wire.row(scene.x.key, beat, wire.DEAD, 255))
    assert scene.status(scene.x) is Status.ALIVE
    assert dropped(scene.node, Drop.SUSPECT_REPORTER) == before + 2


def test_good_news_counts_from_anybody() -> None:
    """[P29]."""
    scene = Scene()
    scene.y.answers = False
    scene.accuse(scene.y, scene.z, beat=99)
    scene.y.say("a", rows=wire.row(scene.x.key, 60, wire.ALIVE))
    assert held(scene.node, "x").k == 60


def test_a_stranger_may_bring_good_news_only() -> None:
    """Nothing is known of it: not even that it is a member [P82]."""
    scene = Scene()
    stranger = scene.mesh.puppet("w")
    beat = held(scene.node, "x").k
    rows = wire.row(scene.x.key, beat + 1, wire.SUSPECT) + wire.row(scene.y.key, 70, wire.ALIVE)
    stranger.say("a", rows=rows)
    assert scene.status(scene.x) is Status.ALIVE
    assert held(scene.node, "y").k == 70
    assert dropped(scene.node, Drop.UNKNOWN_REPORTER) == 1


def test_a_claim_about_an_unknown_member_asks_its_reporter_for_the_record() -> None:
    """[P40]."""
    scene = Scene()
    w = scene.mesh.puppet("w")
    for claim in (wire.ALIVE, wire.SUSPECT, wire.DEAD, wire.LEFT):
        replies = scene.y.say("a", rows=wire.row(w.key, 3, claim))
        assert [p.frame.options for p in replies] == [{wire.OPT_WANT: [[w.key, b""]]}]
        assert {p.target for p in replies} == {scene.y.addresses[0]}
        scene.mesh.run(1)
    assert scene.node.member("w") is None


def test_one_of_whom_only_a_part_is_known_is_neither_suspected_nor_probed() -> None:
    """Until the record is here the member is unknown.

    Story: a row that named this node as an accuser of a member without page 0 raised IndexError,
    for such a member has no address; rows of others made it suspect, and then dead [P7].
    """
    scene = Scene()
    w = scene.mesh.puppet("w")
    w.page_zero()
    w.say("a", pages=[w.page(1, Registration("t", "h"))])
    me = wire.row(key_of(scene.node), 0, wire.ACCUSER)
    scene.y.say("a", rows=wire.row(w.key, w.heartbeat, wire.SUSPECT) + me)
    scene.y.say("a", rows=wire.row(w.key, w.heartbeat, wire.DEAD))
    scene.mesh.run(8)
    assert scene.status(w) is Status.UNKNOWN
    assert scene.mesh.told("a", MemberSuspected) + scene.mesh.told("a", MemberDied) == []
    assert all(frame.kind != wire.SYN for frame in w.heard)
    w.say("a", pages=[w.page_zero()])
    assert scene.status(w) is Status.ALIVE
    assert picks(scene.node, "t") == ("h",)


# -- how long ----------------------------------------------------------------------------------


def time_to_death(*confirm: tuple[float, str], accusers: int = 1, **fields: Any) -> float:
    """Seconds from the first accusation to the burial, with later ones by others."""
    scene = Scene(**fields)
    others = {puppet.name: puppet for puppet in (scene.y, scene.z, *scene.mesh.puppets("v", "w"))}
    scene.x.answers = False
    scene.mesh.cut("a", ["x"])
    scene.mesh.rules["no probe"] = lambda p: p.frame.kind in (wire.SYN, wire.HELP)
    first = list(others.values())[:accusers]
    began = scene.mesh.now
    scene.accuse(scene.x, scene.y, *first, beat=99)
    for when, name in confirm:
        scene.mesh.run(began + when - scene.mesh.now)
        scene.accuse(scene.x, others[name], beat=99)
    scene.mesh.until(lambda: scene.status(scene.x) is Status.DEAD, within=20, step=0.005)
    return scene.mesh.now - began


def test_a_lonely_accusation_takes_the_maximum_and_a_confirmed_one_the_minimum() -> None:
    """Lifeguard: independent confirmations, distinct accusers, shorten the suspicion [P32]."""
    # Once its probe has ended, "a" itself would confirm: let that last, and no death wait for it.
    alone = frozenset({Mechanism.FIRST_HAND_DEATH})
    fields: dict[str, Any] = {"gossip_interval": 30.0, "resend_base": 1.0, "without": alone}
    lonely = time_to_death(**fields)
    assert lonely == pytest.approx(3.0, abs=0.02)
    assert time_to_death((0.1, "y"), (0.2, "y"), **fields) == pytest.approx(lonely, abs=0.02)
    one = time_to_death((0.1, "z"), **fields)
    two = time_to_death((0.1, "z"), (0.2, "v"), **fields)
    three = time_to_death((0.1, "z"), (0.2, "v"), (0.3, "w"), **fields)
    assert lonely > one > two > three == pytest.approx(1.0, abs=0.02)
    assert time_to_death(accusers=4, **fields) == pytest.approx(three, abs=0.02)


def test_a_late_confirmation_does_not_start_the_time_anew() -> None:
    """The timer starts when S reaches K, is not restarted, ends when K > S [P32]."""
    alone = frozenset({Mechanism.FIRST_HAND_DEATH})
    fields: dict[str, Any] = {"gossip_interval": 30.0, "resend_base": 1.0, "without": alone}
    assert time_to_death((2.5, "z"), **fields) == pytest.approx(2.5, abs=0.02)
    assert time_to_death((2.9, "y"), **fields) == pytest.approx(3.0, abs=0.02)


# -- dead --------------------------------------------------------------------------------------


def test_everyone_buries_for_himself() -> None:
    """A death heard raises S, not D: else one mute accuser's belief becomes everybody's [P34]."""
    scene = Scene()
    scene.y.say("a", rows=wire.row(scene.x.key, scene.x.heartbeat, wire.DEAD, 0))
    assert scene.status(scene.x) is Status.SUSPECT
    assert held(scene.node, "x").d == -1
    scene.mesh.run(1)
    assert scene.status(scene.x) is Status.ALIVE  # it answered the probe that this caused
    assert scene.mesh.told("a", MemberDied) == []


def test_a_death_older_than_any_suspicion_lasts_is_taken_as_a_death() -> None:
    """So that who comes late does not count to the maximum for each of the long dead.

    Only of those whom it does not hold alive itself: see test_holding.py [P35].
    """
    scene = Scene()
    age = wire.age_up(20 * scene.mesh.config.suspicion_max)
    v = scene.mesh.puppet("v")
    scene.y.say("a", pages=[v.page_zero()], rows=wire.row(v.key, v.heartbeat, wire.DEAD, age))
    member = held(scene.node, "v")
    assert member.status is Status.DEAD
    assert member.declared_dead_at == pytest.approx(scene.mesh.now - wire.AGES[age])
    w = scene.mesh.puppet("w").introduce("a")
    scene.y.say("a", rows=wire.row(w.key, w.heartbeat - 1, wire.DEAD, age))
    assert scene.status(w) is Status.ALIVE  # a stale one is contradicted, however old


def test_who_accuses_knowing_this_nodes_heartbeat_is_not_answered() -> None:
    """Story (swarm, seed 2434): two nodes held each other for returning, and one was slow.

    Each told the other that it was held dead, at an old heartbeat; each refuted that with its own
    heartbeat, beginning with what it held of the other: 11,000 datagrams in half a second, until a
    probe was answered. Such a reporter lacks only that answer, so nothing else is said [P38].
    """
    scene = Scene()
    scene.x.answers = False
    scene.mesh.until(lambda: scene.status(scene.x) is Status.DEAD, within=30)
    scene.x.say("a", heartbeat=scene.x.heartbeat + 1)
    assert scene.status(scene.x) is Status.RETURNING
    node = scene.node
    me = wire.record_key(node.config.cluster, node.name, node.generation)
    for known, answers in ((node.heartbeat, 0), (node.heartbeat - 1, 1)):
        row = wire.row(me, 1, wire.DEAD, wire.age_down(3.0))
        replies = scene.x.say("a", rows=row, known=known, heartbeat=scene.x.heartbeat + 1)
        assert len([p for p in replies if p.frame.kind == wire.NEWS]) == answers


def test_a_member_never_seen_alive_is_in_no_lookup() -> None:
    """[P7]."""
    scene = Scene()
    w = scene.mesh.puppet("w")
    pages = [w.page_zero(), w.page(1, Registration("t", "h"))]
    scene.y.say("a", pages=pages)
    assert scene.status(w) is Status.UNKNOWN
    assert picks(scene.node, "t") == ()
    scene.y.say("a", rows=wire.row(w.key, 3, wire.ALIVE, 100))
    assert picks(scene.node, "t") == ("h",)


# -- everybody is told -------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["suspect", "dead", "left"])
def test_nobody_is_accused_without_being_told(what: str) -> None:
    """Every datagram to a member held suspect, dead or left begins with that claim [P37]."""
    scene = Scene()
    if what == "suspect":
        scene.x.answers = False
        scene.accuse(scene.x, scene.y, beat=99)
        expected = (wire.SUSPECT, 99)
    elif what == "dead":
        scene.declare_dead(scene.x)
        expected = (wire.DEAD, held(scene.node, "x").d)
    else:
        scene.x.say("a", pages=[scene.x.page_zero(NodeState.LEFT)])
        expected = (wire.LEFT, 0)
    scene.x.heard.clear()
    for _ in range(20):
        scene.x.say("a", wire.SYN, probe=7, heartbeat=1)
        scene.mesh.run(0.05)
    assert len(scene.x.heard) >= 20
    for frame in scene.x.heard:
        assert claims(frame.rows)[0] == expected
        assert frame.target == scene.x.key


def test_the_accused_is_told_at_once_by_its_accuser() -> None:
    """[P37]."""
    scene = Scene()
    scene.x.answers = False
    scene.mesh.until(lambda: scene.status(scene.x) is Status.SUSPECT, within=30)
    told = [f for f in scene.x.heard if f.kind == wire.NEWS]
    assert claims(told[0].rows)[0][0] == wire.SUSPECT


def test_the_accused_raises_its_heartbeat_and_says_so_at_once() -> None:
    """[P38]."""
    scene = Scene()
    own = key_of(scene.node)
    for claim in (wire.SUSPECT, wire.DEAD):
        beat = scene.node.heartbeat
        replies = scene.x.say("a", rows=wire.row(own, beat, claim))
        assert scene.node.heartbeat == beat + 1
        assert claims(replies[0].frame.rows, own) == [(wire.ALIVE, beat + 1)]
        scene.mesh.run(0.001)
        told = {p.target for p in scene.mesh.sent if (wire.ALIVE, beat + 1) in claims(p.frame.rows)}
        assert len(told) == 3
    beat = scene.node.heartbeat
    replies = scene.x.say("a", rows=wire.row(own, beat - 1, wire.SUSPECT))
    assert scene.node.heartbeat == beat  # a stale one needs no new heartbeat
    assert claims(replies[0].frame.rows, own) == [(wire.ALIVE, beat)]


def test_the_trail_of_evidence_is_bounded_and_says_who_what_and_when() -> None:
    """[P26]."""
    scene = Scene()
    for beat in range(100, 200, 2):
        scene.accuse(scene.x, scene.y, beat=beat)
        held(scene.node, "x").lifted_at = -inf  # as if it had been reached since [P138]
        scene.z.say("a", rows=wire.row(scene.x.key, beat + 1, wire.ALIVE))
    trail = scene.node.why("x")
    assert len(trail) == TRAIL
    assert [(line.kind, line.reporter) for line in trail[-2:]] == [
        ("accused", "y"),
        ("refuted", "z"),
    ]
    assert trail[-1].at == scene.mesh.now
    assert scene.node.why("nobody") == ()
