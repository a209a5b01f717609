"""The protocol's rules (``gossipmm/core/PROTOCOL.md``) and what cites them stay together.

A rule is cited as ``[P17]``, several as ``[P17, P18]``: by the docstring of each test that shows
it, and by the code that implements it.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossipmm.config import Config
from gossipmm.mechanisms import Mechanism

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "gossipmm" / "core" / "PROTOCOL.md").read_text()
CITATION = re.compile(r"\[(P\d+(?:, P\d+)*)\]")
DEFINITION = re.compile(r"^\*\*(P\d+)\. (.*?)(?=\n\n)", re.M | re.S)

#: Number -> text of the rule.
RULES = dict(DEFINITION.findall(TEXT))


def cited_in(text: str) -> set[str]:
    """Numbers of the rules that a text cites."""
    return {number for group in CITATION.findall(text) for number in group.split(", ")}


def sources(*folders: str) -> Iterator[Path]:
    """Files that people write: code, scenarios, grammar, documents."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".toml", ".cddl", ".md", ".txt") and path != Path(__file__):
                yield path


def docstrings(path: Path) -> str:
    """The docstrings of a file: of the module, its classes and its functions."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(path.read_text()))
    return "\n".join(ast.get_docstring(n) or "" for n in nodes if isinstance(n, kinds))


TESTED = {
    number: path
    for path in sources("tests")
    if path.name.startswith("test_") and path.suffix == ".py"
    for number in cited_in(docstrings(path))
}
#: Rules that the code cites.
IMPLEMENTED = {
    number
    for path in sources("gossipmm/core")
    if path.suffix == ".py"
    for number in cited_in(path.read_text())
}


def table(header: str) -> list[list[str]]:
    """The rows of the table with that header, as cells without marks of code."""
    lines = TEXT.split(header + "\n")[1].split("\n\n")[0].splitlines()[1:]
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines
    ]


#: Numbers that no rule has: the work that they were given to did not need them.
UNUSED: set[int] = {149, 194, 197}


# -- the document ------------------------------------------------------------------------------


def test_rules_are_numbered_from_one_without_a_gap() -> None:
    found = [number for number, _ in DEFINITION.findall(TEXT)]
    numbers = [int(number[1:]) for number in found]
    assert numbers == sorted(set(numbers))
    assert set(range(1, numbers[-1])) - set(numbers) <= UNUSED
    assert len(found) > 100


@pytest.mark.parametrize("number", RULES)
def test_a_rule_says_what_is_done_why_and_where_the_idea_is_from(number: str) -> None:
    rule = " ".join(RULES[number].split())
    assert re.search(r"\*\*( |$)", rule), "the statement itself is in bold type"
    assert "*Why" in rule
    assert "*From:*" in rule


def test_rules_refer_to_rules_that_there_are() -> None:
    assert set(re.findall(r"\bP\d+\b", TEXT)) == set(RULES)


def test_the_contents_name_the_rules_of_each_section() -> None:
    for title, first, last in re.findall(
        r"\[(\d+\. [^\]]*)\]\([^)]*\) \| (P\d+)(?:-(P\d+))? \|", TEXT
    ):
        section = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
        found = [number for number, _ in DEFINITION.findall(section + "\n\n")]
        assert (found[0], found[-1]) == (first, last or first)


def test_the_files_that_it_names_are_there() -> None:
    named = re.findall(r"`([a-z_/]+\.(?:py|cddl))`", TEXT)
    assert len(named) > 40
    for name in named:
        places = (ROOT / "gossipmm" / "core" / name, ROOT / name)
        assert any(place.is_file() for place in places), f"{name}: it has moved"


def test_every_mechanism_is_the_switch_of_a_rule() -> None:
    switches = set(re.findall(r"\*Switch:\*\s+`(\w+)`", TEXT))
    assert switches == {mechanism.value for mechanism in Mechanism}


@pytest.mark.parametrize("row", table("| setting | default | rules |"), ids=lambda row: row[0])
def test_settings_have_the_values_that_it_tells(row: list[str]) -> None:
    name, value, _ = row
    assert getattr(Config(), name) == value_of(value)


@pytest.mark.parametrize(
    "row", table("| constant | value | file | rules |"), ids=lambda row: row[0]
)
def test_constants_have_the_values_that_it_tells(row: list[str]) -> None:
    names, value, file, _ = row
    path = file if file.startswith("gossipmm/") else f"gossipmm/core/{file}"
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    found = tuple(getattr(module, name, f"{name} is not there") for name in names.split(", "))
    assert (found if len(found) > 1 else found[0]) == value_of(value)


def value_of(text: str) -> Any:
    """Read a value as Python would."""
    return eval(text, {"__builtins__": {}})


# -- who cites it ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", RULES)
def test_every_rule_is_cited_by_a_test(number: str) -> None:
    assert number in TESTED, f"no docstring of a test cites [{number}]: {RULES[number]}"


@pytest.mark.parametrize("number", RULES)
def test_every_rule_is_cited_by_the_code_that_implements_it(number: str) -> None:
    assert number in IMPLEMENTED, f"nothing in gossipmm/core cites [{number}]: {RULES[number]}"


def test_every_citation_names_a_rule() -> None:
    for path in sources("gossipmm", "sim", "tests"):
        strange = cited_in(path.read_text()) - set(RULES)
        assert not strange, f"{path}: there is no rule {sorted(strange)} in PROTOCOL.md"


def test_no_citation_of_a_document_that_is_not_in_the_repository() -> None:
    """Documents may tell that there was one; code and tests cite what can be read."""
    for path in sources("gossipmm", "sim", "tests"):
        if path.suffix != ".md":
            found = re.search(r"\bdesign,? sections?\b|\bthe design\b", path.read_text(), re.I)
            assert not found, f"{path}: {found}: cite a rule of PROTOCOL.md"
