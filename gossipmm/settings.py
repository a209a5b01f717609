"""Loading a Config: preset < TOML file < environment < flags or keywords.

The sources are merged as plain dicts, field by field (``metadata`` key by key), and converted once,
driven by the annotations of ``Config``; an error names the field as it was written, and its source.
Standard library only: this runs inside every RPC host.

The file is the one given; else the one that ``GOSSIPMM_CONFIG`` names (empty: none); else
``/etc/gossipmm.toml``, if it exists. The working directory is never searched: an agent must not
change its cluster because of where it was started.

In the environment a field is ``GOSSIPMM_<FIELD>``: lists separated by commas, ``metadata`` as
``GOSSIPMM_METADATA__<KEY>`` (the key in lower case, the value a string), ``GOSSIPMM_PRESET``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from gossipmm.addresses import parse_address, parse_registration, parse_seed
from gossipmm.config import Config
from gossipmm.errors import ConfigError, SeedError
from gossipmm.mechanisms import Mechanism, mechanisms
from gossipmm.names import why_not_scalar

__all__ = ("DEFAULT_FILE", "find_file", "load_config")

DEFAULT_FILE = "/etc/gossipmm.toml"

_PREFIX = "GOSSIPMM_"
#: Names the file; not a field.
_FILE = "GOSSIPMM_CONFIG"
# Kubernetes sets these in every pod beside a service called "gossipmm".
_KUBERNETES = re.compile(r"GOSSIPMM_(SERVICE_(HOST|PORT)|PORT)(_.*)?")

#: Fields that no file, variable or flag may set: what they do is for the simulator.
_CODE_ONLY = frozenset({"without"})

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class _Value(NamedTuple):
    """One setting on its way: as found, where, and whether text may stand for other types."""

    value: Any
    path: str
    source: str
    text: bool


def find_file(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the configuration file to read when none is given, or None."""
    environ = os.environ if environ is None else environ
    named = environ.get(_FILE)
    if named is not None:
        return named or None
    return DEFAULT_FILE if os.path.exists(DEFAULT_FILE) else None


def load_config(
    file: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    **keywords: Any,
) -> Config:
    """Return the configuration of a file, the environment, flags and keywords, later ones first.

    ``environ`` defaults to the process's; ``flags`` and keywords are fields of Config, or
    ``preset``; a flag whose value is None was not given. Raises ConfigError (or SeedError for a
    malformed seed).
    """
    environ = os.environ if environ is None else environ
    file = find_file(environ) if file is None else file
    merged: dict[str, dict[str, _Value]] = {}
    if file is not None:
        _merge(merged, _from_file(os.fspath(file)), os.fspath(file))
    _merge(merged, _from_environment(environ), "environment", text=True)
    _merge(merged, _given(flags or {}), "flags", text=True)
    _merge(merged, _given(keywords), "keywords", code=True)
    return _build(merged)


