"""How a member is, in one sentence."""

from math import inf

import pytest

from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import NO_METADATA, MemberView, NodeState, Status, StatusReason
from gossipmm.text.summary import summary
from tests.text.test_evidence import line


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_summary(status):
    view = MemberView(
        *("b", 1, status, NodeState.DRAINING, (), 5, 90.0, 80.0, 0, NO_METADATA),
        StatusReason.RETURNS,
        3,
    )
    text = summary(view, (line(EvidenceKind.DECLARED_DEAD, "a"),), "a", 100.0)
    assert text.startswith("b")
    assert "10.0 s" in text
    assert summary(view._replace(heard=-inf), (), "a", 100.0)
