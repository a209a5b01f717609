"""What happens at ``max_members``: the gone make room for the living [P105]."""

from __future__ import annotations

from gossipmm.core.values.events import MemberReaped, NotAdmitted, TableFull
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import NodeState, Status
from gossipmm.core.wire import frame as wire
from gossipmm.text.events import as_line
from tests.helpers import Mesh, dropped, held
from tests.puppets import Puppet

#: Members that fit beside a, whose table is looked at.
ROOM = 5


def crowded(*, left: int, dead: int) -> tuple[Mesh, list[Puppet]]:
    """Node a, full: first the dead died, one after the other, then others left."""
    mesh = Mesh("a", max_members=ROOM + 1)
    puppets = [mesh.puppet(f"p{number}").introduce("a") for number in range(ROOM)]
    mesh.run(1)
    for one in puppets[:dead]:
        one.answers = False
        # Puppets probe nobody: it waits for its turn at a, of which there is one in four intervals.
        mesh.until(lambda one=one: held(mesh["a"], one.name).status is Status.DEAD, within=60)
    for one in puppets[dead : dead + left]:
        one.say("a", pages=[one.page_zero(NodeState.LEFT)])
        mesh.run(1)
    return mesh, puppets


def test_those_that_left_make_room_first_the_longest_gone_before_the_others() -> None:
    """Story: the left and the dead of 24 h counted as members, until no host could join.

    At the default one new name every 8.6 s was enough (moby#52661: nodes replaced).
    """
    mesh, _ = crowded(left=2, dead=2)
    for number, closed in enumerate(["p2", "p3", "p0", "p1"]):
        mesh.events["a"].clear()
        newcomer = mesh.puppet(f"new{number}").introduce("a")
        assert held(mesh["a"], newcomer.name).status is Status.ALIVE
        assert [event.name for event in mesh.told("a", MemberReaped)] == [closed]
    assert dropped(mesh["a"], Drop.MAX_MEMBERS) == 0


def test_a_live_member_is_never_closed() -> None:
    """Nor one that is suspected: when all live, the newcomer is refused."""
    mesh, puppets = crowded(left=0, dead=0)
    puppets[1].say("a", rows=wire.row(puppets[0].key, puppets[0].heartbeat + 1, wire.SUSPECT))
    assert held(mesh["a"], "p0").status is Status.SUSPECT
    mesh.puppet("new").introduce("a")
    assert mesh["a"].member("new") is None
    assert all(mesh["a"].member(one.name) is not None for one in puppets)
    assert dropped(mesh["a"], Drop.MAX_MEMBERS) == 1


def test_who_made_room_never_returns_with_that_life() -> None:
    """Its minimum generation keeps promise 3, as after reaping [P47]."""
    mesh, puppets = crowded(left=0, dead=1)
    mesh.puppet("new").introduce("a")
    old = puppets[0]
    old.answers = True
    (reply,) = old.say("a", kind=wire.SYN, pages=[old.page_zero()])
    assert reply.frame.options[wire.OPT_MINIMUMS] == [[old.name, old.generation]]
    assert mesh["a"].member(old.name) is None


def test_a_full_table_asks_for_nobody_who_is_gone() -> None:
    """Each would displace another one that is gone, and be displaced by it again."""
    mesh, puppets = crowded(left=1, dead=0)
    for claim in (wire.DEAD, wire.LEFT):
        stranger = mesh.puppet(f"stranger{claim}")
        assert puppets[1].say("a", rows=wire.row(stranger.key, 3, claim)) == []
    mesh.run(2)
    assert mesh["a"].member("p0") is not None


def test_a_page_of_a_closed_life_displaces_nobody() -> None:
    mesh, puppets = crowded(left=2, dead=0)
    mesh.puppet("new").introduce("a")
    puppets[0].say("a", pages=[puppets[0].page_zero()])
    assert mesh["a"].member("p1") is not None
    assert dropped(mesh["a"], Drop.CLOSED_GENERATION) == 1


def test_invented_members_do_not_make_room_for_each_other_without_end() -> None:
    """Story: each died as it came, and made room for the next one.

    Every one of them cost a join, a suspicion and a death that all told each other: 50 inventions a
    second at 100 places cost three times what they had cost when the dead made no room.
    """
    mesh, _ = crowded(left=ROOM, dead=0)
    node = mesh["a"]

    def invent(name: str) -> bool:
        invented = mesh.puppet(name).introduce("a")
        known = node.member(name) is not None
        if known:
            invented.say("a", pages=[invented.page_zero(NodeState.LEFT)])
        return known

    assert [invent(f"ghost{number}") for number in range(20)] == [True] * 8 + [False] * 12
    assert dropped(node, Drop.MAX_MEMBERS) >= 4
    mesh.run(600 / 8)  # one more is due
    assert [invent("later"), invent("too-many")] == [True, False]


def test_who_is_refused_is_told_why_and_both_sides_say_so_once() -> None:
    """Story: members logged nothing, and the newcomer read that nobody had answered.

    [P105] (moby#52661).
    """
    mesh, puppets = crowded(left=0, dead=0)
    node = mesh.add("new", seeds=mesh["a"].addresses)
    mesh.run(5)
    assert mesh["a"].member("new") is None
    (full,) = mesh.told("a", TableFull)
    assert (full.active, full.limit) == (True, ROOM + 1)
    assert "refused" in as_line(full, "a")
    (refused,) = mesh.told("new", NotAdmitted)
    assert (refused.active, refused.source) == (True, mesh["a"].addresses[0])
    assert "max_members" in as_line(refused, "new")

    puppets[0].say("a", pages=[puppets[0].page_zero(NodeState.LEFT)])
    mesh.until(lambda: mesh["a"].member("new") is not None, within=40)
    assert node.member("a") is not None
    puppets[1].say("a", pages=[puppets[1].page_zero(NodeState.LEFT)])
    mesh["a"].forget("p1", now=mesh.now)
    mesh.run(80)
    assert [event.active for event in mesh.told("a", TableFull)] == [True, False]
    assert [event.active for event in mesh.told("new", NotAdmitted)] == [True, False]
    assert all(as_line(event, "x") for event in mesh.told("new", NotAdmitted))


def test_a_stranger_that_says_unasked_that_it_is_full_is_not_believed() -> None:
    mesh = Mesh("a")
    stranger = mesh.puppet("x")
    stranger.say("a", options={wire.OPT_FULL: True})
    assert mesh.told("a", NotAdmitted) == []
    stranger.introduce("a")
    stranger.say("a", options={wire.OPT_FULL: True})
    assert len(mesh.told("a", NotAdmitted)) == 1
