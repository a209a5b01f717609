"""Every check can fail: for each kind a run in which its promise is broken, and how it says so.

A check that cannot fail is worse than none. Two of them once chose what they told by the first
English word of a message: reworded, ``no_strangers`` would have passed whatever happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from gossipmm.core.values.events import HostChanged, MemberDied, MemberReturned
from gossipmm.core.values.types import HostState, Status
from gossipmm.core.values.user_events import UserEvent
from gossipmm_sim.faults.user_events import Sent, event_log
from gossipmm_sim.judge import CHECKS, Breach, Violation
from gossipmm_sim.runs.run import Run, run
from gossipmm_sim.runs.scenario import Scenario

WARMUP = 3.0


@dataclass(frozen=True)
class Broken:
    """A run of four hosts that breaks a promise: by its faults, or by what ``act`` doctors."""

    check: str
    violation: Violation
    words: str
    faults: tuple[str, ...] = ()
    #: Done half a second after the warm-up.
    act: Callable[[Run], None] | None = None
    duration: float = 5.0
    #: Violation that is given as the cause.
    cause: Violation | None = None

    @property
    def kind(self) -> str:
        return self.check.split()[0]

    def run(self, *, doctored: bool = True) -> Run:
        """A run of it; without what breaks the promise, if asked so."""
        scenario = Scenario(
            name="x",
            nodes=4,
            warmup=WARMUP,
            duration=self.duration,
            faults=self.faults if doctored else (),
            checks=(self.check,),
        )
        started = Run(scenario, 1)
        act = self.act
        if act is not None and doctored:
            started.cluster.clock.at(WARMUP + 0.5, lambda *_: act(started))
        return started


def told(make: Callable[[Run], tuple[int, Any]]) -> Callable[[Run], None]:
    """Let a host say something that its core did not."""

    def act(run: Run) -> None:
        index, event = make(run)
        run.cluster.on_event(run.cluster[index], event)

    return act


def strange(run: Run) -> tuple[int, Any]:
    return 1, HostChanged(run.cluster.now, "compute", "stranger", HostState.LIVE, None)


def forged_event(run: Run) -> tuple[int, Any]:
    event_log(run)
    return 1, UserEvent(run.cluster.now, "n2", "rm", b"", "", 1, 0.0, False)


def event_told_twice(run: Run) -> None:
    event_log(run).send(run.cluster[0], 8)
    event = UserEvent(0.0, "n0", "test", bytes(4), "", 1, 0.0, False)
    for _ in range(2):
        run.cluster.on_event(run.cluster[1], event)


def event_told_too_early(run: Run) -> None:
    """Let n1 be told the second event of n0 before the first."""
    log = event_log(run)
    log.sent += [Sent(run.cluster.now, (0, 1), number, frozenset()) for number in (1, 2)]
    for place in (1, 0):
        payload = place.to_bytes(4, "big")
        event = UserEvent(0.0, "n0", "test", payload, "", 1 + place, 0.0, False)
        run.cluster.on_event(run.cluster[1], event)


def back_from_the_dead(run: Run) -> tuple[int, Any]:
    ended = run.cluster[2]
    generation = ended.core.generation
    ended.crash()
    run.tracker.buried["n1", "n2"] = run.cluster.now + 1.0
    return 1, MemberReturned(run.cluster.now, "n2", generation, 1, 0.0)


def declared_dead(run: Run) -> tuple[int, Any]:
    host = run.cluster[1]
    return 1, MemberDied(host.core_time(), "n2", run.cluster[2].core.generation, 0, ("n1",))


def declared_dead_by_a_sick_one(run: Run) -> tuple[int, Any]:
    run.ill(run.cluster[1], inf)
    return declared_dead(run)


def holds_itself(**changes: Any) -> Callable[[Run], None]:
    """Let n1 answer otherwise when asked for itself."""

    def act(run: Run) -> None:
        core: Any = run.cluster[1].core
        ask = core.member
        core.member = lambda name: ask(name)._replace(**changes) if name == "n1" else ask(name)

    return act


def knows_nothing_of_itself(run: Run) -> None:
    core: Any = run.cluster[1].core
    ask = core.member
    core.member = lambda name: None if name == "n1" else ask(name)


def heartbeats(change: Callable[[int], int]) -> Callable[[Run], None]:
    """Let n1 show other heartbeats of n2."""

    def act(run: Run) -> None:
        run._sample()
        core: Any = run.cluster[1].core
        ask = core.members
        core.members = lambda: tuple(
            one._replace(heartbeat=change(one.heartbeat)) if one.name == "n2" else one
            for one in ask()
        )

    return act


def small_limit(run: Run) -> None:
    run.cluster.network.limit = 20


def owner(change: Callable[[list[Any]], list[Any]]) -> Callable[[Run], None]:
    """Let n2 say that it registers something else than it told the others."""

    def act(run: Run) -> None:
        core: Any = run.cluster[2].core
        ask = core.registrations
        core.registrations = lambda now: change(list(ask(now)))

    return act


BROKEN = (
    Broken(
        "no_resurrection",
        Violation.RESURRECTED,
        "at 0.500 s n1 takes back n2, whose process has ended",
        act=told(back_from_the_dead),
    ),
    Broken(
        "no_strangers",
        Violation.STRANGER,
        "at 0.500 s n1 lists stranger under compute, for which nobody ever registered it",
        act=told(strange),
    ),
    Broken(
        "alive_to_itself",
        Violation.NOT_ALIVE_TO_ITSELF,
        "n1 holds itself dead",
        faults=("wait at=2",),
        act=holds_itself(status=Status.DEAD),
    ),
    Broken(
        "alive_to_itself",
        Violation.NOT_ALIVE_TO_ITSELF,
        "n1 holds itself unknown",
        faults=("wait at=2",),
        act=knows_nothing_of_itself,
    ),
    Broken(
        "monotone",
        Violation.HEARTBEAT_NEVER_ISSUED,
        "n1 holds heartbeat",
        act=heartbeats(lambda beat: beat + 1_000_000),
    ),
    Broken(
        "monotone",
        Violation.HEARTBEAT_FELL,
        "n1's heartbeat of n2 fell from",
        act=heartbeats(lambda beat: 0),
    ),
    Broken(
        "datagram_limit",
        Violation.OVERSIZE,
        "bytes, 20 are allowed",
        act=small_limit,
    ),
    Broken(
        "bounded rate=1",
        Violation.TOO_MANY_BYTES,
        "bytes/s for ten seconds, 1 are allowed",
        duration=12,
    ),
    Broken(
        "bounded datagrams=0.1",
        Violation.TOO_MANY_DATAGRAMS,
        "datagrams/s for ten seconds, 0.1 are allowed",
        duration=12,
    ),
    Broken(
        "converged within=3",
        Violation.NO_AGREEMENT,
        "views agreed never, not within 3 s of the last fault: 2 different views; n3 differ",
        faults=("cut at=1 on=3",),
        duration=12,
        cause=Violation.VIEWS_DIFFER,
    ),
    Broken(
        "converged within=3",
        Violation.NO_AGREEMENT,
        "all agree, but on 4 members where 3 are up",
        faults=("crash at=4.99 on=3",),
        cause=Violation.MEMBERS_MISCOUNTED,
    ),
    Broken(
        "converged within=0.01",
        Violation.NO_AGREEMENT,
        "views agreed after ",
        faults=("cut at=1 until=8 on=3",),
        duration=12,
    ),
    Broken(
        "converged within=3",
        Violation.LISTS_UNOWNED,
        "n0 lists n2 under compute, unlike its owner",
        act=owner(lambda rows: []),
    ),
    Broken(
        "converged within=3",
        Violation.LACKS_OWNED,
        "n0 lacks n2 under another, unlike its owner",
        act=owner(lambda rows: [*rows, rows[0]._replace(topic="another")]),
    ),
    Broken(
        "converged within=3",
        Violation.STATE_UNLIKE_OWNER,
        "n0 has n2 under compute as live of n2; it is draining of n2",
        act=owner(lambda rows: [rows[0]._replace(state=1)]),
    ),
    Broken(
        "removed within=0.1",
        Violation.LATE_REMOVAL,
        "n3 was out of all lookups after",
        faults=("crash at=1 on=3",),
        duration=10,
    ),
    Broken(
        "removed within=3",
        Violation.LATE_REMOVAL,
        "n3 was out of all lookups never, not within 3 s; still at n0, n1, n2",
        faults=("crash at=4.9 on=3",),
    ),
    Broken(
        "kept",
        Violation.FALSE_DEATH,
        "at 0.500 s n1 declared n2 dead, which was healthy (false deaths in all: 1)",
        act=told(declared_dead),
    ),
    Broken(
        "kept by=all",
        Violation.FALSE_DEATH,
        "at 0.500 s n1 declared n2 dead, which was healthy (false deaths in all: 1)",
        act=told(declared_dead_by_a_sick_one),
    ),
    Broken(
        "joined within=0.000001",
        Violation.LATE_JOIN,
        "all views were complete after",
        faults=("wait at=1",),
    ),
    Broken(
        "present within=1",
        Violation.ABSENT,
        "n0 has lacked n3 for 1.5 s, not 1 s at most",
        faults=("cut at=1 on=3",),
        duration=12,
    ),
    Broken(
        "intact within=1",
        Violation.ALTERED,
        "n0 has held n3 not alive for 1.5 s, not 1 s at most",
        faults=("cut at=1 on=3",),
        duration=12,
    ),
    Broken(
        "no_ghosts within=1",
        Violation.GHOST,
        "n0 has listed ghost-n3-1, which does not run, for 1.05 s, not 1 s at most",
        faults=("ghosts at=1 until=1.4 by=3 rate=2",),
        duration=12,
    ),
    Broken(
        "unmoved",
        Violation.VIEW_CHANGED,
        "view changed",
        faults=("register at=1 on=2 topic=other",),
    ),
    Broken("out on=2", Violation.STILL_ANSWERED, "n0 still answers n2 for compute"),
    Broken(
        "listed",
        Violation.NOT_ALIVE,
        "n0 holds n3 dead",
        faults=("cut at=1 on=3",),
        duration=12,
    ),
    Broken("forgotten name=n1", Violation.NOT_FORGOTTEN, "n0 still holds n1 alive"),
    Broken(
        "lists topic=compute count=9",
        Violation.WRONG_COUNT,
        "n0 lists 4 hosts under compute, not 9",
    ),
    Broken(
        "drained on=1",
        Violation.DRAINING_PICKED,
        "n0 still picks n1, which is draining",
    ),
    Broken(
        "drained on=1",
        Violation.DRAINING_LOST,
        "n0 no longer finds n1 under compute",
        faults=("crash at=1 on=1",),
        duration=12,
    ),
    Broken(
        "answers on=0 topic=compute at_least=9",
        Violation.TOO_FEW_ANSWERS,
        "n0 has 4 hosts for compute, not 9",
    ),
    Broken(
        "at_most figure=bytes_per_second value=1",
        Violation.FIGURE_ABOVE,
        "more than 1",
    ),
    Broken(
        "events_told within=0.0001",
        Violation.EVENT_LATE,
        "not within 0.0001 s",
        faults=("user_events at=1 until=2",),
    ),
    Broken("events_told within=2", Violation.EVENT_TWICE, "n1 was told", act=event_told_twice),
    Broken(
        "events_told within=2", Violation.EVENT_DISORDER, "a later one", act=event_told_too_early
    ),
    Broken(
        "no_forged_events",
        Violation.EVENT_FORGED,
        "n1 was told an event that n2 never sent",
        act=told(forged_event),
    ),
    Broken(
        "at_least figure=core.bulk_datagrams value=1e9",
        Violation.FIGURE_BELOW,
        ", less than 1e+09",
    ),
)


def label(one: Broken) -> str:
    return f"{one.check}: {one.violation}" + (f", {one.cause}" if one.cause else "")


@pytest.mark.parametrize("case", BROKEN, ids=label)
def test_a_broken_promise_is_found(case):
    result = case.run().execute()
    verdict = next(one for one in result.verdicts if one.kind == case.kind)
    assert verdict.breach is not None
    assert verdict.breach.violation is case.violation
    assert case.words in verdict.message
    if case.cause is not None:
        assert verdict.breach.cause is not None
        assert verdict.breach.cause.violation is case.cause
    assert verdict.as_dict()["violation"] == case.violation.value


#: Broken by what is done to the run; the others ask for what never happens.
BY_DEED = [
    one
    for one in BROKEN
    if (one.act is not None or one.faults) and one.kind not in ("removed", "drained", "joined")
]


@pytest.mark.parametrize("case", BY_DEED, ids=label)
def test_the_same_run_without_what_was_done_to_it_keeps_the_promise(case):
    result = case.run(doctored=False).execute()
    assert result.ok, result.failures


def test_every_check_has_a_run_in_which_it_fails():
    assert {case.kind for case in BROKEN} == set(CHECKS)


def test_every_violation_is_one_that_a_run_can_have():
    ended = {Violation.STORM, Violation.RAISED}  # tests/sim/test_runs.py
    found = {case.violation for case in BROKEN} | {case.cause for case in BROKEN if case.cause}
    assert found | ended == set(Violation)


@pytest.mark.parametrize("violation", Violation)
def test_every_violation_has_words(violation):
    breach = Breach(
        violation=violation,
        at=1.5,
        observer="n1",
        subject="n2",
        topic="compute",
        held="dead",
        due="live",
        others=("n3",),
        detail="an error",
    )
    text = str(breach)
    assert text.startswith("at 1.500 s ")
    assert "{" not in text
    assert len(text) > len("at 1.500 s ")


def test_safety_is_judged_although_nobody_names_it():
    started = Broken("kept", Violation.STRANGER, "", act=told(strange)).run()
    result = started.execute()
    assert [one.check for one in result.failures] == ["no_strangers"]


def test_a_breach_found_in_a_sample_is_told_with_its_time_and_not_looked_for_again():
    scenario = Scenario(
        name="x", nodes=4, duration=6, checks=("unmoved",), faults=("register at=1 on=2 topic=o",)
    )
    breach = run(scenario, 1).failures[0].breach
    assert breach is not None
    assert breach.at is not None
    assert 1.0 <= breach.at <= 2.0
