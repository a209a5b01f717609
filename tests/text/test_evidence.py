"""Evidence in words: every kind that the core can note has its sentence."""

import re
from pathlib import Path

import pytest

from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Evidence
from gossipmm.text.evidence import EVIDENCE, sentence

CORE = Path(__file__).parents[2] / "gossipmm" / "core"


def test_every_kind_of_evidence_has_words():
    assert set(EVIDENCE) == set(EvidenceKind)


def test_every_kind_of_evidence_is_noted_somewhere():
    """A kind that the core never notes has a sentence that nobody reads."""
    text = "".join(path.read_text() for path in CORE.rglob("*.py"))
    noted = set(re.findall(r"\.note\(\s*[\w.]+,\s*EvidenceKind\.(\w+)", text))
    assert noted == set(EvidenceKind.__members__)


@pytest.mark.parametrize("kind", list(EvidenceKind))
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
