"""One verdict, with reasons: an operator at three in the morning looks once.

A node that had lost everybody was green everywhere: status 0, ready 200, health fine, page "live".
"""

import pytest
import trio

from gossipmm.agent.verdict import VERDICTS, judge
from gossipmm.answers import NodeStatus
from gossipmm.core.values.types import Agreement, Disagreement, Health, Status
from tests.agent.memory_network import Air
from tests.sidecar.helpers import agents

WELL = Health(*(0 for _ in Health._fields))
AGREED = Agreement(1, 2, (), 0)


def status(**fields):
    """A status in which nothing is wrong, but for these fields."""
    plain = {
        "name": "a", "cluster": "c", "version": "1", "generation": 1, "addresses": (),
        "uptime": 100.0, "joined": True, "leaving": False, "conflict": (), "trouble": {},
        "faults": {}, "agreement": AGREED, "health": WELL, "members": {Status.ALIVE: 3},
        "topics": 0, "registrations": 0, "process": 1, "paths": {},
    }  # fmt: skip
    return NodeStatus(**(plain | fields))


CASES = {
    "ok": ({}, False, ""),
    "degraded": ({"faults": {"sends_fail": "nothing leaves"}}, False, "nothing leaves"),
    "degraded: impaired": (
        {"health": WELL._replace(impaired=True)},
        False,
        "sends or is sent is lost",
    ),
    "degraded: slow": ({"health": WELL._replace(slow=True)}, False, "its timers fire late"),
    "degraded: differs": (
        {"agreement": Agreement(1, 0, (Disagreement("b", 10.0), Disagreement("c", 30.0)), 0)},
        False,
        "the table of b and 1 more has differed for 90.0 s",
    ),
    "ok: differs for a moment": (
        {"agreement": Agreement(1, 0, (Disagreement("b", 50.0),), 0)},
        False,
        "",
    ),
    "isolated": (
        {"members": {Status.ALIVE: 1, Status.DEAD: 9}},
        False,
        "none of the 9 members that it lost is back",
    ),
    "isolated: deaf": ({"health": WELL._replace(deaf=True)}, True, "it hears none of 2 members"),
    "isolated: few": (
        {"members": {Status.ALIVE: 2, Status.SUSPECT: 1, Status.DEAD: 7}},
        True,
        "it lost 7 members at once and has 2 left",
    ),
    "ok: some died": ({"members": {Status.ALIVE: 2, Status.DEAD: 7}}, False, ""),
    "ok: back again": ({"members": {Status.ALIVE: 9, Status.DEAD: 1}}, True, ""),
    "ok: all others left": ({"members": {Status.ALIVE: 1, Status.LEFT: 9}}, False, ""),
    "not_joined": (
        {"joined": False, "trouble": {"s:1": "does not answer"}},
        False,
        "has agreed with nobody yet: seed s:1 does not answer",
    ),
    "conflict": ({"conflict": (("10.0.0.1", 1),)}, False, "called a, at 10.0.0.1:1"),
    "leaving": ({"leaving": True, "joined": False}, False, "it is leaving"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_and_why(case):
    fields, alarmed, reason = CASES[case]
    verdict = judge(status(**fields), 100.0, alarmed=alarmed)
    assert verdict.name == case.partition(":")[0]
    assert bool(verdict.reasons) == bool(reason)
    assert reason in "; ".join(verdict.reasons)


def test_each_verdict_has_a_case():
    assert {case.partition(":")[0] for case in CASES} == set(VERDICTS)


def test_the_worst_is_the_verdict_and_all_reasons_are_told():
    found = judge(
        status(joined=False, conflict=(("10.0.0.1", 1),), faults={"sends_fail": "x"}),
        0.0,
        alarmed=False,
    )
    assert found.name == "conflict"
    assert len(found.reasons) == 3


async def test_a_node_that_is_cut_off_says_so_and_takes_it_back(autojump_clock):
    """Within 8 s of the cut, and within 2 s of its end."""
    async with Air() as air, agents(air, *"abcde") as (a, *_):
        carry = air.carry
        air.carry = lambda data, source, target: (
            None if ("127.0.0.1", 1) in (source, target) else carry(data, source, target)
        )
        began = trio.current_time()
        while a.status().verdict.name == "ok":
            await trio.sleep(0.1)
        assert a.status().verdict.name == "isolated"
        assert trio.current_time() - began <= 8
        # For as long as it lasts, after the others are dead here, too.
        for _ in range(20):
            await trio.sleep(5)
            assert a.status().verdict.name == "isolated"
        air.carry = carry
        began = trio.current_time()
        while a.status().verdict.name != "ok":
            await trio.sleep(0.1)
        assert trio.current_time() - began <= 2
