"""Forged registers: they block no rotation, retire no key, and undo no eviction [P130]."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.rotation_state import Phase, RotationState, Told
from tests.core.sealed_mesh import NEW, OLD, OTHER, RING, SealedMesh

FIVE = ("a", "b", "c", "d", "e")
FOURTH = Key(b"\x04", bytes(range(4, 36)))
LAST = (1 << 31) - 3


@pytest.fixture
def five() -> SealedMesh:
    mesh = SealedMesh(*FIVE)
    mesh.settle()
    return mesh


def forge(mesh: SealedMesh, *registers: RotationState, to: str = "abcde") -> None:
    """All of them hear these, as if from a page 0, and time passes."""
    for register in registers:
        for name in to:
            mesh[name].keys.hear_told(Told((OLD.kid,), register))
            mesh.flush(name)
        mesh.run(2)


def rings(mesh: SealedMesh) -> set[tuple[str, ...]]:
    return {tuple(mesh.kids(name)) for name in mesh.names()}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("out_of_band", [False, True])
@pytest.mark.parametrize(("evictions", "epoch"), [(LAST, LAST), (0, LAST), (1, 7), (0, 2)])
def test_a_register_far_ahead_blocks_no_later_rotation(
    five: SealedMesh, phase: Phase, out_of_band: bool, evictions: int, epoch: int
) -> None:
    """Story: one forged register was in every file of keys, and no rotation could go above it."""
    forge(five, RotationState(evictions, epoch, phase, OTHER.kid, OLD.kid, out_of_band, 5, 1))
    assert rings(five) == {("01",)}
    five["b"].keys.start(NEW, five.now)
    five.until(five.done, within=30)
    assert rings(five) == {("02",)}


@pytest.mark.parametrize("phase", Phase)
def test_a_rotation_to_a_key_that_nobody_has_can_be_taken_back(
    five: SealedMesh, phase: Phase
) -> None:
    """One step above the present register is what an honest operator takes, too."""
    forge(five, RotationState(0, 1, phase, OTHER.kid, OLD.kid, False, 1 << 30, 1))
    assert rings(five) == {("01",)}
    five["c"].keys.cancel(five.now)
    five.run(1)
    five.until(five.done, within=30)
    five["d"].keys.start(NEW, five.now)
    five.run(1)
    five.until(five.done, within=30)
    assert rings(five) == {("02",)}


@pytest.mark.parametrize("phase", Phase)
def test_a_rotation_from_a_key_that_nobody_has_is_none(five: SealedMesh, phase: Phase) -> None:
    """Story: nobody could start another one, as it was under way, nor take it back to that key."""
    forge(five, RotationState(0, 1, phase, OTHER.kid, b"\xee", False, 5, 1))
    five["b"].keys.start(NEW, five.now)
    five.until(five.done, within=30)
    assert rings(five) == {("02",)}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("out_of_band", [False, True])
def test_no_register_retires_the_new_key_before_its_rotation(
    five: SealedMesh, phase: Phase, out_of_band: bool
) -> None:
    """Story: who had the leaked key retired the new one on all hosts within 2 s."""
    for name in FIVE:
        five.reread(name, RING.add(NEW))
    forge(
        five,
        RotationState(int(out_of_band), 1, phase, OLD.kid, NEW.kid, out_of_band, 5, 1),
        RotationState(int(out_of_band), 2, phase, OLD.kid, NEW.kid, out_of_band, 5, 1),
    )
    assert rings(five) == {("01", "02")}
    five["a"].keys.start(NEW.kid, five.now, out_of_band=True)
    five.run(1)
    five.until(five.done, within=30)
    assert rings(five) == {("02",)}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize(
    "forged",
    [
        RotationState(2, 2, Phase.ADD, OLD.kid, NEW.kid, True, 5, 1),
        RotationState(2, 2, Phase.ADD, OTHER.kid, NEW.kid, True, 5, 1),
        RotationState(9, 9, Phase.ADD, OLD.kid, NEW.kid, True, 5, 1),
        RotationState(1, 1, Phase.ADD, b"\xff", OLD.kid, True, 5, 1),
        RotationState(1, 2, Phase.ADD, OTHER.kid, NEW.kid, False, 5, 1),
        RotationState(1, 1, Phase.ADD, NEW.kid, OLD.kid, True, 1 << 30, 1 << 30),
    ],
    ids=["taken back", "another", "far ahead", "beside", "by gossip", "members and time"],
)
def test_an_eviction_stays_an_eviction(
    five: SealedMesh, phase: Phase, forged: RotationState
) -> None:
    """Who has the leaked key is an insider until the last step; it cannot have that not come."""
    for name in FIVE:
        five.reread(name, RING.add(NEW))
    five.full.add("e")
    five["a"].keys.start(NEW.kid, five.now, out_of_band=True)
    five.run(2)
    forge(five, forged._replace(phase=phase))
    assert all("02" in five.kids(name) for name in FIVE)
    five.full.clear()
    five.flush("e")
    five.until(five.done, within=30)
    assert rings(five) == {("02",)}


def test_an_eviction_is_cancelled_by_each_host_for_itself(five: SealedMesh) -> None:
    """One host's word is what a forger says, too."""
    for name in FIVE:
        five.reread(name, RING.add(NEW))
    five.full.add("e")
    five["a"].keys.start(NEW.kid, five.now, out_of_band=True)
    five.run(2)
    for name in FIVE:
        five[name].keys.cancel(five.now)
        five.flush(name)
        five.run(1)
    five.full.clear()
    five.flush("e")
    five.until(five.done, within=30)
    assert rings(five) == {("01",)}


