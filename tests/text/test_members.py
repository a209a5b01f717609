"""Why a member has its status, in words."""

import pytest

from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import NO_METADATA, MemberView, NodeState, Status, StatusReason
from gossipmm.text.evidence import sentence
from gossipmm.text.members import REASONS, why_status
from tests.text.test_evidence import line

VIEW = MemberView("b", 1, Status.DEAD, NodeState.UP, (), 5, 90.0, 80.0, 0, NO_METADATA)
TRAIL = (line(EvidenceKind.ACCUSED), line(EvidenceKind.DECLARED_DEAD, "a"))


def nobody_asks(name):
    raise AssertionError(f"the trail of {name} is not needed")


def test_the_table_of_reasons_is_total():
    assert {*REASONS, StatusReason.EVIDENCE} == set(StatusReason)


@pytest.mark.parametrize("reason", list(REASONS))
def test_a_reason_of_its_own_needs_no_evidence(reason):
    text = why_status(VIEW._replace(reason=reason, returns=3), nobody_asks, "a")
    assert bool(text) == (reason is not StatusReason.NONE)
    assert ("3" in text) == (reason in (StatusReason.RETURNS, StatusReason.CRASHES))


def test_who_is_dead_is_explained_by_the_last_evidence():
    view = VIEW._replace(reason=StatusReason.EVIDENCE)
    assert why_status(view, lambda name: TRAIL, "a") == sentence(TRAIL[-1], "a", "b")
    assert why_status(view, lambda name: (), "a") == ""
