"""What one datagram can cost, in steps of work, and who is charged for it [P94]."""

from __future__ import annotations

import pytest

from gossipmm.core.sealing.admission import WORK
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Registration
from gossipmm.core.wire import frame as wire
from tests.bench.costly_datagrams import CostlyScene
from tests.core.test_large_tables import steps
from tests.helpers import Mesh, dropped

#: Instructions of Python within 2 ms: 10 ns each, with what C does in them.
MOST = 180_000
#: Fresh accusations take 4 ms; ``max_accusations`` limits them to 256 of one accuser at a time.
ACCUSED = 300_000
#: Instructions of a step of work, at most: 4 us.
A_STEP = 400
DATAGRAMS = tuple(CostlyScene(2, 1, 40).costly())


@pytest.fixture(scope="module")
def scenes() -> tuple[CostlyScene, CostlyScene]:
    return CostlyScene(400, 8, 1000), CostlyScene(1600, 8, 4000)


@pytest.mark.parametrize("name", DATAGRAMS)
def test_no_datagram_costs_more_than_two_milliseconds(
    scenes: tuple[CostlyScene, CostlyScene], name: str
) -> None:
    """91 bytes cost 154 ms, 58 bytes 22, 40 wants of one large record 60.

    Each is worth at most so many instructions, however large the records are that it names; and
    they are charged: nothing does much for few steps.
    """
    limit = ACCUSED if name.startswith("75 members") else MOST
    for scene in scenes:
        for _ in range(2):
            run = scene.costly()[name]()
            before = scene.node.stats.work
            instructions = steps(run)
            charged = scene.node.stats.work - before
            assert instructions <= limit
            assert instructions <= A_STEP * (charged + WORK)
            scene.node.table.publish()
            scene.settle()


def left(scene: CostlyScene) -> float:
    return scene.node._admission.proved[scene.pair.b.addresses[0]].left


def test_a_peer_is_charged_for_what_its_datagrams_cost() -> None:
    """Datagrams were counted, whatever they cost: 932 B/s of flips kept an agent 1.2 s late."""
    scene = CostlyScene(50, 1, 1000)
    node = scene.node
    before = left(scene)
    scene.hearing(kind=wire.SYN, known=1)()
    assert before - left(scene) == 1.0
    flips = 0
    scene.node._admission.proved[scene.pair.b.addresses[0]].left = 2 * node.config.peer_rate
    while not dropped(node, Drop.PEER_RATE):
        run = scene.flip_often()
        node.datagrams_to_send()
        budget = left(scene)
        run()
        flips += 1
        # All that has to be judged, ten times, although most of it is put off.
        assert dropped(node, Drop.PEER_RATE) or budget - left(scene) >= 10 * 1000 * 2 / WORK
    assert flips <= 2 * node.config.peer_rate * WORK / (10 * 1000 * 2) + 2
    # It is heard again as soon as its budget is.
    heard = node.stats.received_by_kind[wire.KIND_NAMES[wire.NEWS]]
    node._local.now += 1.0
    scene.flip()()
    assert node.stats.received_by_kind[wire.KIND_NAMES[wire.NEWS]] == heard + 1


def test_strangers_are_charged_for_what_their_datagrams_cost() -> None:
    """A stranger's pages were read at a thousand datagrams a second, 1.5 ms each."""
    mesh = Mesh("a")
    x = mesh.puppet("x")
    node = mesh["a"]
    node._admission.proved.clear()
    x.say("a", pages=[x.page(1, *(Registration(f"t{one}", "h") for one in range(100)))])
    budget = node._admission._sources[x.addresses[0][0]]
    full = 2 * node.config.source_rate
    assert full - budget.left >= 300 / WORK
