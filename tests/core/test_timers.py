"""The heap of deadlines."""

from __future__ import annotations

from math import inf
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.values.timers import Timers, cancel


def test_an_empty_heap_is_due_never() -> None:
    timers = Timers()
    assert timers.next() == inf
    timers.run_due(1e18)
    assert timers.next() == inf


def test_deadlines_run_in_order_of_time_then_of_scheduling() -> None:
    """Equal times in the order of the calls: one seed replays one history."""
    timers, ran = Timers(), list[Any]()
    for when, what in [(2.0, "late"), (1.0, "first"), (1.0, "second"), (3.0, "not yet")]:
        timers.at(when, ran.append, what)
    assert timers.next() == 1.0
    timers.run_due(2.0)
    assert ran == ["first", "second", "late"]
    assert timers.next() == 3.0


def test_a_cancelled_token_does_nothing_and_is_not_waited_for() -> None:
    timers, ran = Timers(), list[Any]()
    token = timers.at(1.0, ran.append, "x")
    timers.at(5.0, ran.append, "y")
    cancel(token)
    assert timers.next() == 5.0
    timers.run_due(9.0)
    assert ran == ["y"]


def test_cancelling_nothing_twice_or_too_late_is_fine() -> None:
    timers, ran = Timers(), list[Any]()
    token = timers.at(1.0, ran.append, "x")
    timers.run_due(1.0)
    cancel(token)
    cancel(token)
    cancel(None)
    assert ran == ["x"]


def test_what_a_deadline_schedules_for_now_runs_in_the_same_turn() -> None:
    timers, ran = Timers(), list[Any]()

    def again(what: str) -> None:
        timers.at(1.0, ran.append, what)

    timers.at(1.0, again, "second")
    timers.run_due(1.0)
    assert ran == ["second"]


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=60), st.floats(0, 100))
def test_exactly_what_is_due_and_stands_runs_in_order(
    plan: list[tuple[float, bool]], now: float
) -> None:
    timers, ran = Timers(), list[float]()
    tokens = [timers.at(when, ran.append, when) for when, _ in plan]
    for token, (_, stands) in zip(tokens, plan, strict=True):
        if not stands:
            cancel(token)
    timers.run_due(now)
    assert ran == sorted(when for when, stands in plan if stands and when <= now)
    assert timers.next() == min((w for w, stands in plan if stands and w > now), default=inf)


def test_what_is_cancelled_does_not_stay_in_memory_until_its_time() -> None:
    """Cancelled deadlines are dropped before they come to the top of the heap.

    A lease of a day that a program acknowledges 2,000 times a second left one each time: 149 MB in
    500 seconds, and they would have gone a day later.
    """
    timers = Timers()
    timers.at(5.0, print)
    lease = timers.at(86_400.0, print)
    for _ in range(10_000):
        cancel(lease)
        lease = timers.at(86_400.0, print)
    assert len(timers) <= 200
    assert timers.next() == 5.0


def test_cancelling_what_has_run_is_not_counted_as_cancelled() -> None:
    """Else the heap would be cleaned of nothing, again and again."""
    timers, ran = Timers(), list[Any]()
    tokens = [timers.at(1.0, ran.append, n) for n in range(500)]
    timers.run_due(1.0)
    for token in tokens:
        cancel(token)
    assert ran == list(range(500))
    assert timers.cancelled == 0
