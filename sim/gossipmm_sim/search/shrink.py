"""Shrinking: the smallest scenario that still breaks the same promise.

First the list of faults by delta debugging (Zeller and Hildebrandt, 2002: ``ddmin``), then the
values: fewer hosts, a shorter run, fewer hosts a fault, plainer numbers. A candidate counts when
the same kind of check fails, whatever the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults import Fault, parse_fault
from gossipmm_sim.runs.result import Result
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario

__all__ = ("Shrinker",)

#: Other seeds tried for a candidate when the first seed's failure does not shrink.
_OTHERS = 4
#: Fields in which a smaller value is a different fault rather than a plainer one.
_KEPT = frozenset(("payload",))
#: Fields that name a kind of something, with the common one as their default.
_NAMED = frozenset(("bind", "family", "how", "ports", "tells", "via"))


class Shrinker:
    """Shrinks one failing run. ``tell`` hears of each smaller one; ``seed`` may change."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        most_runs: int = 500,
        tell: Callable[[str], None] = lambda _text: None,
        attempt: Callable[[Scenario, int], Result] = run,
    ) -> None:
        self.seed = seed
        self.runs = 0
        self._other_seeds: range = range(0)
        self._most = most_runs
        self._tell = tell
        self._attempt = attempt
        filled = tuple(scenario.fill(text) for text in scenario.faults)
        checks = tuple(scenario.fill(text) for text in scenario.checks)
        self.best = replace(scenario, faults=filled, checks=checks, params={}, variants=())
        self.result = self._run(self.best, seed)
        if self.result is None or self.result.ok:
            raise UsageError(f"{scenario.name} with seed {seed} does not fail: nothing to shrink")
        self.kinds = {one.kind for one in self.result.failures}

    def _run(self, scenario: Scenario, seed: int) -> Result | None:
        if self.runs >= self._most:
            return None
        self.runs += 1
        try:
            return self._attempt(scenario, seed)
        except UsageError:
            return None  # a candidate that makes no sense: a selector of hosts that are gone

    def _try(self, candidate: Scenario) -> bool:
        """Keep a candidate when it still fails in the same way."""
        if candidate == self.best:
            return False
        for seed in (self.seed, *self._other_seeds):
            result = self._run(candidate, seed)
            if result is None:
                return False
            kinds = {one.kind for one in result.failures} & self.kinds
            if kinds:
                self.best, self.result, self.kinds, self.seed = candidate, result, kinds, seed
                faults = len(candidate.faults)
                self._tell(f"run {self.runs}: {faults} faults, {candidate.nodes} hosts")
                return True
        return False

    def shrink(self) -> Scenario:
        """Shrink until nothing smaller fails, or the runs are used up."""
        self._ddmin()
        if len(self.best.faults) > 3:
            # What needs a coincidence goes away with any change: look for it at other seeds.
            self._other_seeds = range(1_000_000, 1_000_000 + _OTHERS)
            self._ddmin()
        while self.runs < self._most:
            before = self.best
            for candidate in self._simpler(before):
                if self._try(candidate):
                    break
            if self.best == before:
                break
        self._ddmin()
        return self.best

    def _ddmin(self) -> None:
        parts = 2
        while len(self.best.faults) >= 2 and self.runs < self._most:
            faults = self.best.faults
            size = -(-len(faults) // parts)
            for begin in range(0, len(faults), size):
                rest = faults[:begin] + faults[begin + size :]
                if self._try(replace(self.best, faults=rest)):
                    parts = max(2, parts - 1)
                    break
            else:
                if parts >= len(faults):
                    return
                parts = min(len(faults), 2 * parts)

    def _simpler(self, scenario: Scenario) -> Iterator[Scenario]:
        failing = tuple(c for c in scenario.checks if c.split()[0] in self.kinds)
        yield replace(scenario, checks=failing)
        for nodes in (2, 3, 4, 6, scenario.nodes // 2, scenario.nodes - 1):
            if 1 <= nodes < scenario.nodes:
                yield replace(scenario, nodes=nodes)
        yield replace(scenario, boot=0.0)
        yield replace(scenario, seeds=1)
        for place, text in enumerate(scenario.faults):
            for other in _simpler_faults(parse_fault(text)):
                changed = (*scenario.faults[:place], str(other), *scenario.faults[place + 1 :])
                yield replace(scenario, faults=changed)


def _simpler_faults(fault: Fault) -> Iterator[Fault]:
    """Yield variants of a fault with one field plainer."""
    for field in fields(fault):
        value = getattr(fault, field.name)
        candidates: list[object] = []
        if isinstance(value, bool):
            candidates = [field.default]
        elif isinstance(value, float):
            candidates = [round(value), round(value, 1)]
            if field.name in ("spread",):
                candidates.insert(0, 0.0)
        elif isinstance(value, int):
            candidates = [field.default, 1, value // 2] if field.name not in _KEPT else []
        elif field.name in _NAMED:
            candidates = [field.default]
        elif field.name in ("on", "to") and re.fullmatch(r"\d+(,\d+)+", value):
            parts = value.split(",")
            candidates = [",".join(parts[: len(parts) // 2]), ",".join(parts[1:])]
            candidates += [",".join(parts[:-1])]
        for candidate in candidates:
            if candidate == value or repr(candidate).count(".") > repr(value).count("."):
                continue
            try:
                wanted: dict[str, Any] = {field.name: candidate}
                changed = replace(fault, **wanted)
            except (ValueError, TypeError):
                continue
            if len(str(changed)) < len(str(fault)):
                yield changed