def test_a_phase_that_too_few_are_ready_for_is_not_taken_on_a_word(five: SealedMesh) -> None:
    """Else who lags behind could be cut off by a forged *done*, as long as it lags."""
    five.full.update("bcde")
    five["a"].keys.start(NEW, five.now)
    five.run(3)
    register = five["a"].keys.ring.rotation  # type: ignore[union-attr]
    forge(five, register._replace(phase=Phase.USE), register._replace(phase=Phase.DONE))
    assert {five.phase(name) for name in FIVE} == {Phase.ADD}
    assert all("01" in five.kids(name) for name in FIVE)
    five.full.clear()
    for name in FIVE:
        five.flush(name)
    five.until(five.done, within=30)
    assert rings(five) == {("02",)}


def test_who_missed_rotations_learns_from_most_where_the_cluster_is(five: SealedMesh) -> None:
    for key in (NEW, OTHER):
        five["a"].keys.start(key, five.now)
        five.run(1)
        five.until(five.done, within=30)
    five.files["f"] = Keyring((OTHER,))
    five.add("f")
    five.run(3)
    assert five.until(five.done, within=20) < 20
    five["f"].keys.start(FOURTH, five.now)
    five.run(1)
    five.until(five.done, within=30)
    assert rings(five) == {("04",)}


def test_a_newcomer_does_not_believe_the_first_who_speaks(five: SealedMesh) -> None:
    """Most are more than half of the live members."""
    five["a"].keys.start(NEW, five.now)
    five.run(1)
    five.until(five.done, within=30)
    five.files["f"] = Keyring((NEW,))
    five.add("f")
    forged = RotationState(5, 9, Phase.DONE, OTHER.kid, NEW.kid, True, 5, 1)
    five["f"].keys.hear_told(Told((NEW.kid,), forged))
    five.run(5)
    assert five.done()
    ring = five["f"].keys.ring
    assert ring is not None
    assert ring.rotation.epoch == 1


def test_a_register_in_ones_own_file_is_believed(five: SealedMesh) -> None:
    """The operator put it there: then this node is as far as the file says [P114]."""
    ahead = RotationState(3, 8, Phase.DONE, NEW.kid, OLD.kid, True, 5, 1)
    five.reread("b", replace(RING.add(NEW), rotation=ahead))
    assert five.kids("b") == ["02"]
