"""Processes that end without a leave and start again, again and again [P45]."""

from __future__ import annotations

import pytest

from gossipmm.core.values.events import (
    MemberCrashLooping,
    MemberJoined,
    MemberRestarted,
    ProbationEnded,
)
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Status, StatusReason
from tests.helpers import Mesh, held, picks


def loop(mesh: Mesh, lives: int, *, up: float = 2.5, down: float = 1.0, leaves: bool = False):
    """Let b end and start again so many times, at its own address."""
    address = mesh["b"].addresses[0]
    for _ in range(lives):
        if leaves:
            mesh["b"].leave(mesh.now)
            mesh.run(0.2)
        mesh.crash("b")
        mesh.run(down)
        mesh.add("b", address=address)
        mesh["b"].register("t", "h", now=mesh.now)
        mesh.run(up)


def three(**fields: object) -> Mesh:
    mesh = Mesh("a", "b", "c", **fields)
    mesh["b"].register("t", "h", now=mesh.now)
    mesh.settle()
    mesh.run(2)
    return mesh


@pytest.mark.parametrize("down", [0.05, 1.0, 12.0])
def test_a_host_in_a_crash_loop_is_in_no_lookup_from_the_third_start_on(down: float) -> None:
    """Story: 21 lives in 75 s, and the host was in 97 % of all lookups.

    Returns were counted for a life, and each of these had none; whether its death was noticed in
    between makes no difference.
    """
    mesh = three()
    loop(mesh, 2, down=down)
    assert [picks(mesh[name], "t") for name in "ac"] == [("h",), ("h",)]
    loop(mesh, 1, down=down)
    for name in "ac":
        assert picks(mesh[name], "t") == ()
        assert held(mesh[name], "b").status is Status.PROBATION
        view = mesh[name].member("b")
        assert view is not None
        assert (view.reason, view.returns) == (StatusReason.CRASHES, 3)
        line = [one for one in mesh[name].why("b") if one.kind is EvidenceKind.CRASHED][-1]
        assert line.facts["probation"] == 8.0


def test_it_waits_longer_each_time_and_is_told_of_once() -> None:
    """The event says what goes on; the starts that follow are ordinary ones."""
    mesh = three()
    loop(mesh, 6)
    (told,) = mesh.told("a", MemberCrashLooping)
    assert (told.name, told.lives, told.probation) == ("b", 3, 8.0)
    assert len(mesh.told("a", MemberRestarted)) == 6
    until = held(mesh["a"], "b").probation_until
    assert until is not None
    assert until - mesh.now == pytest.approx(60 - 2.5, abs=0.5)
    mesh.run(60)
    assert picks(mesh["a"], "t") == ("h",)
    assert [event.name for event in mesh.told("a", ProbationEnded)] == ["b"]


def test_it_is_told_again_after_it_was_taken_back() -> None:
    mesh = three()
    loop(mesh, 3)
    mesh.run(10)
    assert len(mesh.told("a", ProbationEnded)) == 1
    loop(mesh, 1)
    assert len(mesh.told("a", MemberCrashLooping)) == 2


def test_rolling_deployments_count_nothing() -> None:
    """They leave before they start again."""
    mesh = three()
    loop(mesh, 6, leaves=True)
    assert picks(mesh["a"], "t") == picks(mesh["c"], "t") == ("h",)
    assert mesh.told("a", MemberCrashLooping) == []
    assert [event.name for event in mesh.told("a", MemberJoined)].count("b") == 7


def test_a_crash_now_and_then_counts_nothing() -> None:
    """Within `flap_window` the first two are free; earlier ones are forgotten."""
    mesh = three(flap_window=60.0)
    for _ in range(5):
        loop(mesh, 1)
        assert picks(mesh["a"], "t") == ("h",)
        mesh.run(40)


def test_a_leave_does_not_end_what_a_crash_loop_began() -> None:
    """A supervisor that stops a failing process in order now and then does not start it anew."""
    mesh = three()
    loop(mesh, 3)
    loop(mesh, 1, leaves=True)
    assert held(mesh["a"], "b").status is Status.ALIVE
    loop(mesh, 1)
    assert held(mesh["a"], "b").status is Status.PROBATION
    assert held(mesh["a"], "b").returns[-1] == pytest.approx(mesh.now - 2.5, abs=0.5)
    assert len(held(mesh["a"], "b").returns) == 4


def test_another_machine_that_takes_the_name_is_no_crash() -> None:
    """A name that moves is a replacement, or a conflict: it says nothing of the new machine."""
    mesh = three()
    for number in range(4):
        label = f"b{number}"
        mesh.add(label, node_name="b")
        mesh[label].register("t", "h", now=mesh.now)
        mesh.run(3)
        mesh.crash("b" if not number else f"b{number - 1}")
    assert picks(mesh["a"], "t") == ("h",)
    assert mesh.told("a", MemberCrashLooping) == []
