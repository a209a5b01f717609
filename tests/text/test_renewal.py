"""Why a node began a new generation, in words."""

from pathlib import Path

import pytest

from gossipmm.core.values.events import GenerationRenewed
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.text.events import as_line
from gossipmm.text.renewal import RENEWALS, why_renewed

CORE = Path(__file__).parents[2] / "gossipmm" / "core"


def test_the_table_of_reasons_is_total():
    assert set(RENEWALS) == set(RenewalReason)


@pytest.mark.parametrize("reason", list(RenewalReason))
def test_a_reason_is_told_by_event_and_evidence_alike(reason):
    event = GenerationRenewed(1.0, 9, 8, reason, "b")
    assert as_line(event, "a").endswith(why_renewed(reason, "b"))
    assert "RenewalReason" not in why_renewed(reason, "")


def test_every_reason_is_one_that_the_core_has():
    text = "".join(path.read_text() for path in CORE.rglob("*.py"))
    for reason in RenewalReason:
        assert f"renew(RenewalReason.{reason.name}, " in text, reason
