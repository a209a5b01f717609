"""The one command that repeats a run."""

from __future__ import annotations

import shlex
from dataclasses import fields

from gossipmm_sim.errors import UsageError
from gossipmm_sim.runs.result import Result
from gossipmm_sim.runs.scenario import Scenario, find
from gossipmm_sim.search.swarm_paths import SWARMS

__all__ = ("command",)


def command(result: Result) -> str:
    """Return the command that repeats a run."""
    parts = ["python", "-m", "gossipmm_sim", "run", result.scenario.name]
    parts += ["--seed", str(result.seed)]
    return shlex.join([*parts, *(part for one in differences(result) for part in ("--set", one))])


def differences(result: Result) -> list[str]:
    """Return ``key=value`` for whatever a run's scenario changes in the bundled one."""
    mine = result.scenario
    try:
        drawn = SWARMS.get(mine.name)
        known = drawn(result.seed) if drawn is not None else find(mine.name)
    except UsageError:
        return []
    out = []
    for one in fields(Scenario):
        value, other = getattr(mine, one.name), getattr(known, one.name)
        if value == other or one.name in ("variants", "doc", "family"):
            continue
        if one.name in ("params", "config"):
            changed = {k: v for k, v in value.items() if other.get(k) != v}
            prefix = "config." if one.name == "config" else ""
            for key, item in changed.items():
                text = ",".join(sorted(item)) if isinstance(item, frozenset) else item
                out.append(f"{prefix}{key}={text}")
        elif isinstance(value, tuple):
            out.append(f"{one.name}={'; '.join(value)}")
        else:
            out.append(f"{one.name}={value}")
    return out
