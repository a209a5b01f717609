"""A leave in the middle of a join."""

from __future__ import annotations

from gossipmm.core.types import Status
from tests.helpers import Mesh


def test_who_leaves_while_it_joins_tells_the_seeds_that_it_knocked_at() -> None:
    """A program that ran for a moment only: its seed had its record, held it alive, then dead.

    Everybody found it in lookups until its death was established, two seconds later.
    """
    mesh = Mesh("a")
    b = mesh.add("b")
    b.register("compute", "b", now=mesh.now)
    mesh.run(1.5 * mesh.latency)  # the knock has arrived at a; its answer has not come back
    b.leave(mesh.now)
    mesh.run(0.5)
    member = mesh["a"].member("b")
    assert member is None or member.status is Status.LEFT
    assert b.left
