"""The runs on record, and what is recorded of each.

A trace hash covers bytes, times, hosts and the class names of events. What it does not see is
recorded besides: all fields of events, the statistics of every core, and the evidence trails
(``why``) of all members at all hosts when the run ends.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from gossipmm.core.values.types import IdentityState
from gossipmm_sim.runs.run import Run
from gossipmm_sim.runs.scenario import Scenario, find, scenarios
from gossipmm_sim.search.swarm import swarm

__all__ = ("Record", "Story", "names", "on_record", "play")

#: Swarm seeds on record: (first, last + 1, hosts).
SWARM = ((0, 30, 10), (100, 112, 5), (200, 206, 25))
#: These take longer than all the others together.
TOO_LONG = frozenset({"insiders_burden_a_host", "longer_than_reaping_heal", "mass_join_one_seed"})


class Record(NamedTuple):
    """Hashes of one run, each over one kind of what it did; equal when that was equal."""

    trace: str
    events: str
    stats: str
    why: str


class Story(NamedTuple):
    """The texts behind a record, to be looked at where two records differ."""

    events: str
    stats: str
    why: str


def names() -> list[str]:
    """List the runs: every scenario that is not slow, and swarm seeds as ``swarm:HOSTS:SEED``."""
    known = [
        name
        for name, one in scenarios().items()
        if one.quick and not one.known_failure and name not in TOO_LONG
    ]
    return known + [f"swarm:{n}:{seed}" for first, end, n in SWARM for seed in range(first, end)]


def on_record(scenario: Scenario) -> bool:
    """Return whether just this is played for the record, where it has to keep its promises, too.

    Then it is not simulated a second time elsewhere, but for a seed of its own.
    """
    return scenario.name in names() and scenario == find(scenario.name)


def scenario_of(name: str) -> tuple[Scenario, int]:
    """Give the scenario and the seed of a run's name."""
    if name.startswith("swarm:"):
        _, nodes, seed = name.split(":")
        return swarm(int(seed), nodes=int(nodes)), int(seed)
    return find(name), 7


def play(name: str) -> tuple[Record, Story]:
    """Run one and record it."""
    scenario, seed = scenario_of(name)
    run = Run(scenario, seed)
    events: list[str] = []
    heard = run.cluster.on_event

    def on_event(host: Any, event: Any) -> None:
        events.append(f"{run.cluster.now:.9f} {host.label} {plain(event)}")
        heard(host, event)

    run.cluster.on_event = on_event  # type: ignore[method-assign]
    result = run.execute()
    assert result.ok, f"{name}: {result.failures}"
    stats = [json.dumps(plain(one.as_dict()), sort_keys=True) for one in run.cluster.stats]
    why = list(trails(run))
    story = Story(*("\n".join(one) + "\n" for one in (events, stats, why)))
    return Record(result.trace_hash, *(short(text) for text in story)), story


def trails(run: Run) -> Iterator[str]:
    """Yield what each host that is up knows of each member, and from whom."""
    for host in run.cluster.live:
        for member in host.members():
            shown = plain(member)
            if member.identity is IdentityState.UNSIGNED:
                del shown["identity"], shown["key"]  # as before there were any
            if member.rtt is None:
                del shown["rtt"], shown["rtt_error"]
            yield f"{host.label} {shown}"
            for line in host.why(member.name):
                yield f"{host.label}     {plain(line)}"


def short(text: str) -> str:
    """Give 16 hex digits over a text."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def plain(value: Any) -> Any:
    """Give a value as data, by names of fields: a class may move, a field may not."""
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {
            "class": type(value).__name__,
            **{one.name: plain(getattr(value, one.name)) for one in fields(value)},
        }
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {"class": type(value).__name__, **{k: plain(v) for k, v in value._asdict().items()}}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(str(plain(one)) for one in value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
