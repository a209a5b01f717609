"""What readers see of topics and hosts: the best of all live records, as values that stay."""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.values.events import HostChanged
from gossipmm.core.values.types import EntryState, HostState, Registration, TopicView
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.frame import SUSPECT, row
from tests.helpers import Mesh
from tests.puppets import Puppet

LIVE, DOUBTED, SUSPECTED = HostState.LIVE, HostState.DOUBTED, HostState.SUSPECT
DRAINING = HostState.DRAINING


class Scene:
    """Node ``a`` and puppets ``x``, ``y`` (with what they register) and ``z``, who accuses."""

    def __init__(self, x: list[Registration], y: list[Registration]) -> None:
        self.mesh = Mesh("a")
        self.node = self.mesh["a"]
        self.x = self.mesh.puppet("x").introduce("a", entries=x)
        self.y = self.mesh.puppet("y").introduce("a", entries=y)
        self.z = self.mesh.puppet("z").introduce("a")
        self.mesh.run(0.01)

    def view(self, topic: str = "t") -> TopicView:
        view = self.node.table.topic(topic)
        assert view is not None
        return view

    def states(self, topic: str = "t") -> dict[str, HostState]:
        return {host: entry.state for host, entry in self.view(topic).entries.items()}

    def suspect(self, puppet: Puppet) -> None:
        """An accusation that nobody refutes for the moment."""
        puppet.answers = False
        self.z.say("a", rows=row(puppet.key, puppet.heartbeat + 5, SUSPECT))

    def kill(self, puppet: Puppet) -> None:
        self.suspect(puppet)
        status = self.node.member
        self.mesh.until(lambda: getattr(status(puppet.name), "status", None) == 3, within=10)


def entry(topic: str, host: str, *, draining: bool = False, **metadata: Any) -> Registration:
    return Registration(topic, host, EntryState.DRAINING if draining else EntryState.UP, metadata)


def test_a_host_is_listed_once_with_all_nodes_that_register_it() -> None:
    scene = Scene([entry("t", "h")], [entry("t", "h"), entry("t", "g")])
    assert scene.view().picks == scene.view().fanout == ("g", "h")
    assert scene.view().entries["h"].nodes == ("x", "y")
    assert scene.view().entries["g"].nodes == ("y",)


def test_a_host_stays_for_as_long_as_one_live_record_has_it() -> None:
    """The index holds (topic, host) once, while a live record has it [P8]."""
    scene = Scene([entry("t", "h")], [entry("t", "h")])
    scene.x.say("a", pages=[scene.x.page(1)])
    assert scene.view().picks == ("h",)
    assert scene.view().entries["h"].nodes == ("y",)
    scene.kill(scene.y)
    assert scene.view().picks == ()
    assert dict(scene.view().entries) == {}
    scene.y.say("a", pages=[scene.y.page(1)])
    assert scene.node.table.topic("t") is None


def test_unregistering_one_topic_changes_no_other_topic_and_no_other_host() -> None:
    """Promise 7, to the identity of the values that readers hold [P8]."""
    scene = Scene([entry("t", "h"), entry("t", "i"), entry("u", "h")], [entry("v", "h")])
    others = scene.view("u"), scene.view("v")
    scene.x.say("a", pages=[scene.x.page(1, entry("t", "i"), entry("u", "h"))])
    assert scene.view().picks == ("i",)
    assert scene.view("u") is others[0]
    assert scene.view("v") is others[1]


@pytest.mark.parametrize(
    ("x", "y", "listed", "picks", "fanout"),
    [
        ("alive", "alive", LIVE, ("h",), ("h",)),
        ("suspect", "alive", LIVE, ("h",), ("h",)),
        ("suspect", "suspect", SUSPECTED, ("h",), ("h",)),
        ("draining", "alive", LIVE, ("h",), ("h",)),
        ("draining", "suspect", SUSPECTED, ("h",), ("h",)),
        ("draining", "draining", DRAINING, (), ()),
        ("dead", "suspect", SUSPECTED, ("h",), ("h",)),
        ("dead", "draining", DRAINING, (), ()),
        ("dead", "dead", None, (), ()),
    ],
)
def test_the_best_of_all_records_counts(
    x: str, y: str, listed: HostState | None, picks: tuple[str, ...], fanout: tuple[str, ...]
) -> None:
    """[P8]."""
    scene = Scene([entry("t", "h")], [entry("t", "h")])
    for puppet, state in ((scene.x, x), (scene.y, y)):
        if state == "dead":
            scene.kill(puppet)
    for puppet, state in ((scene.x, x), (scene.y, y)):
        if state == "suspect":
            scene.suspect(puppet)
        elif state == "draining":
            puppet.say("a", pages=[puppet.page(1, entry("t", "h", draining=True))])
    assert scene.states() == ({"h": listed} if listed is not None else {})
    assert (scene.view().picks, scene.view().fanout) == (picks, fanout)


def test_suspects_are_picked_only_while_nobody_is_live_and_always_in_fanouts() -> None:
    """[P8]."""
    scene = Scene([entry("t", "h1")], [entry("t", "h2")])
    scene.suspect(scene.x)
    assert scene.view().picks == ("h2",)
    assert scene.view().fanout == ("h1", "h2")
    scene.suspect(scene.y)
    assert scene.view().picks == ("h1", "h2")


