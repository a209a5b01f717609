"""Tables of a configuration file, such as ``[[service]]``: read into values, and written again.

Each class of table is a NamedTuple. What it takes is its fields: the conversion of each is given by
name, and a field that there is not is refused with the one that was probably meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from gossipmm.config_values import Given, nearest
from gossipmm.errors import ConfigError

__all__ = ("Reader", "between", "plain", "refuse", "tables", "text", "texts", "whole")

#: Reads the value of one field.
Reader = Callable[[Given], Any]

#: Tables of one kind, at most: each is a task of the agent.
MAX_TABLES = 10_000


def refuse(given: Given, why: str) -> ConfigError:
    """Return the refusal of a value, with where it stands."""
    return ConfigError(why, path=given.path, source=given.source)


def tables(given: Given, what: str) -> list[Given]:
    """Return each table of a list of them (``[[what]]``). Raises ConfigError."""
    if given.text:
        why = f"is a list of tables: write [[{what}]] into a configuration file"
        raise refuse(given, why)
    value = given.value
    if not isinstance(value, (list, tuple)) or isinstance(value, str):
        raise refuse(given, f"is not a list of tables: write [[{what}]]")
    if len(value) > MAX_TABLES:
        raise refuse(given, f"has {len(value)} tables, more than the {MAX_TABLES} allowed")
    return [
        given._replace(value=one, path=f"{given.path}[{number}]")
        for number, one in enumerate(value)
    ]


def fields_of(given: Given, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Read the fields of one table, each by its reader. Raises ConfigError."""
    value = given.value
    if hasattr(value, "as_table"):
        value = value.as_table()
    if not isinstance(value, Mapping):
        raise refuse(given, f"{value!r} is not a table")
    found: dict[str, Any] = {}
    for name, item in value.items():
        at = given._replace(value=item, path=f"{given.path}.{name}")
        if name not in readers:
            raise refuse(at, f"is not a field of it{nearest(name, readers)}")
        found[name] = readers[name](at)
    return found


# -- fields --------------------------------------------------------------------------------


def text(given: Given) -> str:
    """Read a string that is not empty."""
    if not isinstance(given.value, str) or not given.value:
        raise refuse(given, f"{given.value!r} is not a string with something in it")
    return given.value


def texts(given: Given) -> tuple[str, ...]:
    """Read a list of strings that is not empty."""
    value = given.value
    if not isinstance(value, (list, tuple)) or not value:
        raise refuse(given, f'{value!r} is not a list of strings, such as ["a", "b"]')
    return tuple(
        text(given._replace(value=item, path=f"{given.path}[{number}]"))
        for number, item in enumerate(value)
    )


def between(low: float, high: float, unit: str = "seconds") -> Reader:
    """Return a reader of numbers."""

    def read(given: Given) -> float:
        value = given.value
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise refuse(given, f"{value!r} is not a number of {unit}")
        if not low <= value <= high:
            raise refuse(given, f"{value!r} is not between {low:g} and {high:g} {unit}")
        return float(value)

    return read


def whole(low: int, high: int) -> Reader:
    """Return a reader of whole numbers."""

    def read(given: Given) -> int:
        value = given.value
        if not isinstance(value, int) or isinstance(value, bool):
            raise refuse(given, f"{value!r} is not a whole number")
        if not low <= value <= high:
            raise refuse(given, f"{value} is not between {low} and {high}")
        return value

    return read


# -- and back ------------------------------------------------------------------------------


def as_table(value: NamedTuple, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that differ from their defaults, as plain values."""
    found = value._asdict()
    return {
        name: plain(item)
        for name, item in found.items()
        if name not in defaults or item != defaults[name]
    }


def plain(value: Any) -> Any:
    """Return a setting as plain values: lists, dicts, strings, numbers."""
    if hasattr(value, "as_table"):
        return value.as_table()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a map that nobody can change."""
    return MappingProxyType(dict(value))
