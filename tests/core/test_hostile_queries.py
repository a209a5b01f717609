"""Queries of a member that lies: what it can make others keep."""

from __future__ import annotations

from gossipmm.core.values.queries import Query, QueryAsked
from gossipmm.core.values.questions import Outcome
from gossipmm.core.wire import frame as wire
from tests.core.test_queries import answering, ask, relay_frame, settled
from tests.helpers import key_of


def test_what_is_passed_on_in_the_name_of_another_is_charged_to_who_does_that() -> None:
    """A member could have others refuse the queries of anybody it liked [P196].

    It passed on 32 questions that nobody had asked, each of a minute, in the name of the one that
    was to be refused: what is kept was counted by who asks, which was its word alone.
    """
    mesh = settled("a", "b", "c")
    answering(mesh, "a", after=0.1)
    keys = [key_of(mesh[name]) for name in "abc"]
    for number in range(40):
        relay = [keys[1], keys[0], 1000 + number, [2, "uptime", b"", 60_000, None]]
        mesh.deliver(
            relay_frame(mesh, "c", "a", wire.OPT_RELAY, relay), mesh["c"].addresses[0], "a"
        )
    assert len(mesh["a"].questions.queried._open) >= 32
    found = ask(mesh, "b", Query("uptime", members=(mesh["a"].name,)))
    assert found["a"].outcome is Outcome.DONE


def test_what_is_passed_on_leaves_room_for_what_is_asked() -> None:
    """Eleven a second, each of a minute, filled all that a node keeps, for everybody [P196]."""
    mesh = settled("a", "b", "c")
    queried = mesh["a"].questions.queried
    asked: list[QueryAsked] = []
    queried.handler = lambda query: not asked.append(query)
    key = key_of(mesh["c"])
    for number in range(600):
        query = QueryAsked("x", b"", "b", mesh.now + 60, key_of(mesh["b"]), number)
        queried._take(query, None, -1 - key - number // 100)
    assert len(asked) == 512
    for number in range(140):
        queried._take(query._replace(identity=1000 + number), None, -1 - key)
    assert len(asked) == 512
    assert len(ask(mesh, "b", Query("x", seconds=0.5))) == 3
    assert len(asked) == 513, "it is begun all the same"
    mesh.run(70)
    assert queried._open == {} == queried._heard_from
    assert queried._passed_on == 0
