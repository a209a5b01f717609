"""What is fetched of a peer is known of that peer, however late this node is [P136]."""

from __future__ import annotations

from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh


def test_a_peer_that_is_asked_again_for_the_only_record_it_was_asked_for() -> None:
    """Story: 106 kB of one insider ended an agent, with a KeyError.

    The agent was late, so that nothing more was expected of a fetch whose timer had not fired yet:
    it was ended, and the record asked for in its name all the same. The next digest found nobody.
    """
    mesh = Mesh("a", "b")
    x = mesh.puppet("x")
    mesh.settle()
    x.say("a", pages=[x.page_zero()])
    mesh.run(1)
    key = mesh["b"]._local.me.key
    asked = 0
    for number in range(4):
        row = wire.digest_row(key, 1, wire.ALIVE, 0, bytes((number,)) * 6)
        said = x.say("a", options={wire.OPT_DIGEST: [0, b"\0", row, 2]})
        asked += sum(wire.OPT_WANT in one.frame.options for one in said)
        mesh.now += 5.0  # no timer has run meanwhile
    assert asked == 4