def test_a_host_that_a_caller_could_not_reach_is_the_second_choice_until_its_probe_ends() -> None:
    """report_failure prefers others meanwhile, and is never gossiped as a death [P13]."""
    scene = Scene([entry("t", "h1")], [entry("t", "h2")])
    assert scene.node.report_failure("t", "h1", now=scene.mesh.now)
    assert scene.states() == {"h1": DOUBTED, "h2": LIVE}
    assert (scene.view().picks, scene.view().fanout) == (("h2",), ("h1", "h2"))
    scene.mesh.run(0.1)
    assert scene.states() == {"h1": LIVE, "h2": LIVE}
    assert not scene.node.report_failure("t", "nobody", now=scene.mesh.now)


def test_draining_takes_a_host_out_of_picks_and_fanouts_and_keeps_it_for_direct_lookups() -> None:
    """[P10]."""
    scene = Scene([entry("t", "h1"), entry("t", "h2", draining=True)], [])
    assert scene.view().picks == scene.view().fanout == ("h1",)
    assert scene.states() == {"h1": LIVE, "h2": DRAINING}
    scene.x.say("a", pages=[scene.x.page(1, entry("t", "h1"), entry("t", "h2"))])
    assert scene.view().picks == ("h1", "h2")


def test_a_draining_node_drains_all_its_hosts() -> None:
    """[P10]."""
    scene = Scene([], [])
    scene.node.register("t", "h1", now=scene.mesh.now)
    scene.node.register("t", "h2", now=scene.mesh.now)
    assert scene.node.drain(now=scene.mesh.now) == 1
    assert scene.states() == {"h1": DRAINING, "h2": DRAINING}
    assert scene.node.drain(draining=False, now=scene.mesh.now) == 1
    assert scene.node.drain("t", now=scene.mesh.now) == 2
    assert scene.node.drain("t", "h1", draining=False, now=scene.mesh.now) == 1
    assert scene.states() == {"h1": LIVE, "h2": DRAINING}


def test_what_a_reader_holds_never_changes() -> None:
    """One immutable value a topic: lookups from any thread take no lock [P9]."""
    scene = Scene([entry("t", "h1")], [entry("t", "h2")])
    view = scene.view()
    printed = repr(view)
    scene.suspect(scene.x)
    scene.y.say("a", pages=[scene.y.page(1)])
    scene.node.register("t", "h3", now=scene.mesh.now)
    assert repr(view) == printed
    assert scene.view() is not view


def test_nothing_new_makes_no_new_view() -> None:
    scene = Scene([entry("t", "h1")], [])
    view = scene.view()
    scene.mesh.run(3)
    scene.node.register("u", "h9", now=scene.mesh.now)
    assert scene.view() is view


def test_the_time_of_a_state_is_kept_until_the_state_changes() -> None:
    scene = Scene([entry("t", "h", v=1)], [])
    since = scene.view().entries["h"].since
    scene.mesh.run(1)
    scene.x.say("a", pages=[scene.x.page(1, entry("t", "h", v=2))])
    changed = scene.view().entries["h"]
    assert (changed.since, changed.metadata) == (since, {"v": 2})
    scene.suspect(scene.x)
    assert scene.view().entries["h"].since == scene.mesh.now


def test_each_change_of_a_hosts_state_is_one_event() -> None:
    scene = Scene([entry("t", "h")], [])
    scene.kill(scene.x)
    told = [(e.state, e.previous) for e in scene.mesh.told("a", HostChanged)]
    assert told == [(LIVE, None), (SUSPECTED, LIVE), (None, SUSPECTED)]


def test_expire_hides_a_registration_here_until_its_owner_writes_it_anew() -> None:
    """The owner is asked whether it stands; a page at a higher version shows it again [P12]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.run(0.1)
    assert mesh["b"].expire("t", "h", now=mesh.now)
    mesh.flush("b")
    assert mesh.sent[-1].frame.options == {wire.OPT_EXPIRE: ["t", "h"]}
    view = mesh["b"].table.topic("t")
    assert view is not None
    assert view.picks == ()
    assert mesh["c"].table.topics["t"].picks == ("h",)
    mesh.run(0.2)
    assert mesh["b"].table.topics["t"].picks == ("h",)
    assert not mesh["b"].expire("t", "nobody", now=mesh.now)


def test_a_topic_that_only_the_dead_remember_is_known_and_empty() -> None:
    """Contract of Table.topics: a missing topic is unknown; this one is not."""
    scene = Scene([entry("t", "h")], [])
    scene.kill(scene.x)
    assert scene.view() == TopicView("t", (), (), {}, False)
    assert scene.node.table.topic("u") is None
    assert scene.node.forget("x", now=scene.mesh.now)
    assert scene.node.table.topic("t") is None


def test_a_host_is_up_while_any_topic_has_it_or_a_member_has_its_name() -> None:
    """Replies name hosts in topics that nobody registers: [P8] says nothing of those."""
    scene = Scene([entry("t", "h"), entry("s", "h", draining=True)], [entry("t", "h")])
    table = scene.node.table
    assert [table.is_up(name) for name in ("h", "x", "a", "g", "t")] == [True] * 3 + [False] * 2
    scene.kill(scene.x)
    assert (table.is_up("h"), table.is_up("x")) == (True, False)  # y has it, in one topic
    scene.kill(scene.y)
    assert (table.is_up("h"), table.is_up("y"), table.is_up("z")) == (False, False, True)
    assert table.topics["t"].entries == {}
