"""What one datagram does, in which order, and that it is answered at most once."""

from __future__ import annotations

from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, held
from tests.puppets import claims


def test_rows_may_be_about_the_pages_beside_them() -> None:
    """[P107]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    y = mesh.puppet("y")
    x.say("a", rows=wire.row(y.key, y.heartbeat, wire.ALIVE), pages=[y.page_zero()])
    assert held(mesh["a"], "y").status is Status.ALIVE


def test_all_that_a_datagram_brings_about_is_one_reply() -> None:
    """[P107]."""
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    mesh.run(2)
    old = mesh.puppet("z", generation=5)
    new = mesh.puppet("z", generation=6).introduce("a")
    stale = wire.row(y.key, held(mesh["a"], "y").k - 1, wire.SUSPECT)
    unknown = wire.row(99, 1, wire.ALIVE)
    x.say("a", wire.SYN)  # which brings the digest that was due
    for kind, answer in ((wire.SYN, wire.ACK), (wire.NEWS, wire.NEWS)):
        (reply,) = x.say("a", kind, rows=stale + unknown, pages=[old.page_zero()])
        assert reply.frame.kind == answer
        assert claims(reply.frame.rows, y.key) == [(wire.ALIVE, held(mesh["a"], "y").k)]
        assert reply.pages == [held(mesh["a"], "z").pages[0].raw]
        assert [want[0] for want in reply.frame.options[wire.OPT_WANT]] == [99]
        mesh.run(1)
    assert held(mesh["a"], "z").generation == new.generation
