"""When evidence was had, whatever makes it look younger than it is."""

from __future__ import annotations

from math import inf

import pytest

from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.table.liveness import Liveness, Outcome
from gossipmm.core.table.member import Member
from gossipmm.core.values.evidence_time import OLDEST, EvidenceTime, first_hand, hearsay, unknown
from gossipmm.core.wire import frame as wire

NOW = 1000.0


def inbound(*, delayed: bool = False, waited: float = 0.0, stranger: bool = False) -> Inbound:
    """A datagram of a member "a", read at NOW."""
    frame = wire.Frame(wire.NEWS, 7, 0, 0, 0, 9, 0, b"", {})
    read = Inbound(frame, ("10.0.0.1", 7946), (), NOW)
    read.sender = None if stranger else Member("a", 1, 7)
    read.delayed, read.waited = delayed, waited
    return read


def member(*, declared_dead_at: float | None = None) -> Member:
    """What is held of somebody else."""
    other = Member("b", 1, 8)
    other.declared_dead_at = declared_dead_at
    return other


@pytest.mark.parametrize(
    ("what", "read", "buried", "at", "heard"),
    [
        ("hearsay", inbound(), False, 990.0, 990.0),
        ("hearsay of a dead one", inbound(), True, 990.0, 990.0),
        ("after a pause", inbound(waited=5.0), False, 990.0, 985.0),
        ("of a dead one, after a pause", inbound(waited=5.0), True, 985.0, 985.0),
        ("overtaken", inbound(delayed=True), False, -inf, NOW - OLDEST),
        ("overtaken, of a dead one", inbound(delayed=True), True, -inf, NOW - OLDEST),
        ("of a stranger", inbound(stranger=True), False, -inf, NOW - OLDEST),
        ("of a stranger, after a pause", inbound(stranger=True, waited=5.0), True, -inf, None),
    ],
)
def test_hearsay(what: str, read: Inbound, buried: bool, at: float, heard: float | None) -> None:
    """A row that says "alive, 10 s ago" [P42, P89]."""
    evidence = read.hearsay(member(declared_dead_at=100.0 if buried else None), 10.0)
    assert evidence.at == at, what
    assert evidence.heard == (NOW - OLDEST - 5.0 if heard is None else heard), what


def test_what_a_sender_says_of_itself_has_no_age() -> None:
    """Else a recording of it would be young evidence whenever it is played."""
    read = inbound()
    assert read.sender is not None
    assert read.hearsay(read.sender, 0.0).at == -inf


@pytest.mark.parametrize(
    ("declared_dead_at", "waited", "expected"),
    [
        (None, 0.0, EvidenceTime(NOW, NOW)),
        (None, 5.0, EvidenceTime(NOW, NOW - 5.0)),
        (100.0, 0.0, EvidenceTime(-inf, NOW - OLDEST)),
    ],
)
def test_the_head_of_a_datagram(
    declared_dead_at: float | None, waited: float, expected: EvidenceTime
) -> None:
    """The sender's own heartbeat is of now; of a sender that is dead here it may be a replay."""
    read = inbound(waited=waited)
    sender = member(declared_dead_at=declared_dead_at)
    assert read.first_hand(sender) == expected


def test_evidence_of_unknown_age_is_older_than_any_burial_that_is_remembered() -> None:
    """It is not taken as a week old, the largest age that a row can tell.

    With a ``reap_after`` of a week a burial is remembered for some minutes longer, and a replay
    would have raised the dead then.
    """
    assert wire.AGES[-1] == OLDEST
    live = Liveness()
    live.hear_alive(5, first_hand(NOW - OLDEST - 200.0))
    live.hear_suspect(5)
    live.declare_dead(NOW - OLDEST - 100.0)
    assert live.hear_alive(6, unknown(NOW, 0.0)) is Outcome.RETURNING


def test_no_evidence_gains_by_a_jump_of_the_clock() -> None:
    """An hour forward: what was had before the burial must not look younger than it [P42]."""
    live = Liveness()
    live.hear_alive(5, first_hand(90.0))
    live.hear_suspect(5)
    live.declare_dead(100.0)
    live.clock_jumped(3600.0)
    assert live.hear_alive(6, hearsay(3610.0, 0.0, 5.0, dead=True)) is Outcome.RETURNING
    live.clock_jumped(0.0)
    assert live.hear_alive(7, first_hand(3701.0)) is Outcome.RETURNED
