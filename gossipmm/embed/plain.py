"""Values as JSON and back: how a child's answers cross the pipe.

    plain(agent.members())             # lists, strings, numbers, and objects that name a type
    restored(json.loads(...))          # equal to what went in

Every value of a type of ours names it, so that nothing has to be known of an answer to read it: the
annotations of a compiled module say ``tuple`` where the source says ``tuple[Address, ...]``.
Sequences come back as tuples, as all answers have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from gossipmm import answers
from gossipmm.core.values import events, renewal, stats, trail, types
from gossipmm.errors import MatchMakerException

__all__ = ("PipeError", "plain", "restored")

#: What may cross: the tuples, dataclasses and enums that answers are made of.
_TYPES: dict[str, Any] = {
    name: kind
    for module in (types, trail, renewal, stats, events, answers)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and (issubclass(kind, (tuple, Enum)) or is_dataclass(kind))
}
_TYPES["bytes"] = bytes.fromhex
#: Keys of the objects that stand for a value of a type of ours, and for a map.
_TYPE, _MAP = "type", "map"


class PipeError(MatchMakerException):
    """What the other end said cannot be read: it is of another version, or is not gossipmm."""


def plain(value: Any) -> Any:
    """Return a value as JSON can carry it."""
    kind = type(value)
    if isinstance(value, Enum):
        return {_TYPE: kind.__name__, "of": [value.value]}
    if isinstance(value, bytes):
        return {_TYPE: "bytes", "of": [value.hex()]}
    if isinstance(value, Mapping):
        return {_MAP: [[plain(key), plain(item)] for key, item in value.items()]}
    if is_dataclass(value):
        return {_TYPE: kind.__name__, "of": [plain(getattr(value, f.name)) for f in fields(value)]}
    if isinstance(value, (tuple, list, set, frozenset)):
        items = [plain(item) for item in value]
        return {_TYPE: kind.__name__, "of": items} if kind.__name__ in _TYPES else items
    return value


def restored(value: Any) -> Any:
    """Return the value that ``plain`` was given. Raises PipeError: a type may not cross."""
    try:
        return _restored(value)
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        raise PipeError(
            f"what the agent's process answers cannot be read here ({type(exc).__name__}: {exc}): "
            "do both run the same version of gossipmm?"
        ) from None


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_restored, value))
    if isinstance(value, dict):
        if _MAP in value:
            return {_restored(key): _restored(item) for key, item in value[_MAP]}
        return _TYPES[value[_TYPE]](*map(_restored, value["of"]))
    return value
