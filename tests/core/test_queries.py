"""Queries: a question to many members, answered by what is there to answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gossipmm.core.values.queries import MAX_ANSWER, Query, QueryAsked, Told, told_in
from gossipmm.core.values.questions import Answered, Outcome
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.errors import QueryError, QueryRateError
from gossipmm.mechanisms import Mechanism
from tests.core.sealed_mesh import SealedMesh
from tests.helpers import Mesh, dropped, key_of
from tests.puppets import datagram, frame_of


def ask(mesh: Mesh, asker: str, query: Query) -> dict[str, Answered]:
    """Ask a query, and wait for as long as it lasts."""
    found: list[Answered] = []
    count = mesh[asker].questions.querying.ask(query, found.append, mesh.now)
    mesh.run(query.seconds + 0.01)
    assert len(found) == count
    assert len({one.name for one in found}) == count
    return {one.name: one for one in found}


def answering(mesh: Mesh, name: str, after: float = 0.0, said: bytes = b"") -> list[QueryAsked]:
    """Let a node answer queries called ``uptime``, after so many seconds; what it was asked."""
    node = mesh[name]
    asked: list[QueryAsked] = []
    told = Told(said or name.encode())

    def handler(query: QueryAsked) -> bool:
        if query.name != "uptime":
            return False
        asked.append(query)
        if after:
            timers = node._local.timers
            timers.at(mesh.now + after, lambda _: answer(query))
        else:
            answer(query)
        return True

    def answer(query: QueryAsked) -> None:
        node.questions.queried.answer(query, Outcome.DONE, told, mesh.now)

    node.questions.queried.handler = handler
    return asked


def settled(*names: str, **fields: Any) -> Mesh:
    mesh = Mesh(*names, **fields)
    mesh.settle()
    mesh.run(1.5)
    return mesh


@pytest.fixture(scope="module")
def pair() -> Mesh:
    """Two nodes, for what changes nothing."""
    return settled("a", "b")


def said(found: dict[str, Answered]) -> dict[str, bytes]:
    """What those who answered said."""
    return {
        name: told.payload
        for name, one in found.items()
        if one.outcome is Outcome.DONE and (told := told_in(one)) is not None
    }


def test_everybody_answers_the_asking_node_included() -> None:
    """[P172]."""
    mesh = settled("a", "b", "c")
    asked = [answering(mesh, name) for name in "abc"]
    found = ask(mesh, "a", Query("uptime", b"since boot"))
    assert said(found) == {"a": b"a", "b": b"b", "c": b"c"}
    assert max(one.took for one in found.values()) < 0.01
    assert [[(one.asker, one.payload) for one in each] for each in asked] == [
        [("a", b"since boot")]
    ] * 3


def test_where_nothing_answers_it_is_said_so_at_once() -> None:
    mesh = settled("a", "b", "c")
    answering(mesh, "b")
    mesh.add("shy", answer_queries=False)
    mesh.settle()
    mesh.run(1.5)
    found = ask(mesh, "a", Query("uptime"))
    assert {name: one.outcome for name, one in found.items()} == {
        "a": Outcome.NO_HANDLER,
        "b": Outcome.DONE,
        "c": Outcome.NO_HANDLER,
        "shy": Outcome.NOT_ALLOWED,
    }


def test_only_those_of_a_topic_or_of_some_metadata_are_asked() -> None:
    mesh = settled("a", "b", "c")
    mesh["b"].register("web", "b", now=mesh.now)
    mesh["c"].set_metadata({"rack": 7, "gpu": True}, now=mesh.now)
    mesh.settle()
    mesh.run(1)
    for name in "abc":
        answering(mesh, name)
    assert said(ask(mesh, "a", Query("uptime", topic="web"))) == {"b": b"b"}
    assert said(ask(mesh, "a", Query("uptime", metadata={"rack": "7"}))) == {"c": b"c"}
    assert said(ask(mesh, "a", Query("uptime", metadata={"gpu": True}))) == {"c": b"c"}
    assert ask(mesh, "a", Query("uptime", metadata={"rack": "8"})) == {}
    assert ask(mesh, "a", Query("uptime", topic="none")) == {}
    found = ask(mesh, "a", Query("uptime", members=("c", "nobody", "c")))
    assert said(found) == {"c": b"c"}
    assert found["nobody"].outcome is Outcome.UNKNOWN_MEMBER


def test_a_member_that_has_left_the_topic_says_so() -> None:
    """The table of who asks is behind: the record of the asked one decides."""
    mesh = settled("a", "b")
    mesh["b"].register("web", "b", now=mesh.now)
    mesh.settle()
    answering(mesh, "b")
    mesh.cut("b", "a", both=False)
    mesh["b"].unregister("web", "b", now=mesh.now)
    mesh.flush("b")
    mesh.heal()
    found = ask(mesh, "a", Query("uptime", topic="web"))
    assert found["b"].outcome is Outcome.NOT_REGISTERED


def test_an_answer_that_takes_its_time_comes_unasked_and_is_found_once() -> None:
    """[P173]. A try each 50 ms would have run the program as often."""
    mesh = settled("a", "b")
    asked = answering(mesh, "b", after=0.7)
    mesh.sent.clear()
    found = ask(mesh, "a", Query("uptime", members=("b",)))
    assert said(found) == {"b": b"b"}
    assert 0.7 < found["b"].took < 0.71
    assert len(asked) == 1
    tries = [one for one in mesh.sent if wire.OPT_ASK in one.frame.options]
    assert 7 <= len(tries) <= 8  # the first, and each 0.1 s once it is told that it is at work


def test_a_lost_answer_is_fetched_and_nothing_runs_twice() -> None:
    mesh = settled("a", "b")
    asked = answering(mesh, "b", after=0.3)
    began = mesh.now
    mesh.rules["answers"] = lambda packet: (
        packet.source == mesh["b"].addresses[0] and began + 0.2 < packet.at < began + 0.5
    )
    found = ask(mesh, "a", Query("uptime", members=("b",)))
    assert said(found) == {"b": b"b"}
    assert 0.4 < found["b"].took < 1.0
    assert len(asked) == 1


def test_a_late_copy_of_a_question_runs_nothing_again() -> None:
    """A datagram may be doubled and come after the query has ended."""
    mesh = settled("a", "b")
    asked = answering(mesh, "b")
    mesh.sent.clear()
    ask(mesh, "a", Query("uptime", seconds=0.2))
    (copy, *_) = [one for one in mesh.sent if wire.OPT_ASK in one.frame.options]
    mesh.run(2)
    mesh.deliver(copy.data, copy.source, "b")
    assert len(asked) == 1


def test_what_does_not_end_in_time_is_told_from_silence() -> None:
    mesh = settled("a", "b", "c")
    answering(mesh, "a", after=9.0)
    answering(mesh, "b", after=9.0)
    mesh.crash("c")
    found = ask(mesh, "a", Query("uptime", seconds=1.0))
    assert {name: one.outcome for name, one in found.items()} == {
        "a": Outcome.WORKING,
        "b": Outcome.WORKING,
        "c": Outcome.NO_ANSWER,
    }


def test_a_failure_is_an_answer_with_a_status() -> None:
    mesh = settled("a", "b")
    queried = mesh["b"].questions.queried

    def fails(query: QueryAsked) -> bool:
        queried.answer(query, Outcome.FAILED, Told(b"no such disk", status=3), mesh.now)
        queried.answer(query, Outcome.DONE, Told(b"too late"), mesh.now)
        return True

    queried.handler = fails
    answered = ask(mesh, "a", Query("uptime"))["b"]
    assert answered.outcome is Outcome.FAILED
    assert told_in(answered) == Told(b"no such disk", cut=False, status=3)


@pytest.mark.parametrize("most", [1200, 548])
def test_what_is_too_long_for_an_answer_is_cut_and_says_so(most: int) -> None:
    mesh = settled("a", "b", max_datagram=most)
    answering(mesh, "b", said=b"x" * 5000)
    mesh.sent.clear()
    told = told_in(ask(mesh, "a", Query("uptime"))["b"])
    assert told is not None
    assert told.cut
    assert len(told.payload) == (MAX_ANSWER if most == 1200 else 403)
    assert max(len(one.data) for one in mesh.sent) <= most


# -- a broken way ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", ["question", "answer", "both"])
@pytest.mark.parametrize("kind", [Mesh, SealedMesh])
def test_a_broken_way_is_gone_around(cut: str, kind: Callable[..., Mesh]) -> None:
    """[P174]. Question, answer or both are lost between the two; by the others they come."""
    mesh = kind("a", "b", "c", "d", "e")
    mesh.settle()
    mesh.run(3)
    asked = answering(mesh, "b", after=0.05)
    if cut in ("question", "both"):
        mesh.cut("a", "b", both=False)
    if cut in ("answer", "both"):
        mesh.cut("b", "a", both=False)
    found = ask(mesh, "a", Query("uptime", members=("b",)))
    assert said(found) == {"b": b"b"}
    assert found["b"].via in ("c", "d", "e")
    assert found["b"].took < 0.3
    assert len(asked) == 1
    assert asked[0].asker == "a"


def test_an_answer_that_comes_later_comes_around_as_well() -> None:
    mesh = settled("a", "b", "c", "d")
    asked = answering(mesh, "b", after=0.9)
    mesh.cut("a", "b")
    found = ask(mesh, "a", Query("uptime", members=("b",)))
    assert said(found) == {"b": b"b"}
    assert 0.9 < found["b"].took < 1.4
    assert len(asked) == 1


def test_without_relays_a_broken_way_is_silence() -> None:
    mesh = settled("a", "b", "c", "d", without=frozenset({Mechanism.QUERY_RELAYS}))
    answering(mesh, "b")
    mesh.cut("b", "a", both=False)
    found = ask(mesh, "a", Query("uptime", members=("b",), seconds=0.8))
    assert found["b"].outcome is Outcome.NO_ANSWER


def test_nobody_passes_on_what_is_asked_in_the_name_of_others() -> None:
    """A member would have others ask, and be charged for it."""
    mesh = settled("a", "b", "c")
    asked = answering(mesh, "b")
    question = [2, "uptime", b"", 1000, None]
    keys = [key_of(mesh[name]) for name in "abc"]
    relay = [keys[2], keys[1], 8, question]
    data = relay_frame(mesh, "a", "c", wire.OPT_RELAY, relay)
    assert not mesh.deliver(data, mesh["a"].addresses[0], "c")
    assert dropped(mesh["c"], Drop.BAD_OPTION) == 1
    relay = [keys[0], keys[1], 8, [1, None, None, True]]
    data = relay_frame(mesh, "a", "c", wire.OPT_RELAY, relay)
    assert not mesh.deliver(data, mesh["a"].addresses[0], "c")
    mesh.run(0.1)
    assert not asked


def relay_frame(mesh: Mesh, sender: str, to: str, option: int, value: Any) -> bytes:
    node = mesh[sender]
    return datagram(
        wire.NEWS,
        sender=key_of(node),
        target=key_of(mesh[to]),
        heartbeat=node.heartbeat,
        options={option: value},
    )


def test_answers_that_nobody_asked_for_are_neither_taken_nor_passed_on() -> None:
    mesh = settled("a", "b", "c")
    keys = [key_of(mesh[name]) for name in "abc"]
    for asker in keys[:2]:
        told = [asker, keys[2], 8, [0, b"x", False, 0]]
        data = relay_frame(mesh, "c", "a", wire.OPT_RELAYED, told)
        assert not mesh.deliver(data, mesh["c"].addresses[0], "a")


def test_only_who_was_asked_to_pass_a_question_on_is_believed_about_the_answer() -> None:
    mesh = settled("a", "b", "c", helpers=0)
    found: list[Answered] = []
    mesh.cut("a", "b")
    asking = mesh["a"].questions
    asking.querying.ask(Query("uptime", members=("b",)), found.append, mesh.now)
    mesh.run(0.5)
    (identity,) = asking.asking.open
    keys = [key_of(mesh[name]) for name in "abc"]
    told = [keys[0], keys[1], identity, [0, b"forged", False, 0]]
    data = relay_frame(mesh, "c", "a", wire.OPT_RELAYED, told)
    mesh.deliver(data, mesh["c"].addresses[0], "a")
    assert not found


# -- what every node answers -----------------------------------------------------------------------


def test_everybody_says_whom_it_does_not_reach() -> None:
    """[P175]. A way that is broken between two others shows in their answers alone."""
    mesh = settled("a", "b", "c", "d")
    mesh.cut("b", "c")
    mesh.crash("d")
    mesh.run(15)
    found = said(ask(mesh, "a", Query("ping")))
    assert found["a"] == b"dead d\n"
    assert found["b"] == b"no_path c\ndead d\n"
    assert found["c"] == b"no_path b\ndead d\n"


def test_health_and_version_are_answered_by_every_node() -> None:
    mesh = settled("a", "b", "c")
    mesh.add("shy", answer_health=False)
    mesh.settle()
    mesh.run(3)
    mesh.freeze("c")
    mesh.run(0.1)
    answers = ask(mesh, "a", Query("health", seconds=1.0))
    assert said(answers) == {"a": b"ok", "b": b"ok"}
    assert answers["shy"].outcome is Outcome.NOT_ALLOWED
    assert answers["c"].outcome is Outcome.NO_ANSWER
    assert said(ask(mesh, "a", Query("version", members=("b",)))) == {"b": b""}


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Query(""), "must not be empty"),
        (Query("a\nb"), "control characters"),
        (Query("n" * 65), "65 bytes, more than the 64 allowed"),
        (Query("\udcff"), "not valid UTF-8"),
        (Query("x", b"x" * 513), "513 bytes, more than the 512 allowed"),
        (Query("x", 7), "bytes or text, not int"),  # type: ignore[arg-type]
        (Query("x", seconds=0.0), "above 0 and at most 60 s"),
        (Query("x", seconds=61.0), "61 s"),
        (Query("x", seconds=float("nan")), "above 0"),
        (Query("x", b"x" * 512, topic="t" * 800), "more than the 1200 of a datagram"),
    ],
)
def test_what_is_refused_is_refused_at_the_door(pair: Mesh, query: Query, words: str) -> None:
    """[P177]."""
    with pytest.raises(QueryError) as refused:
        pair["a"].questions.querying.ask(query, lambda _: None, pair.now)
    assert words in str(refused.value)
    pair.sent.clear()
    pair.flush("a")
    assert not pair.sent


def test_a_storm_is_refused_at_the_door_with_the_number_and_when_to_come_again() -> None:
    """[P176]. A program that asks in a loop."""
    mesh = settled("a", "b")
    answering(mesh, "b", after=1.5)
    refused: list[QueryRateError] = []
    asked = 0
    for _ in range(100):
        try:
            mesh["a"].questions.querying.ask(Query("uptime"), lambda _: None, mesh.now)
            asked += 1
        except QueryRateError as error:
            refused.append(error)
        mesh.run(0.01)
    assert asked == 16
    assert len(refused) == mesh["a"].questions.querying.refused == 84
    assert str(refused[0]).startswith("16 queries are under way, as many as may be: retry after 1.")
    mesh.run(2)
    asked = 0
    for _ in range(100):
        try:
            query = Query("uptime", seconds=0.05)
            mesh["a"].questions.querying.ask(query, lambda _: None, mesh.now)
            asked += 1
        except QueryRateError as error:
            last = error
        mesh.run(0.1)
    assert 20 < asked < 40
    assert str(last).startswith("more than 2 queries a second, after 16 at once: retry after 0.")
    assert 0.0 < last.retry_after <= 0.5
    mesh.run(last.retry_after)
    assert said(ask(mesh, "a", Query("uptime")))["b"] == b"b"
    assert not mesh["a"].questions.querying._ends


def test_a_member_that_asks_without_end_is_answered_that_it_does() -> None:
    """Another implementation has no such door: each member has a budget here."""
    mesh = settled("a", "b", "c")
    asked = answering(mesh, "b", after=30.0)
    node, outcomes = mesh["a"], []
    for number in range(100):
        data = datagram(
            wire.SYN,
            sender=key_of(node),
            target=key_of(mesh["b"]),
            probe=8 + 8 * number,
            heartbeat=node.heartbeat,
            options={wire.OPT_ASK: [2, "uptime", b"", 60000, None]},
        )
        for packet in mesh.deliver(data, node.addresses[0], "b"):
            outcomes += packet.frame.options.get(wire.OPT_TOLD, ())
    assert outcomes.count(9) == len(asked) == 32
    assert outcomes.count(6) == 68
    assert dropped(mesh["b"], Drop.QUESTION_RATE) == 68
    assert ask(mesh, "c", Query("ping", members=("b",)))["b"].outcome is Outcome.DONE


@pytest.mark.parametrize(
    "facts",
    [
        [],
        [b"x"],
        [b"x", False],
        ["x", False, 0],
        [b"x", 0, 0],
        [b"x", False, "0"],
        [b"x", False, True],
        [b"x", False, 1 << 31],
        [b"x" * 901, False, 0],
    ],
)
def test_an_answer_that_makes_no_sense_is_none(facts: list[Any]) -> None:
    assert told_in(Answered("b", Outcome.DONE, facts, 0.1)) is None


@pytest.mark.parametrize(
    "question",
    [
        [2],
        [2, "x", b"", 1000],
        [2, "", b"", 1000, None],
        [2, "a\x1b", b"", 1000, None],
        [2, "x", "y", 1000, None],
        [2, "x", b"y" * 513, 1000, None],
        [2, "x", b"", -1, None],
        [2, "x", b"", 60001, None],
        [2, "x", b"", 1.5, None],
        [2, "x", b"", 1000, 7],
    ],
)
def test_a_question_that_makes_no_sense_is_answered_that_it_is_not_known(
    pair: Mesh, question: list[Any]
) -> None:
    pair.run(0.1)  # within its budget
    node = pair["a"]
    data = datagram(
        wire.SYN,
        sender=key_of(node),
        target=key_of(pair["b"]),
        probe=8,
        heartbeat=node.heartbeat,
        options={wire.OPT_ASK: question},
    )
    first, *_ = pair.deliver(data, node.addresses[0], "b")
    assert frame_of(first.data).options.get(wire.OPT_TOLD) == [2]


def test_a_member_of_an_older_version_is_told_from_a_silent_one() -> None:
    mesh = Mesh("a")
    old = mesh.puppet("old")
    old.introduce()
    mesh.run(0.1)
    found: list[Answered] = []
    query = Query("uptime", members=("old",))
    mesh["a"].questions.querying.ask(query, found.append, mesh.now)
    mesh.flush("a")
    asked = frame_of(mesh.sent[-1].data)
    assert asked.options[wire.OPT_ASK][:3] == [2, "uptime", b""]
    data = old.frame(wire.ACK, key_of(mesh["a"]), probe=asked.probe, known=1)
    mesh.deliver(data, old.addresses[0], "a")
    assert [one.outcome for one in found] == [Outcome.TOO_OLD]


# -- many hosts ------------------------------------------------------------------------------------


def test_a_hundred_hosts_answer_in_time_and_for_few_bytes() -> None:
    """All within 100 ms; at a quarter of loss, and with one way cut, within two seconds."""
    names = [f"h{number}" for number in range(100)]
    mesh = Mesh(*names)
    mesh.settle()
    mesh.run(1)
    asked = [answering(mesh, name) for name in names]
    for loss, most, bytes_of_asker in ((0.0, 0.1, 15_000), (0.25, 1.0, 40_000)):
        if loss:
            mesh.lose(loss)
            mesh.cut(["h50"], ["h0"], both=False)
        sent = {name: mesh[name].stats.sent_bytes for name in names}
        found = ask(mesh, "h0", Query("uptime", seconds=1.5))
        assert len(said(found)) == 100
        assert {len(each) for each in asked} == {2 if loss else 1}
        assert max(one.took for one in found.values()) < most
        assert bool(found["h50"].via) is bool(loss)
        spent = {name: mesh[name].stats.sent_bytes - before for name, before in sent.items()}
        assert spent.pop("h0") < bytes_of_asker
        assert max(spent.values()) < 5_000
