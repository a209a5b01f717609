"""What a late call means, as a table."""

from __future__ import annotations

import pytest

from gossipmm.core.failure.pauses import Lateness, is_late, lateness

#: Step of the clock, by how much the earliest timer is overdue, what follows (interval: 1 s).
ROWS = [
    ("nothing was due meanwhile", 10.0, -5.0, Lateness(False, False, False)),
    ("half an interval is in time", 0.5, 0.5, Lateness(False, False, False)),
    ("a little late", 0.6, 0.6, Lateness(False, True, False)),
    ("two intervals are no pause", 2.0, 2.0, Lateness(False, True, False)),
    ("a pause", 2.1, 2.1, Lateness(False, True, True)),
    ("a minute is no snapshot", 60.0, 60.0, Lateness(False, True, True)),
    ("a snapshot, perhaps", 60.1, 60.1, Lateness(True, True, True)),
    ("a snapshot of a node with nothing due", 60.1, -1.0, Lateness(True, False, False)),
]


@pytest.mark.parametrize(("what", "step", "overdue", "expected"), ROWS)
def test_a_step_of_the_clock(what: str, step: float, overdue: float, expected: Lateness) -> None:
    """Timers that are overdue tell a pause from a long time without anything to do [P85, P89]."""
    assert lateness(step, overdue, 1.0) == expected, what


def test_lateness_is_measured_in_intervals() -> None:
    assert is_late(0.3, 0.5)
    assert not is_late(0.3, 1.0)
