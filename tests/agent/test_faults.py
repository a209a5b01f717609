"""Faults of an agent: shown in words while they last, and taken back."""

from __future__ import annotations

from gossipmm.agent.faults import Faults
from gossipmm.core.values.events import RotationUnordered


def test_a_rotation_that_was_not_ordered_is_shown_with_who_tells_it_and_taken_back() -> None:
    """An event alone is gone by the time that somebody looks at ``status``."""
    faults = Faults()
    faults.tell(RotationUnordered(1.0, True, "03", ("c", "d"), "0.1.3.3600.01.any"))
    words = faults.now()["rotation_unordered"]
    assert "c, d told this node of a rotation to key 03" in words
    assert "run gossipmm ca rotate 0.1.3.3600.01.any" in words
    faults.tell(RotationUnordered(2.0, False, "", (), ""))
    assert faults.now() == {}
