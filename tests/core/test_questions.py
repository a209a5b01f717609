"""Questions from one member to another: how it is, and what it should do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from gossipmm.core.life.asking import health_in
from gossipmm.core.values.drained import DrainAsked
from gossipmm.core.values.questions import Answered, HealthTold, Outcome
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import NodeState
from gossipmm.core.wire import frame as wire
from tests.core.sealed_mesh import SealedMesh
from tests.helpers import Mesh, dropped, held, key_of
from tests.puppets import datagram, frame_of


def ask_all(
    mesh: Mesh, asker: str, names: Iterable[str], seconds: float = 2.0
) -> dict[str, Answered]:
    """Ask members how they are, and wait for as long as that may take."""
    found: list[Answered] = []
    mesh[asker].questions.asking.health(names, seconds, found.append, mesh.now)
    mesh.run(seconds + 0.01)
    return {one.name: one for one in found}


def drain(
    mesh: Mesh,
    asker: str,
    name: str,
    topic: str | None = None,
    host: str | None = None,
    *,
    draining: bool = True,
) -> Answered:
    found: list[Answered] = []
    what = (topic, host, draining)
    mesh[asker].questions.asking.drain(name, what, 2.0, found.append, mesh.now)
    mesh.run(2.01)
    (answered,) = found
    return answered


def sealed(*names: str, **fields: Any) -> SealedMesh:
    mesh = SealedMesh(*names, accept_drain=True, **fields)
    mesh.settle()
    mesh.run(1)
    return mesh


# -- health ----------------------------------------------------------------------------------------


def test_a_member_says_how_it_is() -> None:
    """[P142, P143]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    told = HealthTold("degraded", ("state_file", "slow"), "1.2", 77.0)
    mesh["b"].questions.answering.health = lambda: told
    found = ask_all(mesh, "a", ["b", "c"])
    assert found["b"].outcome is Outcome.DONE
    assert health_in(found["b"].facts) == told
    assert found["b"].took < 0.1
    own = health_in(found["c"].facts)
    assert own is not None
    assert (own.verdict, own.reasons) == ("ok", ())


def test_what_cannot_be_asked_is_said() -> None:
    mesh = Mesh("a", "b", "gone", answer_health=True)
    mesh.add("shy", answer_health=False)
    mesh.settle()
    mesh.crash("gone")
    mesh.until(lambda: held(mesh["a"], "gone").declared_dead_at is not None)
    mesh.cut("a", "b")
    found = ask_all(mesh, "a", ["b", "gone", "shy", "nobody", "a"], 0.5)
    assert {name: one.outcome for name, one in found.items()} == {
        "b": Outcome.NO_ANSWER,
        "gone": Outcome.NOT_LIVE,
        "shy": Outcome.NOT_ALLOWED,
        "nobody": Outcome.UNKNOWN_MEMBER,
        "a": Outcome.UNKNOWN_MEMBER,
    }


def test_a_member_of_an_older_version_is_told_from_one_that_is_out_of_reach() -> None:
    """It answers the SYN, whatever that asks beside: nothing has to be announced for it."""
    mesh = Mesh("a")
    old = mesh.puppet("old")
    old.introduce()
    mesh.run(0.1)
    found: list[Answered] = []
    mesh["a"].questions.asking.health(["old"], 2.0, found.append, mesh.now)
    mesh.flush("a")
    asked = frame_of(mesh.sent[-1].data)
    assert asked.options[wire.OPT_ASK] == [0]
    assert asked.probe & 7 == 0  # no third try of a probe, which its reply loss would count
    data = old.frame(wire.ACK, key_of(mesh["a"]), probe=asked.probe, known=1)
    mesh.deliver(data, old.addresses[0], "a")
    assert [one.outcome for one in found] == [Outcome.TOO_OLD]


