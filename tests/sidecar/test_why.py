"""Evidence in words: every kind that the core can note has its sentence."""

import re
from math import inf
from pathlib import Path

import pytest

from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import NO_METADATA, Evidence, MemberView, NodeState, Status
from gossipmm.sidecar.why import WORDS, duration, sentence, summary

CORE = Path(__file__).parents[2] / "gossipmm" / "core"


def test_every_kind_of_evidence_has_words():
    assert set(WORDS) == set(EvidenceKind)


def test_every_kind_of_evidence_is_noted_somewhere():
    """A kind that the core never notes has a sentence that nobody reads."""
    text = "".join(path.read_text() for path in CORE.rglob("*.py"))
    noted = set(re.findall(r"\.note\(\s*[\w.]+,\s*EvidenceKind\.(\w+)", text))
    assert noted == set(EvidenceKind.__members__)


@pytest.mark.parametrize("kind", [*EvidenceKind, "of_tomorrow"])
@pytest.mark.parametrize("teller", ["a", "b", "c"])
def test_a_sentence_says_who_and_never_fails(kind, teller):
    text = sentence(Evidence(1.0, kind, teller, 7, "some detail"), "a", "b")
    assert text
    assert "None" not in text


def test_who_is_this_node_and_who_is_the_member_itself():
    accused = Evidence(1.0, EvidenceKind.ACCUSED, "c", 7, "heartbeat 7")
    assert sentence(accused, "a", "b") == "c suspects it: it did not answer c"
    assert sentence(accused._replace(teller="a"), "a", "b") == (
        "this node suspects it, and tells the others"
    )
    joined = Evidence(1.0, EvidenceKind.JOINED, "b", 1)
    assert sentence(joined, "a", "b") == "it made itself known"
    assert sentence(joined._replace(teller="c"), "a", "b") == "c made it known"


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_summary(status):
    view = MemberView(
        "b", 1, status, NodeState.DRAINING, (), 5, 90.0, 80.0, 0, NO_METADATA, "some reason"
    )
    text = summary(view, (Evidence(90.0, EvidenceKind.BURIED, "a", 5, "accused by a"),), "a", 100.0)
    assert text.startswith("b")
    assert "10.0 s" in text
    assert summary(view._replace(heard=-inf), (), "a", 100.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.0004, "0 ms"),
        (0.34, "340 ms"),
        (0.9996, "1.0 s"),
        (12.51, "12.5 s"),
        (99.96, "1 min 40 s"),
        (3599.6, "1 h 0 min"),
        (18_720, "5 h 12 min"),
        (200_000, "2 days 7 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
