"""What people read: docstrings, comments, messages and documents, and the patterns to avoid there.

The list holds constructions that a reader stumbles over, most of them carried over from another
language, and terms that the glossary in CONTRIBUTING.md replaced. It cannot tell good English; it
only keeps what was weeded out from growing back.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.house.source import ROOT, parsed, python_files

__all__ = ("DOCSTRING_PATTERNS", "PATTERNS", "Passage", "everything", "found", "passages")


class Passage(NamedTuple):
    """A text with its place. ``kind``: docstring, comment, string or document."""

    path: Path
    line: int
    kind: str
    text: str


#: Pattern -> what to write instead.
PATTERNS = {
    r"(?<!each )(?<!one )(?<!none )(?<!all )(?<!both )(?<!most )(?<!some )\bof which\b": (
        "divide the sentence, or name the thing"
    ),
    r"\bwhom\b": "name the member",
    r"(?<!there )(?<!There )(?<!for )\b(?:is|are|was|were) no"
    r" (?!longer|more|less|fewer|one\b|need|matter|way\b|such)": "'is not a'",
    r"\bany ?more\b(?! than)": "'no longer'",
    r", too(?=[.;:,)]|$)": "'also', earlier in the sentence",
    r"\b(?:the|an|of|by|for|with|in|all|no|and|or|from|to|at|against|as|is|are|only|renew) own\b"
    r"|^own\b|[.:;] Own\b": "whose own? 'its own', 'this node's'",
    r"\banew\b": "'again'",
    r"\bthere(?:of|in|upon)\b|\bhere(?:by|in|upon)\b": "'of it', 'in it'",
    r"[\d}]\. time\b": "'for the third time', or 'n times'",
    r"(?:^|[.:;] )Who\b[^?]*?[.;:]": "'a node that ...', 'whoever ...'",
}
#: At the beginning of a docstring.
DOCSTRING_PATTERNS = {
    r"^Whether\b": "begin with a verb ('Return whether') or name the thing",
}


def passages(path: Path) -> Iterator[Passage]:
    """Yield every docstring, comment and message of a Python file."""
    tree = parsed(path)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                docstrings.add(body[0].value)
                text = ast.get_docstring(node)
                if text:
                    yield Passage(path, body[0].lineno, "docstring", text)
    inside_fstrings = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and node not in inside_fstrings:
            parts = (
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            text = "".join(parts)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in docstrings
            and node not in inside_fstrings
        ):
            text = node.value
        else:
            continue
        if text.count(" ") >= 2:
            yield Passage(path, node.lineno, "string", text)
    yield from _comments(path)


def _comments(path: Path) -> Iterator[Passage]:
    """Yield comments; consecutive lines are one."""
    begun = last = 0
    lines: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type != tokenize.COMMENT:
            continue
        text = token.string.lstrip("#: ")
        if token.start[0] == last + 1 and lines:
            lines.append(text)
        else:
            if lines:
                yield Passage(path, begun, "comment", "\n".join(lines))
            begun, lines = token.start[0], [text]
        last = token.start[0]
    if lines:
        yield Passage(path, begun, "comment", "\n".join(lines))


def documents() -> Iterator[Passage]:
    """Yield each paragraph of the documents, code blocks left out."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "sim/RESULTS.md"]
    pages += sorted((ROOT / "gossipmm").rglob("*.md"))
    for path in pages:
        text = re.sub(
            r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), path.read_text(), flags=re.M | re.S
        )
        line = 1
        for block in re.split(r"(\n\s*\n)", text):
            if block.strip():
                yield Passage(path, line, "document", block)
            line += block.count("\n")


def everything() -> Iterator[Passage]:
    """Yield all that is read by people."""
    for path in (*python_files("gossipmm"), *python_files("sim")):
        yield from passages(path)
    yield from documents()


def found(passage: Passage) -> Iterator[tuple[str, str]]:
    """Yield (what stands there, what to write instead)."""
    text = re.sub(r"``[^`]*``|`[^`]*`", "CODE", passage.text)
    text = re.sub(r"\s*\n\s*", " ", text)
    patterns = PATTERNS | (DOCSTRING_PATTERNS if passage.kind == "docstring" else {})
    for pattern, instead in patterns.items():
        for match in re.finditer(pattern, text):
            around = text[max(0, match.start() - 25) : match.end() + 25]
            yield around.strip(), instead