def test_all_that_can_be_asked_answer_within_two_seconds_at_a_quarter_of_loss() -> None:
    """50 hosts; one is cut off, another has a name twice. Bytes are bounded."""
    names = [f"h{number}" for number in range(50)]
    mesh = Mesh(*names)
    mesh.settle()
    mesh.run(2)
    mesh.cut(["h7"], [name for name in names if name != "h7"])
    mesh["h9"].questions.answering.health = lambda: HealthTold("conflict", ("conflict",), "1")
    mesh.rules["loss"] = lambda _: mesh.rng.random() < 0.25
    before = mesh["h0"].stats.sent_bytes, mesh["h3"].stats.sent_bytes
    found: dict[str, Answered] = {}

    def done(one: Answered) -> None:
        found[one.name] = one

    mesh["h0"].questions.asking.health(names[1:], 2.0, done, mesh.now)
    mesh.run(2.01)
    assert len(found) == 49
    silent = {name for name, one in found.items() if one.outcome is not Outcome.DONE}
    assert silent == {"h7"}
    verdicts = {name: health_in(one.facts) for name, one in found.items() if name != "h7"}
    worse = {name for name, health in verdicts.items() if health and health.verdict != "ok"}
    assert "h9" in worse
    assert max(one.took for one in found.values() if one.name != "h7") < 1.0
    # Two tries of 59 bytes for each member, on average; the rest is gossip, as at the others.
    assert mesh["h0"].stats.sent_bytes - before[0] < 15_000
    assert mesh["h3"].stats.sent_bytes - before[1] < 6_000


def test_many_are_asked_some_at_a_time() -> None:
    """Thousands of SYNs in one go overflow sockets, this node's own first."""
    mesh = Mesh("a")
    mesh.puppets(*(f"x{number}" for number in range(100)))
    mesh.run(0.1)
    mesh.sent.clear()
    found: list[Answered] = []
    names = [f"x{number}" for number in range(100)]
    mesh["a"].questions.asking.health(names, 0.06, found.append, mesh.now)
    mesh.flush("a")
    assert sum(wire.OPT_ASK in frame_of(packet.data).options for packet in mesh.sent) == 32
    mesh.run(0.1)
    assert {one.name for one in found} == set(names)
    assert not mesh["a"].questions.asking.open


def test_those_whose_turn_does_not_come_are_told_so() -> None:
    mesh = Mesh("a")
    mesh.puppets(*(f"x{number}" for number in range(100)))
    mesh.run(0.1)
    found: list[Answered] = []
    names = [f"x{number}" for number in range(100)]
    mesh["a"].questions.asking.health(names, 0.02, found.append, mesh.now)
    mesh.run(0.2)
    outcomes = [one.outcome for one in found]
    assert outcomes.count(Outcome.NO_ANSWER) == 32
    assert outcomes.count(Outcome.NO_TIME) == 68


def test_a_verdict_is_found_once_in_half_a_second_whoever_asks() -> None:
    """To find it, an agent of 10,000 members counts them all."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    calls = []

    def health() -> HealthTold:
        calls.append(mesh.now)
        return HealthTold("ok")

    mesh["c"].questions.answering.health = health
    for asker in "abab":
        ask_all(mesh, asker, ["c"], 0.1)
    assert len(calls) == 1
    mesh.run(1)
    ask_all(mesh, "a", ["c"], 0.1)
    assert len(calls) == 2


def test_who_asks_without_end_is_answered_that_it_does() -> None:
    """[P94]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(3)
    found = [ask_all(mesh, "a", ["b"], 0.01)["b"].outcome for _ in range(60)]
    assert found[:24] == [Outcome.DONE] * 24
    assert found.count(Outcome.BUSY) > 10
    assert dropped(mesh["b"], Drop.QUESTION_RATE) > 10
    assert ask_all(mesh, "c", ["b"], 0.1)["b"].outcome is Outcome.DONE
    mesh.run(3)
    assert ask_all(mesh, "a", ["b"], 0.1)["b"].outcome is Outcome.DONE


