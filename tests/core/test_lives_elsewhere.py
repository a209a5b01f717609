"""A later life of a node's own name that its owner never met, and that has ended."""

from __future__ import annotations

import pytest

from gossipmm.core.values.events import GenerationRenewed
from gossipmm.core.values.types import NodeState, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, held
from tests.puppets import Puppet


def test_a_copy_that_lived_and_left_elsewhere_keeps_its_original_away_for_a_moment_only() -> None:
    """Story: a copy of a host had joined by a seed that had just moved, and that knew nobody else.

    It left, and the seed was found by the others. To the host, which spoke to the seed, the seed
    showed at once that it had left, and not in the answer to a question. The next question was that
    of the round: the seed had it proved where it came from, and its answer came in two parts, the
    second one after the question had ended. Their tables differed for half a minute to a minute.

    [P16] (swarm_paths seed 100563, 10 hosts)
    """
    mesh = Mesh(*"abcdefgh")
    mesh.settle()
    mesh.add("z", seeds=[])
    mesh.add("copy", node_name="b", seeds=mesh["z"].addresses)
    mesh.run(2)
    mesh["copy"].leave(mesh.now)
    mesh.run(1)
    mesh.crash("copy")
    mesh["z"].join(mesh["a"].addresses, mesh.now)
    mesh.until(lambda: held(mesh["z"], "b").generation == mesh["b"].generation, within=4)
    mesh.settle(within=2)
    assert len(mesh.told("b", GenerationRenewed)) == 1


def asked_by(mesh: Mesh) -> tuple[Puppet, Puppet, wire.Frame]:
    """Node a has asked the puppet x; a life above its own that has left; and that question."""
    (x,) = mesh.puppets("x")
    mesh["a"]._local.own.acknowledged = True
    other = mesh.puppet("other", generation=mesh.new_generation(60.0))
    other.name = "a"
    x.answers = False
    x.heard.clear()
    mesh.until(lambda: any(f.kind == wire.SYN for f in x.heard), within=60, step=0.001)
    return x, other, next(f for f in x.heard if f.kind == wire.SYN)


@pytest.mark.parametrize(("after", "counts"), [(0.0, True), (1.0, True), (3.0, False)])
def test_an_answer_in_two_parts_is_one_for_two_seconds(after: float, counts: bool) -> None:
    """Where the first one is all that may be sent to an address before it is proved [P16, P95]."""
    mesh = Mesh("a")
    x, other, asked = asked_by(mesh)
    x.say("a", wire.ACK, probe=asked.probe)
    mesh.run(after)
    x.say("a", wire.ACK, probe=asked.probe, pages=[other.page_zero(NodeState.LEFT)])
    assert bool(mesh.told("a", GenerationRenewed)) is counts


def test_what_answers_no_question_ends_no_life_but_has_its_teller_asked() -> None:
    """Once an interval: whoever holds that life shows it again in the answer [P16]."""
    mesh = Mesh("a")
    x, other, asked = asked_by(mesh)
    x.say("a", wire.ACK, probe=asked.probe)
    mesh.run(0.01)
    for _ in range(3):
        x.heard.clear()
        x.say("a", pages=[other.page_zero(NodeState.LEFT)])
        mesh.run(0.01)
        assert not mesh.told("a", GenerationRenewed)
        asks = [frame for frame in x.heard if frame.kind == wire.SYN]
        assert len(asks) <= 1
        mesh.run(mesh.config.gossip_interval)
    x.say("a", wire.ACK, probe=asked.probe ^ 1 << 20, pages=[other.page_zero(NodeState.LEFT)])
    assert not mesh.told("a", GenerationRenewed)


def test_two_that_hold_later_lives_of_one_another_meet_by_a_seed() -> None:
    """Story: a host came back at another address without its state, its clock set back.

    A copy of the other host found it, and crashed. Each of the two held a later life of the other,
    that had ended, so neither was known to the other; what the seed answered to the one that asked
    to join showed that, and counted as no answer to a question. They never met.

    [P16] (swarm_paths seed 120930, 2 hosts)
    """
    mesh = Mesh("a", "b")
    before = mesh.new_generation()
    mesh.settle()
    mesh.crash("a")
    mesh.until(lambda: held(mesh["b"], "a").status is Status.DEAD, within=20)
    mesh.add("again", node_name="a", generation=mesh["b"].generation - (1 << 30), seeds=[])
    mesh.add("copy", node_name="b", seeds=mesh["again"].addresses)
    mesh.run(1)
    mesh.crash("copy")
    mesh.until(lambda: held(mesh["again"], "b").status is Status.DEAD, within=20)
    mesh["b"].join(mesh["again"].addresses, mesh.now)
    mesh.until(mesh.agreed, within=10)
    assert held(mesh["b"], "a").generation == mesh["again"].generation
    assert held(mesh["again"], "b").generation == mesh["b"].generation > before