def _given(fields: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    return {name: (name, value) for name, value in fields.items() if value is not None}


def _from_file(path: str) -> dict[str, tuple[str, Any]]:
    import tomllib  # a quarter of a megabyte that an embedded host without a file does not need

    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except OSError as exc:
        raise ConfigError(f"cannot be read: {exc.strerror or exc}", source=path) from None
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"is not TOML: {exc}", source=path) from None
    return {name: (name, value) for name, value in table.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    found: dict[str, tuple[str, Any]] = {}
    for variable, text in environ.items():
        if not variable.startswith(_PREFIX) or variable == _FILE:
            continue
        name, nested, key = variable[len(_PREFIX) :].lower().partition("__")
        if name not in _converters() and _KUBERNETES.fullmatch(variable):
            continue
        if nested:
            inner = found.setdefault(name, (variable, {}))[1]
            if not isinstance(inner, dict):
                raise ConfigError(f"{name} is also set as a whole", path=variable)
            inner[key] = text
        elif name in found:
            raise ConfigError(f"{name} is also set key by key", path=variable)
        else:
            found[name] = (variable, text)
    return found


def _merge(
    merged: dict[str, dict[str, _Value]],
    found: Mapping[str, tuple[str, Any]],
    source: str,
    *,
    text: bool = False,
    code: bool = False,
) -> None:
    """Lay one source over the others. A map is kept key by key, all else under the key ''.

    ``code``: the source is the program itself, which may set what a file may not.
    """
    for name, (path, value) in found.items():
        if name in _CODE_ONLY and not code:
            raise ConfigError("can be set by code only", path=path, source=source)
        if name not in _converters():
            message = f"is not a field of the configuration{_nearest(name)}"
            raise ConfigError(message, path=path, source=source)
        whole = _Value(value, path, source, text)
        if _converters()[name] is not _mapping:
            merged[name] = {"": whole}
        else:
            inner = merged.setdefault(name, {})
            for key, item in _mapping(whole).items():
                inner[key] = _Value(item, f"{name}.{key}", source, text)


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, _converters(), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _build(merged: Mapping[str, dict[str, _Value]]) -> Config:
    converters = _converters()
    fields: dict[str, Any] = {}
    for name, values in merged.items():
        if converters[name] is _mapping:
            fields[name] = {key: _scalar(value) for key, value in values.items()}
        else:
            fields[name] = converters[name](values[""])
    preset = fields.pop("preset", "lan")
    try:
        config = Config.preset(preset, **fields)
        _check_texts(config)
    except ConfigError as exc:
        at = next(iter(merged.get(exc.path, {}).values()), None)
        if at is None:
            raise
        message = str(exc).removeprefix(f"{exc.path}: ")
        raise ConfigError(message, path=at.path, source=at.source) from None
    except SeedError as exc:
        source = merged["join"][""].source
        raise SeedError(f"{source}: join: {exc}") from None
    return config


def _check_texts(config: Config) -> None:
    """Refuse addresses, seeds and registrations that could never be used."""
    parse_address(config.bind, path="bind")
    if config.health_bind:
        parse_address(config.health_bind, path="health_bind")
    if config.advertise:
        parse_address(config.advertise, path="advertise", default_port=0)
    for seed in config.join:
        parse_seed(seed)
    for registration in config.register:
        parse_registration(registration)


# -- conversion, by annotation -------------------------------------------------------------------


def _refuse(value: _Value, expected: str) -> ConfigError:
    return ConfigError(f"{value.value!r} is not {expected}", path=value.path, source=value.source)


def _string(value: _Value) -> str:
    if isinstance(value.value, str):
        return value.value
    raise _refuse(value, "a string")


def _boolean(value: _Value) -> bool:
    if isinstance(value.value, bool):
        return value.value
    if value.text and isinstance(value.value, str):
        word = value.value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise _refuse(value, "true or false")


def _number(value: _Value, kind: type[int] | type[float], expected: str) -> int | float:
    given = value.value
    allowed = (int, float) if kind is float else (int,)
    if isinstance(given, allowed) and not isinstance(given, bool):
        return kind(given)
    if value.text and isinstance(given, str):
        try:
            return kind(given)
        except ValueError:
            pass
    raise _refuse(value, expected)


def _integer(value: _Value) -> int | float:
    return _number(value, int, "a whole number")


def _real(value: _Value) -> int | float:
    return _number(value, float, "a number")


def _strings(value: _Value) -> tuple[str, ...]:
    given = value.value
    if value.text and isinstance(given, str):
        return tuple(item.strip() for item in given.split(",") if item.strip())
    if isinstance(given, (list, tuple, set, frozenset)):
        for index, item in enumerate(given):
            if not isinstance(item, str):
                raise _refuse(value._replace(value=item, path=f"{value.path}[{index}]"), "a string")
        return tuple(given)
    raise _refuse(value, "a list of strings")


def _mechanisms(value: _Value) -> frozenset[Mechanism]:
    return mechanisms(_strings(value))


def _scalar(value: _Value) -> str | int | bool:
    if reason := why_not_scalar(value.value):
        raise ConfigError(reason, path=value.path, source=value.source)
    found: str | int | bool = value.value
    return found


def _mapping(value: _Value) -> Mapping[str, Any]:
    if isinstance(value.value, Mapping):
        return value.value
    raise _refuse(value, "a map (in the environment: one variable a key, NAME__KEY)")


@cache
def _converters() -> Mapping[str, Callable[[_Value], Any]]:
    """Return the conversion of each field of Config, by its annotation, and of ``preset``."""
    by_hint: dict[Any, Callable[[_Value], Any]] = {
        str: _string,
        bool: _boolean,
        int: _integer,
        float: _real,
        tuple[str, ...]: _strings,
        frozenset[Mechanism]: _mechanisms,
        Mapping[str, str | int | bool]: _mapping,
    }
    converters = {name: by_hint[hint] for name, hint in get_type_hints(Config).items()}
    return {**converters, "preset": _string}
