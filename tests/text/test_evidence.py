"""Evidence in words: every kind that the core can note has its facts and its sentence."""

import ast
from pathlib import Path

import pytest

from gossipmm.core.values.questions import Outcome
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.trail import FACTS, EvidenceKind, Hold
from gossipmm.core.values.types import Evidence
from gossipmm.text.evidence import DETAILS, EVIDENCE, detail, sentence

CORE = Path(__file__).parents[2] / "gossipmm" / "core"

#: A value for each fact that there is.
EXAMPLES = {
    "accusers": ("c", "d"),
    "address": "192.0.2.1:7946",
    "carries": 548,
    "loses": 1200,
    "age": 12.5,
    "count": 2,
    "draining": True,
    "heartbeat": 7,
    "host": "host-a",
    "missed": 0.6,
    "newer": "192.0.2.2:7946",
    "older": "192.0.2.1:7946",
    "other": "192.0.2.1:7946",
    "page": 3,
    "probation": 8.0,
    "reason": RenewalReason.CLOSED,
    "returns": 3,
    "said": Outcome.DONE.value,
    "seconds": 0.512,
    "share": 0.53,
    "topic": "compute",
    "tries": 5,
    "why": Hold.DEAF,
    "window": 600.0,
}


def line(kind, reporter="c", **facts):
    """A line of evidence with all facts that its kind has."""
    examples = {name: EXAMPLES[name] for name in FACTS[kind]}
    return Evidence(1.0, kind, reporter, 7, {**examples, **facts})


def noted():
    """Yield (kinds, facts, where) for each call of ``note`` in the core."""
    for path in CORE.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            named = {
                node.targets[0].id: node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            }
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "note":
                    given = call.args[1]
                    value = named[given.id] if isinstance(given, ast.Name) else given
                    kinds = {
                        EvidenceKind[node.attr]
                        for node in ast.walk(value)
                        if isinstance(node, ast.Attribute)
                        and isinstance(node.value, ast.Name)
                        and node.value.id == "EvidenceKind"
                    }
                    facts = tuple(keyword.arg for keyword in call.keywords)
                    yield kinds, facts, f"{path}:{call.lineno}"


def test_the_tables_are_total():
    assert set(EVIDENCE) == set(FACTS) == set(EvidenceKind)
    assert set(DETAILS) == {kind for kind, facts in FACTS.items() if facts}


def test_every_kind_of_evidence_is_noted_somewhere():
    """A kind that the core never notes has a sentence that nobody reads."""
    assert set().union(*(kinds for kinds, _, _ in noted())) == set(EvidenceKind)


def test_every_line_is_noted_with_the_facts_of_its_kind():
    """A sentence that lacks a fact would raise where somebody asks why a member is dead."""
    calls = list(noted())
    assert len(calls) >= len(EvidenceKind) - 1
    for kinds, facts, where in calls:
        assert kinds, where
        for kind in kinds:
            assert facts == FACTS[kind], where


@pytest.mark.parametrize("kind", list(EvidenceKind))
@pytest.mark.parametrize("reporter", ["a", "b", "c", ""])
def test_a_sentence_says_who_and_never_fails(kind, reporter):
    text = sentence(line(kind, reporter), "a", "b")
    assert text
    assert "None" not in text
    for fact in FACTS[kind]:  # what is known is said, but for what only programs ask
        shown = str(EXAMPLES[fact]).removesuffix(".0")
        asked = ("accusers", "draining", "heartbeat", "missed", "probation", "reason", "said")
        asked += ("share", "why", "window")
        if fact not in asked:
            assert shown in text, fact
    assert "None" not in detail(line(kind, reporter))


@pytest.mark.parametrize("reason", list(RenewalReason))
def test_a_renewal_says_its_reason(reason):
    text = sentence(line(EvidenceKind.RENEWED, "c", reason=reason), "a", "a")
    assert text.startswith("this node began a new generation: ")
    assert not text.endswith(": ")


def test_who_is_this_node_and_who_is_the_member_itself():
    accused = line(EvidenceKind.ACCUSED)
    assert sentence(accused, "a", "b") == "c suspects it, having had no answer"
    assert sentence(accused._replace(reporter="a"), "a", "b") == (
        "this node suspects it and tells the others"
    )
    joined = line(EvidenceKind.JOINED, "b")
    assert sentence(joined, "a", "b") == "it announced itself"
    assert sentence(joined._replace(reporter="c"), "a", "b") == "c announced it"
    assert sentence(joined._replace(reporter=""), "a", "b") == "an unknown node announced it"
