"""Text that came over the network, made safe for a terminal and for one line of a log.

An escape sequence in somebody's metadata could hide rows of a table or fake others, a line break
adds one, and a bidirectional override shows one name as another. What is not printable is shown as
its escape.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ("cleaned", "json_text", "printable", "styled_line")

#: The colours and styles that the commands themselves use.
_STYLE = re.compile(r"(\x1b\[(?:0|1|2|31|32|33|36|90)m)")


def printable(text: str) -> str:
    """Escape each character that is not printable: controls, line breaks, bidirectional marks."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def styled_line(text: str) -> str:
    """Escape as ``printable`` does, and leave the commands' own colours."""
    if text.isprintable():
        return text
    parts = _STYLE.split(text)
    return "".join(part if n % 2 else printable(part) for n, part in enumerate(parts))


def cleaned(value: Any) -> Any:
    """Copy a value as JSON has it, with all of its strings printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {key: cleaned(item) for key, item in value.items()}
    return value


def json_text(value: object, *, indent: int | None = None) -> str:
    """Write JSON that can be read as it is: letters of all scripts, everything else escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    lines = text.split("\n")  # those that the indentation made: others are escaped in strings
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    return "".join(
        char if char.isprintable() else json.dumps(char, ensure_ascii=True)[1:-1] for char in line
    )
