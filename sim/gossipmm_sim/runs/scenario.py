"""A scenario: data that says which cluster, what happens to it, and what must hold.

The same thing as TOML and as Python::

    [two_halves_heal]                         Scenario(
    doc = "..."                                   name="two_halves_heal", family="partition",
    nodes = 50                                    doc="...", nodes=50,
    duration = 90                                 duration=90,
    params = {split = 60}                         params={"split": 60},
    faults = ["cut on=half to=rest until=$split"] faults=("cut on=half to=rest until=$split",),
    checks = ["converged within=2.5"]             checks=("converged within=2.5",))

``$name`` in a fault or check stands for a parameter. A table named ``family`` in a file gives the
family of its scenarios; without it the file's name does.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from gossipmm.config import PRESETS, Config
from gossipmm.errors import ConfigError
from gossipmm.mechanisms import Mechanism
from gossipmm_sim.engine.signing import MODES, SIGNATURES, TRUSTS
from gossipmm_sim.errors import UsageError, unknown
from gossipmm_sim.faults import Fault, parse_fault

__all__ = ("Scenario", "find", "load", "scenarios")

_FOLDER = Path(__file__).parents[1] / "scenarios"
_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)")
_CONFIG = frozenset(f.name for f in fields(Config)) - {"name", "bind", "advertise", "join"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One experiment. Times are virtual seconds."""

    name: str
    family: str = "own"
    doc: str = ""
    nodes: int = 10
    #: How many of the first hosts everybody joins by.
    seeds: int = 3
    #: Distribution of one-way latencies (see ``gossipmm_sim.engine.latency``).
    latency: str = "lan"
    #: Seconds over which the hosts boot; 0: all at once.
    boot: float = 0.0
    #: Seconds before the first fault. The cluster must agree by then, unless this is 0.
    warmup: float = 5.0
    #: Seconds after the warm-up.
    duration: float = 20.0
    #: Hosts on one topic each (``compute0``, ``compute1`` ...); at 1,000 hosts a single topic
    #: would be most of the cost.
    hosts_per_topic: int = 32
    #: True: every host has the same key, and everything is sent encrypted.
    encrypted: bool = False
    #: How far the hosts go with identities of their own (off, announce, require), what binds a key
    #: to a name (pin, authority), and what signs: a stand-in of the same sizes, or ed25519.
    identity: str = "off"
    trust: str = "pin"
    signatures: str = "stand_in"
    #: Preset of the configuration, and the fields that differ from it.
    preset: str = "lan"
    config: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    #: Settings that a test or campaign runs it with, one after the other; none: once, as it is.
    variants: tuple[Mapping[str, Any], ...] = ()
    #: False: too large or too long for a campaign or a test run.
    quick: bool = True
    #: The finding for which it breaks its promise today. Tests expect that, and fail once it keeps
    #: the promise: whoever mends it removes this. A variant can have its own.
    known_failure: str = ""

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise UsageError(f"{self.name}: nodes={self.nodes} is less than 1")
        if self.duration < 0 or self.warmup < 0 or self.boot < 0:
            raise UsageError(f"{self.name}: a time below 0")
        for what, value, known in (
            ("identity", self.identity, MODES),
            ("trust", self.trust, TRUSTS),
            ("signatures", self.signatures, SIGNATURES),
        ):
            if value not in known:
                raise unknown(what, value, known)
        for name in self.config:
            if name not in _CONFIG:
                raise unknown("config field", name, _CONFIG)

    def with_settings(self, settings: Mapping[str, Any]) -> Scenario:
        """Change fields, parameters, or fields of the configuration (``config.fanout``).

        A bare name is looked for in that order. Raises UsageError, naming the nearest match.
        """
        changes: dict[str, Any] = {}
        params, config = dict(self.params), dict(self.config)
        own = {f.name for f in fields(self)} - {
            "name",
            "family",
            "params",
            "config",
            "doc",
            "variants",
        }
        for key, value in settings.items():
            bare = key.removeprefix("config.")
            if key in params:
                params[key] = _like(key, params[key], value)
            elif key in own:
                changes[key] = _like(key, getattr(self, key), value)
            elif bare in _CONFIG:
                config[bare] = _config_value(bare, value)
            else:
                known = {*own, *params, *_CONFIG}
                raise unknown(f"parameter of {self.name}", key, known, show={*own, *params})
        return replace(self, **changes, params=params, config=config)

    def build_config(self) -> Config:
        """Build the configuration of its nodes. Raises UsageError, naming the wrong field."""
        if self.preset not in PRESETS:
            raise unknown("preset", self.preset, PRESETS)
        try:
            return Config.preset(self.preset, **{"join": ("seeds:7946",), **self.config})
        except (ConfigError, TypeError) as error:
            raise UsageError(f"{self.name}: {error}") from None

    def build_faults(self) -> tuple[Fault, ...]:
        """Parse the faults, with the parameters put in."""
        return tuple(parse_fault(self.fill(text)) for text in self.faults)

    def fill(self, text: str) -> str:
        """Put the parameters into a text. One may name others: ``lie = "accuse by=$by"``."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in self.params:
                return str(self.params[name])
            if name in ("nodes", "seeds", "duration", "warmup"):
                return f"{getattr(self, name):g}"
            raise unknown(f"parameter of {self.name}", name, self.params)

        return _PARAMETER.sub(value, _PARAMETER.sub(value, text))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON and for ``from_dict``."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        config = {k: sorted(v) if isinstance(v, frozenset) else v for k, v in self.config.items()}
        return data | {
            "params": dict(self.params),
            "config": config,
            "faults": list(self.faults),
            "checks": list(self.checks),
            "variants": [dict(one) for one in self.variants],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scenario:
        """Build from plain data. Raises UsageError for an unknown or missing field."""
        known = {f.name for f in fields(cls)}
        for key in data:
            if key not in known:
                raise unknown(f"field of scenario {data.get('name', '?')!r}", key, known)
        values = dict(data)
        for key in ("faults", "checks", "variants"):
            if isinstance(values.get(key, []), str):
                raise UsageError(f"{data.get('name', '?')}: {key} is not a list")
            values[key] = tuple(values.get(key, ()))
        values["config"] = {
            key: _config_value(key, value) for key, value in values.get("config", {}).items()
        }
        return cls(**values)

    def to_toml(self) -> str:
        """Print as the TOML table that ``load`` reads back to the same scenario."""
        plain = Scenario(name=self.name)
        lines = [f"[{self.name}]", f"family = {_toml(self.family)}"]
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name not in ("name", "family") and value != getattr(plain, f.name):
                lines.append(f"{f.name} = {_toml(value)}")
        return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, frozenset):
        return _toml(tuple(sorted(value)))
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return repr(value)


def _like(key: str, old: Any, value: Any) -> Any:
    """Read a value given as text as the type of the one that it replaces."""
    if not isinstance(value, str) or isinstance(old, str):
        return value
    if isinstance(old, tuple):
        return tuple(part.strip() for part in value.split(";") if part.strip())
    if isinstance(old, bool):
        if value.lower() not in ("true", "false"):
            raise UsageError(f"{key}: {value!r} is not true or false")
        return value.lower() == "true"
    try:
        return int(value) if isinstance(old, int) else float(value)
    except ValueError:
        try:
            return float(value)
        except ValueError:
            raise UsageError(f"{key}: {value!r} is not a number") from None


def _config_value(name: str, value: Any) -> Any:
    if name not in _CONFIG:
        raise unknown("config field", name, _CONFIG)
    if name == "without":
        known = {one.value for one in Mechanism}
        parts = value.split(",") if isinstance(value, str) else value
        for part in parts:
            if part and part not in known:
                raise unknown("mechanism", part, known)
        return frozenset(Mechanism(part) for part in parts if part)
    default = getattr(Config(), name)
    if isinstance(value, str) and not isinstance(default, str):
        return _like(f"config.{name}", default, value)
    return value


def load(path: Path) -> tuple[Scenario, ...]:
    """Read all scenarios of a TOML file. Raises UsageError with the file's name."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    family = tables.pop("family", path.stem)
    found = []
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name!r} is not a table; a scenario is [{name}]")
        try:
            found.append(Scenario.from_dict({"name": name, "family": family, **table}))
        except (UsageError, TypeError) as error:
            raise UsageError(f"{path}: [{name}] {error}") from None
    return tuple(found)


@cache
def scenarios() -> Mapping[str, Scenario]:
    """All scenarios that come with the simulator, by name, families in order of the files."""
    found: dict[str, Scenario] = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        found |= {one.name: one for one in load(path)}
    return found


def find(name: str) -> Scenario:
    """Return a scenario by its name, or from ``file.toml`` or ``file.toml:name``."""
    path, _, inner = name.partition(".toml")
    if _:
        found = load(Path(path + ".toml"))
        wanted = inner.removeprefix(":") or (found[0].name if found else "")
        for one in found:
            if one.name == wanted:
                return one
        raise unknown(f"scenario in {path}.toml", wanted, [one.name for one in found])
    known = scenarios()
    if name not in known:
        raise unknown("scenario", name, known)
    return known[name]
