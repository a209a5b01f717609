"""What happens in the middle of a join."""

from __future__ import annotations

from gossipmm.core.values.types import Registration, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh


def test_who_leaves_while_it_joins_tells_the_seeds_that_it_knocked_at() -> None:
    """A program that ran for a moment only: its seed had its record, held it alive, then dead.

    Everybody found it in lookups until its death was established, two seconds later [P83].
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


def test_an_answer_of_somebody_whose_page_0_is_not_here_yet_is_survived() -> None:
    """One of a hundred joiners ended with an IndexError, on real sockets.

    A seed's second page had come by news before its first; then the seed answered the joiner's
    knock, and the joiner, who compares tables at once, looked for the address of that record.
    """
    mesh = Mesh("a")
    seed = mesh.puppet("seed")
    node = mesh["a"]
    seed.say("a", pages=[seed.page(1, Registration("compute", "seed"))])
    mesh.run(1)
    node._parts.transfer._pace.hurry()
    seed.say("a", kind=wire.ACK, probe=node._parts.joining._seeds.probe, fingerprint=12345)
    mesh.run(0.5)
    assert seed.key in node.table.by_key
