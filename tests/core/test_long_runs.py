"""What a node keeps does not grow with the time that it runs."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType
from typing import Any

from gossipmm.core.node import Node
from gossipmm.core.values.types import HostState, NodeState, Registration
from gossipmm.core.wire import frame as wire
from tests.bench.large_scene import LargeScene, page_zero
from tests.helpers import Mesh, NodePair, held
from tests.puppets import Puppet

#: Seconds of a stretch in which everything that may be forgotten is.
STRETCH = 400


def objects(root: Node) -> int:
    """Count what can be reached from a node, but for code."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        waiting += gc.get_referents(one)
    return len(seen)


def live_and_leave(scene: LargeScene, seconds: int) -> None:
    """Let a host join each second, under a new name, and leave in the next."""
    for _ in range(seconds):
        number = scene.count
        scene.fill([number])
        scene.hearing(options={wire.OPT_PAGES: [page_zero(number - 1, 5, NodeState.LEFT).raw]})()
        until = scene.now + 1
        while scene.node.next_timer() <= until:
            scene.node.handle_timer(max(scene.node.next_timer(), scene.now))
            scene.settle()
        scene.node._advance(until)
        scene.settle()


def test_one_join_and_one_leave_a_second_leave_nothing_behind() -> None:
    """A day of them shall cost no more memory than the first hour; here in small."""
    scene = LargeScene(0, 1, reap_after=100, max_closed_generations=200)
    scene.fill([0])
    live_and_leave(scene, STRETCH)
    gc.collect()
    before = objects(scene.node)
    assert scene.node.stats.reaped > STRETCH / 2
    live_and_leave(scene, 2 * STRETCH)
    gc.collect()
    assert objects(scene.node) <= 1.05 * before


def test_a_name_closed_again_and_again_takes_one_place() -> None:
    """The keys of all its closed generations stayed, for as long as the agent ran [P47]."""
    table = NodePair().a.table
    for generation in range(1, 500):
        table.close("x", generation << 16)
    assert len(table.minimum_generations) == len(table._minimum_keys) == 1
    key = wire.record_key("gossipmm", "x", 499 << 16)
    assert table.minimum_of_key(key) == ("x", 499 << 16)


def test_registrations_that_were_hidden_and_are_gone_are_forgotten() -> None:
    """Each left its name behind, for as long as its owner lived [P12]."""
    mesh = Mesh("a")
    x = mesh.puppet("x").introduce("a")
    for number in range(50):
        x.say("a", pages=[x.page(1, Registration("t", f"h{number}"))])
        assert mesh["a"].expire("t", f"h{number}", now=mesh.now)
        assert len(held(mesh["a"], "x").hidden or ()) == 1
    x.say("a", pages=[x.page(1)])
    assert not held(mesh["a"], "x").hidden


def doubted(mesh: Mesh, x: Puppet) -> HostState:
    view = mesh["a"].table.topic("t")
    assert view is not None
    return view.entries["h"].state


def test_a_refutation_by_others_ends_the_doubt_of_a_caller() -> None:
    """A caller reported a failure, this node's probe failed as well, and another one reached it.

    The host stayed second choice until this node's own round came to it: a minute of 128 [P13].
    """
    mesh = Mesh("a")
    x = mesh.puppet("x").introduce("a", entries=[Registration("t", "h")])
    y = mesh.puppet("y").introduce("a")
    mesh.run(1)
    x.answers = False
    assert mesh["a"].report_failure("t", "h", now=mesh.now)
    assert doubted(mesh, x) is HostState.DOUBTED
    for _ in range(10):
        y.heartbeat += 1
        y.say("a")
        mesh.run(0.1)
    assert doubted(mesh, x) is HostState.SUSPECT
    x.answers = True
    y.say("a", rows=wire.row(x.key, held(mesh["a"], "x").s + 1, wire.ALIVE))
    mesh.run(0.1)  # it is asked once more [P138]
    assert doubted(mesh, x) is HostState.LIVE
