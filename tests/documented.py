"""The documents' own programs: their sessions, commands and configurations, as they stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.house.source import ROOT

__all__ = ("PAGES", "Step", "blocks", "commands", "session", "wildcard")

#: README.md and the pages of the book. Decisions and changes have forms and tests of their own.
PAGES = [
    ROOT / "README.md",
    *(
        path
        for path in sorted((ROOT / "gossipmm/docs").rglob("*.md"))
        if path.parent.name not in ("decisions", "changes")
    ),
]


class Step(NamedTuple):
    """A command of a session, and the lines that it answers, in which ``…`` stands for anything."""

    command: str
    answer: str


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a language on a page, unindented."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.M | re.S)
    return [re.sub(rf"^{indent}", "", block, flags=re.M) for indent, block in found]


def session(page: Path) -> list[Step]:
    """Return the steps of all sessions of a page: a line with ``$`` and what is below it."""
    steps = []
    for block in blocks(page, "console"):
        assert block.startswith("$ "), f"{page.name}: a session begins with a command"
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, answer = part.partition("\n")
            steps.append(Step(command, answer.rstrip("\n")))
    return steps


def wildcard(answer: str) -> re.Pattern[str]:
    """Return a pattern for an answer: ``…`` alone is any lines, within a line it is any text."""
    lines = []
    for line in answer.splitlines():
        if line == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(r"[^\n]*".join(map(re.escape, line.split("…"))) + r" *\n")
    return re.compile("".join(lines))


def commands(page: Path) -> Iterator[list[str]]:
    """Yield every ``gossipmm`` command of a page, split into words."""
    lines = [step.command for step in session(page)]
    for block in blocks(page, "sh"):
        lines += re.sub(r"\\\n", " ", block).splitlines()
    for line in lines:
        # Several commands side by side, in columns, and what a shell does with them.
        for part in re.split(r"\s{3,}|\s&&\s|\s\|\s|\s--\s(?=gossipmm)|;\s", line):
            bare = re.sub(r"\s(\d?>.*|&)$", "", part.strip())
            if re.match(r"gossipmm(-sim)?\s", bare):
                yield shlex.split(bare, comments=True)
