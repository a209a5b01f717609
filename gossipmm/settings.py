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
from typing import TYPE_CHECKING, Any, Unpack

from gossipmm.config import Config, converters
from gossipmm.config_values import CONVERTERS, Given, mapping, scalar, unknown
from gossipmm.errors import ConfigError, SeedError

if TYPE_CHECKING:
    from gossipmm.config_fields import Settings

__all__ = ("DEFAULT_FILE", "find_file", "load_config")

DEFAULT_FILE = "/etc/gossipmm.toml"

_PREFIX = "GOSSIPMM_"
#: Names the file; not a field.
_FILE = "GOSSIPMM_CONFIG"
# Kubernetes sets these in every pod beside a service called "gossipmm".
_KUBERNETES = re.compile(r"GOSSIPMM_(SERVICE_(HOST|PORT)|PORT)(_.*)?")

#: Fields that no file, variable or flag may set: what they do is for the simulator.
_CODE_ONLY = frozenset({"without"})


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
    **keywords: Unpack[Settings],
) -> Config:
    """Return the configuration of a file, the environment, flags and keywords, later ones first.

    ``environ`` defaults to the process's; ``flags`` and keywords are fields of Config, or
    ``preset``; a flag whose value is None was not given. Raises ConfigError (or SeedError for a
    malformed seed).
    """
    environ = os.environ if environ is None else environ
    file = find_file(environ) if file is None else file
    merged: dict[str, dict[str, Given]] = {}
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
    merged: dict[str, dict[str, Given]],
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
            raise unknown(path, name, _converters(), source=source)
        whole = Given(value, path, source, text)
        if _converters()[name] is not mapping:
            merged[name] = {"": whole}
        else:
            inner = merged.setdefault(name, {})
            for key, item in mapping(whole).items():
                inner[key] = Given(item, f"{name}.{key}", source, text)


def _build(merged: Mapping[str, dict[str, Given]]) -> Config:
    converters = _converters()
    fields: dict[str, Any] = {}
    for name, values in merged.items():
        if converters[name] is mapping:
            fields[name] = {key: scalar(value) for key, value in values.items()}
        else:
            fields[name] = converters[name](values[""])
    preset = fields.pop("preset", "lan")
    try:
        config = Config.preset(preset, **fields)
    except ConfigError as exc:
        at = next(iter(merged.get(exc.path, {}).values()), None)
        if at is None:
            raise
        message = str(exc).removeprefix(f"{exc.path}: ")
        raise ConfigError(message, path=at.path, source=at.source) from None
    except SeedError as exc:
        source = merged["join"][""].source
        raise SeedError(f"{source}: {exc}") from None
    return config


@cache
def _converters() -> Mapping[str, Callable[[Given], Any]]:
    """Return the conversion of each field of Config, and of ``preset``."""
    return {**converters(), "preset": CONVERTERS["str"]}
