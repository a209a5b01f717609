"""One conversion and one refusal for each type of field, whichever face a value came through.

A value of a program is checked, text (of the environment, or a flag) is read. Standard library
only, and cheap to import: this runs inside every RPC host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from gossipmm.errors import ConfigError
from gossipmm.mechanisms import Mechanism, mechanisms
from gossipmm.names import why_not_scalar, why_not_string

__all__ = ("CONVERTERS", "Given", "mapping", "nearest", "scalar", "unknown")

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class Given(NamedTuple):
    """One setting on its way: as found, where, and whether text may stand for other types."""

    value: Any
    path: str
    source: str = ""
    text: bool = False


def nearest(name: object, known: Iterable[str]) -> str:
    """Return "; did you mean X?", or nothing."""
    from difflib import get_close_matches  # an embedded host never needs it

    near = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def unknown(path: str, name: str, known: Iterable[str], *, source: str = "") -> ConfigError:
    """Say that there is no such field, and which one was probably meant."""
    message = f"is not a field of the configuration{nearest(name, known)}"
    return ConfigError(message, path=path, source=source)


def _refuse(given: Given, expected: str) -> ConfigError:
    return ConfigError(f"{given.value!r} is not {expected}", path=given.path, source=given.source)


def _string(given: Given) -> str:
    if isinstance(given.value, str):
        return given.value
    raise _refuse(given, "a string")


def _boolean(given: Given) -> bool:
    if isinstance(given.value, bool):
        return given.value
    if given.text and isinstance(given.value, str):
        word = given.value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise _refuse(given, "true or false")


def _number(given: Given, kind: type[int] | type[float], expected: str) -> int | float:
    value = given.value
    allowed = (int, float) if kind is float else (int,)
    if isinstance(value, allowed) and not isinstance(value, bool):
        return kind(value)
    if given.text and isinstance(value, str):
        try:
            return kind(value)
        except ValueError:
            pass
    raise _refuse(given, expected)


def _integer(given: Given) -> int | float:
    return _number(given, int, "a whole number")


def _real(given: Given) -> int | float:
    try:
        return _number(given, float, "a number")
    except OverflowError:  # an integer of hundreds of digits
        raise _refuse(given, "a number") from None


def _strings(given: Given) -> tuple[str, ...]:
    value = given.value
    if isinstance(value, str):
        if not given.text:
            # Such as ("compute"), which Python reads as a string: it was taken letter by letter.
            raise _refuse(given, f'a list of strings: write ["{value}"]')
        return tuple(item.strip() for item in value.split(",") if item.strip())
    if isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            if not isinstance(item, str):
                raise _refuse(given._replace(value=item, path=f"{given.path}[{index}]"), "a string")
        return tuple(value)
    raise _refuse(given, "a list of strings")


def _mechanisms(given: Given) -> frozenset[Mechanism]:
    return mechanisms(_strings(given))


def scalar(given: Given) -> str | int | bool:
    """Return a value of metadata. Raises ConfigError."""
    if reason := why_not_scalar(given.value):
        raise ConfigError(reason, path=given.path, source=given.source)
    found: str | int | bool = given.value
    return found


def mapping(given: Given) -> Mapping[str, str | int | bool]:
    """Return a map of metadata, copied, which nobody can change. Raises ConfigError."""
    if not isinstance(given.value, Mapping):
        raise _refuse(given, "a map (in the environment: one variable a key, NAME__KEY)")
    found: dict[str, str | int | bool] = {}
    for key, item in given.value.items():
        if reason := why_not_string("key", key):
            raise ConfigError(reason, path=given.path, source=given.source)
        found[key] = scalar(given._replace(value=item, path=f"{given.path}.{key}"))
    return MappingProxyType(found)


#: The conversion for each annotation of ``Config``.
CONVERTERS: Mapping[str, Callable[[Given], Any]] = MappingProxyType(
    {
        "str": _string,
        "bool": _boolean,
        "int": _integer,
        "float": _real,
        "tuple[str, ...]": _strings,
        "frozenset[Mechanism]": _mechanisms,
        "Mapping[str, str | int | bool]": mapping,
    }
)
