"""Whom a rotation waits for, and when enough members are as far: a table of rows."""

from __future__ import annotations

import pytest

from gossipmm.core.life.rotation_progress import Standing, has_majority, obstacles, standing
from gossipmm.core.values.rotation_state import Phase, RotationState, Told

ADD = RotationState(0, 1, Phase.ADD, b"\x02", b"\x01", False, 5, 60)
USE, DONE = ADD._replace(phase=Phase.USE), ADD._replace(phase=Phase.DONE)
OLD, BOTH, SWITCHED = (b"\x01",), (b"\x01", b"\x02"), (b"\x02", b"\x01")


@pytest.mark.parametrize(
    ("holds", "register", "covered"),
    [
        (OLD, ADD, False),
        (BOTH, ADD, True),
        (SWITCHED, ADD, True),
        (BOTH, USE, False),
        (SWITCHED, USE, True),
        ((b"\x02",), DONE, True),
        (OLD, DONE, False),
    ],
)
def test_how_far_a_member_is(
    holds: tuple[bytes, ...], register: RotationState, covered: bool
) -> None:
    found = standing("a", Told(holds, register), register, live=True)
    assert found == Standing("a", True, holds, covered)


def test_who_does_not_tell_is_not_as_far() -> None:
    """An older version, or one that does not encrypt."""
    for register in (ADD, USE):
        assert standing("a", None, register, live=True) == Standing("a", True, (), False)


LIVE, DOWN = Standing("live", True, OLD, False), Standing("down", False, OLD, False)
FINE = Standing("fine", True, SWITCHED, True)


@pytest.mark.parametrize(
    ("register", "expired", "without", "waits"),
    [
        (ADD, False, (), ["live"]),  # who is down gets the key when it comes back
        (ADD, True, (), ["live"]),  # no time limit cuts a live member off
        (ADD, False, ("live",), []),
        (USE, False, (), ["live", "down"]),
        (USE, False, ("down",), ["live"]),
        (USE, True, (), []),
        (DONE, False, (), []),
    ],
)
def test_whom_a_phase_waits_for(
    register: RotationState, expired: bool, without: tuple[str, ...], waits: list[str]
) -> None:
    """[P117]."""
    found = obstacles([LIVE, DOWN, FINE], register, without, expired=expired)
    assert [member.name for member in found] == waits


@pytest.mark.parametrize(
    ("covered", "others", "at_start", "without", "left", "enough"),
    [
        (1, 0, 1, 0, 0, True),
        (1, 1, 2, 0, 0, False),  # half of two is not more than half
        (2, 1, 3, 0, 0, True),
        (2, 0, 5, 0, 0, False),  # this node knows two of the five that there were
        (2, 0, 5, 0, 3, True),  # the other three have left
        (1, 1, 2, 1, 0, True),  # the operator named the other one
        (3, 3, 5, 0, 0, False),
        (3, 2, 5, 0, 0, True),
    ],
)
def test_more_than_half(
    covered: int, others: int, at_start: int, without: int, left: int, enough: bool
) -> None:
    """[P117]."""
    members = [FINE._replace(name=f"f{n}") for n in range(covered)]
    members += [DOWN._replace(name=f"d{n}") for n in range(others)]
    named = [f"d{n}" for n in range(without)]
    assert has_majority(members, ADD._replace(members=at_start), named, left) is enough
