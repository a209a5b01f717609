"""What a peer asks for costs bytes: few of them bring few, beyond what joining takes [P95]."""

from __future__ import annotations

from gossipmm.core.sealing.admission import Budget
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, dropped

#: As in ``admission.py``.
TIMES, FLOOR, TABLES, REFILL = 4, 65_536, 4, 30.0
#: The most that one question is answered with: a burst of a transfer, or a digest's records.
ONE_ANSWER = 20 * 1200


def test_few_bytes_do_not_bring_many() -> None:
    """Digests of nobody, wants and pulls, 60 bytes each, brought 27 times what they took.

    61 kB a second of them had an agent of 20 send 1.7 MB a second.
    """
    mesh = Mesh("a", "b")
    x = mesh.puppet("x")
    mesh.settle()
    x.say("a", pages=[x.page_zero()])
    for number in range(200):
        mesh["a"].register(f"topic{number}", "host", now=mesh.now)
    mesh.run(3)
    node = mesh["a"]
    assert x.addresses[0] in node._admission.proved
    size = node.table.size
    assert size > 3000
    mesh.sent.clear()
    said = 0
    began = mesh.now
    for _ in range(300):
        for options in (
            {wire.OPT_PULL: [0, 0]},
            {wire.OPT_DIGEST: [0, b"\0", b""]},
            {wire.OPT_WANT: [[node._local.me.key, b""]]},
        ):
            said += len(x.frame(wire.NEWS, node._local.me.key, options=options))
            x.say("a", options=options)
        mesh.run(0.01)
    told = sum(len(one.data) for one in mesh.sent if one.target in x.addresses)
    floor = (FLOOR + TABLES * size) * (1 + (mesh.now - began) / REFILL)
    assert told <= TIMES * said + floor + ONE_ANSWER
    assert told >= floor / 2
    assert dropped(node, Drop.ANSWERS) > 100


def test_a_budget_of_bytes_is_refilled_by_time_and_by_what_is_heard() -> None:
    budget = Budget(0.0, 100.0)
    floor = FLOOR + TABLES * 1000
    assert budget.may_be_answered(1000, 100.0)
    budget.said += floor
    assert not budget.may_be_answered(1000, 100.0)
    assert budget.may_be_answered(1000, 100.0 + REFILL / 100)
    budget.said += floor
    assert not budget.may_be_answered(1000, 100.0 + REFILL / 100)
    budget.heard += floor
    assert budget.may_be_answered(1000, 100.0 + REFILL / 100)
    # What was saved up is no more than a full budget.
    assert budget.may_be_answered(1000, 10_000.0)
    assert budget.said == 0.0
