"""What programs and operators do to a simulated cluster, and that it reaches the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gossipmm.core.values.types import HostState
from gossipmm_sim.runs.run import Run
from gossipmm_sim.runs.scenario import Scenario

WARMUP = 3.0
T = TypeVar("T")


def looked(at: float, look: Callable[[Run], T], *faults: str, checks: tuple[str, ...] = ()) -> T:
    """Play faults on four hosts; what ``look`` saw so many seconds after the warm-up."""
    run = Run(
        Scenario(name="x", nodes=4, warmup=WARMUP, duration=20, faults=faults, checks=checks),
        1,
    )
    seen: list[T] = []
    run.cluster.clock.at(WARMUP + at, lambda *_: seen.append(look(run)))
    result = run.execute()
    assert result.ok, result.failures
    return seen[0]


def test_what_a_program_expires_is_hidden_there_until_its_owner_says_that_it_stands():
    def picks(run: Run) -> tuple[tuple[str, ...], ...]:
        return tuple(host.table.topics["compute"].picks for host in run.cluster)

    at_once = looked(1.0002, picks, "expire at=1 on=1 host=n2")
    everywhere = ("n0", "n1", "n2", "n3")
    assert at_once == (everywhere, ("n0", "n1", "n3"), everywhere, everywhere)
    assert looked(2.0, picks, "expire at=1 on=1 host=n2") == (everywhere,) * 4


def test_a_failure_that_a_program_reports_makes_its_node_ask():
    def doubted(run: Run) -> tuple[HostState, int]:
        entry = run.cluster[1].table.topics["compute"].entries["n2"]
        return entry.state, run.cluster[1].core.stats.probes

    reported, asked = looked(1.0002, doubted, "report_failure at=1 on=1 host=n2")
    assert reported is HostState.DOUBTED
    assert asked == looked(1.0002, doubted, "wait at=1")[1] + 1
    assert looked(2.0, doubted, "report_failure at=1 on=1 host=n2")[0] is HostState.LIVE


def test_a_dead_member_that_an_operator_forgets_is_gone_everywhere():
    def held(run: Run) -> list[bool]:
        return [host.member("n3") is not None for host in run.cluster.live]

    faults = ("crash at=1 on=3", "forget at=8 on=0 name=n3")
    assert looked(7.9, held, *faults) == [True] * 3
    assert looked(12.0, held, *faults, checks=("forgotten name=n3",)) == [False] * 3