def test_an_address_that_is_not_proved_is_sent_no_answer_before_it_is() -> None:
    """[P96]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    a, b = mesh["a"], mesh["b"]
    key = key_of(a)
    probe = 0x1230
    data = datagram(
        wire.SYN,
        sender=key,
        target=key_of(b),
        probe=probe,
        heartbeat=a.heartbeat,
        options={wire.OPT_ASK: [0]},
    )
    sent = mesh.deliver(data, ("10.9.9.9", 7946), "b")
    told = [frame_of(packet.data).options.get(wire.OPT_TOLD) for packet in sent]
    assert [one for one in told if one is not None] == [[7]]
    assert sum(len(packet.data) for packet in sent) <= 3 * len(data)


@pytest.mark.parametrize(
    "facts",
    [
        [],
        ["ok"],
        ["ok", [], "1", 1],
        [7, [], "1", 1, 1],
        ["ok", "x", "1", 1, 1],
        ["ok", [], "1", True, 1],
        ["\x1b[2J", [], "1", 1, 1],
        ["ok", [], "a" * 33, 1, 1],
        ["ok", [], "1 2", 1, 1],
    ],
)
def test_what_makes_no_sense_is_no_verdict(facts: list[Any]) -> None:
    assert health_in(facts) is None


def test_reasons_are_codes_and_few() -> None:
    told = health_in(["degraded", ["a", "b\n", 7, *"cdefghijk"], "1.0+x", -5, 1500])
    assert told == HealthTold("degraded", ("a", *"cdefg"), "1.0+x", 0.0, 1.5)


# -- drains ----------------------------------------------------------------------------------------


def test_a_member_is_drained_and_put_back_by_another_one() -> None:
    """[P144]."""
    mesh = sealed("a", "b")
    mesh["b"].register("t", "h", now=mesh.now)
    answered = drain(mesh, "a", "b")
    assert (answered.outcome, answered.facts) == (Outcome.DONE, [1])
    assert held(mesh["a"], "b").node_state is NodeState.DRAINING
    assert mesh.told("b", DrainAsked)[-1].changed == 1
    kinds = [(line.kind, line.reporter) for line in mesh["b"].why("b")]
    assert (EvidenceKind.DRAIN_ASKED, "a") in kinds
    assert mesh["a"].why("b")[-1].facts["said"] == "done"
    assert drain(mesh, "a", "b", draining=False).facts == [1]
    assert held(mesh["a"], "b").node_state is NodeState.UP


def test_a_topic_or_a_host_of_it_is_drained_elsewhere() -> None:
    mesh = sealed("a", "b")
    for topic, host in (("t", "h"), ("t", "i"), ("u", "h")):
        mesh["b"].register(topic, host, now=mesh.now)
    assert drain(mesh, "a", "b", "t").facts == [2]
    assert drain(mesh, "a", "b", "u", "h").facts == [1]
    assert drain(mesh, "a", "b", "t").facts == [0]
    assert drain(mesh, "a", "b", "none").outcome is Outcome.NOT_REGISTERED


def test_nobody_is_drained_unless_its_configuration_says_so() -> None:
    mesh = SealedMesh("a", "b")
    mesh.settle()
    mesh.run(1)
    assert drain(mesh, "a", "b").outcome is Outcome.NOT_ALLOWED
    assert held(mesh["a"], "b").node_state is NodeState.UP
    (event,) = mesh.told("b", DrainAsked)
    assert (event.name, event.refused) == ("a", "not_allowed")
    drain(mesh, "a", "b")
    assert len(mesh.told("b", DrainAsked)) == 1  # once in a minute
    mesh.run(60)
    drain(mesh, "a", "b")
    assert len(mesh.told("b", DrainAsked)) == 2


def test_without_a_key_nobody_beyond_this_machine_is_obeyed() -> None:
    mesh = Mesh("a", "b", accept_drain=True)
    mesh.settle()
    assert drain(mesh, "a", "b").outcome is Outcome.NO_KEY
    mesh = Mesh()
    mesh.config = type(mesh.config)(accept_drain=True, join=("seed:7946",))
    mesh.add("a", address=("127.0.0.1", 1))
    mesh.add("b", address=("127.0.0.1", 2))
    mesh.settle()
    assert drain(mesh, "a", "b").outcome is Outcome.DONE


def _asking_frame(mesh: Mesh, asker: str, name: str, options: dict[int, Any]) -> bytes:
    node = mesh[asker]
    return datagram(
        wire.SYN,
        sender=key_of(node),
        target=key_of(mesh[name]),
        probe=0x560,
        heartbeat=node.heartbeat,
        options=options,
    )


def test_a_late_try_of_a_drain_does_not_undo_what_came_after_it() -> None:
    """A duplicate on a slow path drained again what had been put back meanwhile [P144]."""
    mesh = Mesh()
    mesh.config = type(mesh.config)(accept_drain=True, join=("seed:7946",))
    mesh.add("a", address=("127.0.0.1", 1))
    mesh.add("b", address=("127.0.0.1", 2))
    mesh.settle()
    mesh.sent.clear()
    assert drain(mesh, "a", "b").outcome is Outcome.DONE
    tries = [one for one in mesh.sent if wire.OPT_ASK in frame_of(one.data).options]
    assert tries
    assert drain(mesh, "a", "b", draining=False).outcome is Outcome.DONE
    mesh.deliver(tries[0].data, tries[0].source, "b")
    assert held(mesh["b"], "b").node_state is NodeState.UP
    assert len(mesh.told("b", DrainAsked)) == 2


def test_every_try_of_a_drain_is_answered_alike_and_acted_on_once() -> None:
    """Answers get lost, so that it is asked again."""
    mesh = sealed("a", "b")
    mesh["b"].register("t", "h", now=mesh.now)
    lost: Callable[[Any], bool] = lambda packet: (  # noqa: E731
        packet.source == mesh["b"].addresses[0] and mesh.rng.random() < 0.7
    )
    mesh.rules["answers"] = lost
    answered = drain(mesh, "a", "b", "t")
    assert (answered.outcome, answered.facts) == (Outcome.DONE, [1])
    assert len(mesh.told("b", DrainAsked)) == 1


def test_who_speaks_from_an_address_that_the_record_does_not_have_drains_nobody() -> None:
    """A holder of the key could otherwise be anybody, for the log as well."""
    mesh = Mesh()
    mesh.config = type(mesh.config)(accept_drain=True, join=("seed:7946",))
    mesh.add("a", address=("127.0.0.1", 1))
    b = mesh.add("b", address=("127.0.0.1", 2))
    mesh.settle()
    elsewhere = ("127.0.0.1", 9)
    b._receiver._parts.admission.prove(elsewhere, mesh.now)
    data = _asking_frame(mesh, "a", "b", {wire.OPT_ASK: [1, None, None, True]})
    sent = mesh.deliver(data, elsewhere, "b")
    assert [frame_of(packet.data).options.get(wire.OPT_TOLD) for packet in sent] == [[8, 0]]
    assert mesh.told("b", DrainAsked)[-1].refused == "wrong_address"


def test_a_question_for_an_earlier_life_is_not_answered() -> None:
    mesh = Mesh("a", "b")
    mesh.settle()
    data = datagram(
        wire.SYN,
        sender=key_of(mesh["a"]),
        target=12345,
        probe=0x560,
        heartbeat=mesh["a"].heartbeat,
        options={wire.OPT_ASK: [0]},
    )
    sent = mesh.deliver(data, mesh["a"].addresses[0], "b")
    assert not any(wire.OPT_TOLD in frame_of(packet.data).options for packet in sent)


@pytest.mark.parametrize("ask", [[2], [99, "x"], [1], [1, 7, None, True], [1, None, None, 1]])
def test_a_question_of_a_later_version_is_answered_that_it_is_not_known(ask: list[Any]) -> None:
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(3)
    data = _asking_frame(mesh, "a", "b", {wire.OPT_ASK: ask})
    sent = mesh.deliver(data, mesh["a"].addresses[0], "b")
    told = [frame_of(packet.data).options.get(wire.OPT_TOLD) for packet in sent]
    assert [2] in told or [7] in told


@pytest.mark.parametrize("value", [[], 0, [-1], ["x"], [True], {}])
def test_an_option_that_is_not_a_numbered_list_is_refused(value: Any) -> None:
    data = datagram(wire.SYN, options={wire.OPT_ASK: value})
    with pytest.raises(wire.Refused):
        frame_of(data)


def test_answers_to_questions_never_asked_change_nothing() -> None:
    mesh = Mesh("a", "b")
    mesh.settle()
    rng = random.Random(1)
    for _ in range(20):
        data = datagram(
            wire.ACK,
            sender=key_of(mesh["b"]),
            target=key_of(mesh["a"]),
            probe=rng.getrandbits(64),
            heartbeat=mesh["b"].heartbeat,
            options={wire.OPT_TOLD: [0, "ok"]},
        )
        mesh.deliver(data, mesh["b"].addresses[0], "a")
    assert mesh.agreed()


def test_thousands_do_not_wait_for_each_other_when_the_time_is_over() -> None:
    """32 were ended at a time, so that the last of 10,000 was told of after eight seconds."""
    mesh = Mesh("a")
    names = [f"x{number}" for number in range(300)]
    mesh.puppets(*names)
    mesh.run(0.1)
    found: list[Answered] = []
    mesh["a"].questions.asking.health(names, 0.04, found.append, mesh.now)
    mesh.run(0.06)
    assert len(found) == 300
