"""Frozen values that print and parse: faults and checks are written ``kind key=value ...``.

    loss at=10 until=70 p=0.25 on=0-9
    converged within=5

Only fields that differ from their defaults are printed; ``parse`` reads back exactly the value
that was printed. Text with blanks is quoted as in a shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar, get_type_hints

from gossipmm_sim.errors import UsageError, unknown

__all__ = ("Printed", "convert", "parse")

T = TypeVar("T", bound="Printed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """Base of faults and checks. ``kind`` is the first word of the text."""

    kind: ClassVar[str] = ""

    def __str__(self) -> str:
        parts = [self.kind]
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                parts.append(f"{field.name}={_text(value)}")
        return " ".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return shlex.quote(str(value))


def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def convert(what: str, text: str, wanted: Any) -> Any:
    """Read one value of a field's type: bool, int, float or str.

    Raises UsageError, naming the field, when the text is not such a value.
    """
    if wanted is str:
        return text
    try:
        if wanted is bool:
            return {"true": True, "false": False, "yes": True, "no": False}[text.lower()]
        if wanted is int:
            return int(text)
        return float(text)
    except (ValueError, KeyError):
        noun = {bool: "true or false", int: "a whole number"}.get(wanted, "a number")
        raise UsageError(f"{what}: {text!r} is not {noun}") from None


def parse(text: str, kinds: Mapping[str, type[T]], what: str = "kind") -> T:
    """Read ``kind key=value ...``.

    Raises UsageError for an unknown kind or key (with the nearest known one) or a bad value.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{what} {text!r} does not parse: {error}") from None
    if not words:
        raise UsageError(f"{what} {text!r} does not parse: it is empty")
    kind, *parts = words
    if kind not in kinds:
        raise unknown(what, kind, kinds)
    cls = kinds[kind]
    hints: dict[str, Any] = _hints(cls)
    values: dict[str, Any] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if key not in hints:
            raise unknown(f"parameter of {what} {kind!r}", key, hints)
        if not equals:
            raise UsageError(f"{what} {kind!r}: {key!r} has no value (write {key}=...)")
        values[key] = convert(f"{kind} {key}", value, hints[key])
    try:
        return cls(**values)
    except TypeError as error:
        missing = str(error).rpartition(":")[2].strip()
        raise UsageError(f"{what} {kind!r} needs {missing}") from None
    except ValueError as error:
        raise UsageError(f"{what} {kind!r}: {error}") from None
