"""Typed values as plain ones and back: how a child's answers cross the pipe, by their annotations.

plain(agent.members())                          # lists, strings and numbers
typed(tuple[MemberView, ...], json.loads(...))  # equal to what went in
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ("plain", "typed")


def plain(value: Any) -> Any:
    """Return a value as JSON can carry it: a dataclass as its name and its fields."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (tuple, list, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        return [name, *(plain(getattr(value, field.name)) for field in fields(value))]
    return value


def typed(hint: Any, value: Any) -> Any:
    """Return the value that ``plain`` was given, by its annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _one_of(arguments, value)
    if origin is tuple:
        if arguments[-1] is ...:
            return tuple(typed(arguments[0], item) for item in value)
        return tuple(typed(kind, item) for kind, item in zip(arguments, value, strict=True))
    if origin is list:
        return [typed(arguments[0], item) for item in value]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {_key(arguments[0], key): typed(arguments[1], item) for key, item in value.items()}
    if not isinstance(hint, type):
        return value
    if issubclass(hint, Enum):
        return hint(value)
    if issubclass(hint, tuple):
        return hint(*map(typed, _hints(hint).values(), value))
    if is_dataclass(hint):
        return hint(*map(typed, _hints(hint).values(), value[1:]))
    return value


def _one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    """Choose among the members of a union: None, a dataclass by its name, or the only other."""
    if value is None and NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not NoneType]
    if all(is_dataclass(kind) for kind in others):
        return typed(next(kind for kind in others if kind.__name__ == value[0]), value)
    return typed(others[0], value) if len(others) == 1 else value


def _key(kind: Any, key: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, int):
        return kind(int(key))
    return key


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
