"""Campaigns: many seeds, one JSON line each, over a pool of processes, resumable and sharded.

A line is written as soon as its run has finished; interrupting loses none, and ``--resume`` goes
on behind them. ``--shard 2/5`` takes every fifth seed, beginning with the second.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gossipmm_sim.errors import UsageError
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario, find, scenarios
from gossipmm_sim.search.swarm_paths import SWARMS

__all__ = ("SOMETIMES", "Job", "jobs", "parse_seeds", "parse_shard", "run_campaign", "work")

#: Figures that must all be above zero somewhere in a campaign: a mechanism that never acted was not
#: tested, however green the campaign is.
SOMETIMES = (
    "core.suspicions",
    "core.suspicions_confirmed",
    "core.refutations",
    "core.own_refutations",
    "core.deaths",
    "core.returns",
    "core.probations",
    "core.probes_resent",
    "core.probes_helped",
    "core.probes_held",
    "core.digests_sent",
    "core.bulk_pulls",
    "core.renewals",
    "core.late_steps",
    "events.Isolated",
    "events.MemberLeft",
    "events.MemberRestarted",
    "dropped.cluster",
    "dropped.late_ack",
    "dropped.old_generation",
    "dropped.send_failed",
    "dropped.wrong_answerer",
)


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a campaign. Scenarios of a swarm are drawn where they run."""

    scenario: str
    settings: tuple[tuple[str, Any], ...]
    seed: int

    @property
    def key(self) -> str:
        """Name of the run in the result file."""
        settings = ",".join(f"{key}={value}" for key, value in self.settings)
        return f"{self.scenario}[{settings}]#{self.seed}"

    def build(self) -> Scenario:
        """Build the scenario of the run."""
        if self.scenario in SWARMS:
            return _drawn(self.scenario, self.seed, dict(self.settings))
        return find(self.scenario).with_settings(dict(self.settings))


def _drawn(name: str, seed: int, settings: dict[str, Any]) -> Scenario:
    nodes = int(settings.pop("nodes", 10))
    return SWARMS[name](seed, nodes=nodes).with_settings(settings)


def work(job: Job) -> dict[str, Any]:
    """Do one run, in whatever process; the answer is its JSON line as a dict."""
    result = run(job.build(), job.seed).as_dict()
    # Counts of nothing say nothing, and ten thousand lines of them are long.
    result["figures"] = {
        key: value for key, value in result["figures"].items() if value or type(value) is not int
    }
    return {"job": job.key, **result}


def jobs(names: Iterable[str], seeds: Iterable[int], settings: dict[str, Any]) -> list[Job]:
    """List the runs: each scenario, each variant, each seed.

    ``quick`` stands for all quick ones but those that are known to fail.
    """
    out = []
    every = list(seeds)
    for name in names:
        if name == "quick":
            chosen = list(scenarios().values())
        elif name in SWARMS:
            out += [Job(name, tuple(settings.items()), seed) for seed in every]
            continue
        else:
            chosen = [find(name)]
        for one in chosen:
            for variant in one.variants or ({},):
                as_run = one.with_settings(variant)
                if name == "quick" and (not as_run.quick or as_run.known_failure):
                    continue
                both = tuple({**variant, **settings}.items())
                label = one.name if name == "quick" else name
                out += [Job(label, both, seed) for seed in every]
    # Settings may make variants equal.
    return list({job.key: job for job in out}.values())


def parse_seeds(text: str) -> range:
    """Read ``100`` (0 ... 99) or ``500-599``."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if match is None:
        raise UsageError(f"seeds {text!r}: write how many, or from-to, as 100 or 500-599")
    first = int(match[1])
    if match[2] is None:
        return range(first)
    if int(match[2]) < first:
        raise UsageError(f"seeds {text!r}: the last is before the first")
    return range(first, int(match[2]) + 1)


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``i/n``, 1 <= i <= n, as (i - 1, n)."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"shard {text!r} is out of range: write i/n with 1 <= i <= n, as 2/5")
    return int(match[1]) - 1, int(match[2])


def finished(path: Path) -> set[str]:
    """Keys of the runs whose lines a result file has; half a last line is cut off."""
    done: set[str] = set()
    if not path.exists():
        return done
    good = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                done.add(json.loads(line)["job"])
            except (ValueError, KeyError, TypeError):
                if line.endswith(b"\n"):
                    raise UsageError(f"{path}:{number} is not a line of a campaign") from None
                break
            good += len(line)
    if good != path.stat().st_size:
        with path.open("r+b") as file:
            file.truncate(good)
    return done


def run_campaign(
    todo: list[Job],
    *,
    processes: int,
    out: IO[str] | None,
    tell: Callable[[dict[str, Any]], None],
    pool: Executor | None = None,
) -> Counter[str]:
    """Run all jobs; each line goes to ``out`` and to ``tell``. Returns the sums of figures."""
    sums: Counter[str] = Counter()
    for line in _results(todo, processes, pool):
        if out is not None:
            out.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
            out.flush()
        for name, value in line["figures"].items():
            if isinstance(value, int):
                sums[name] += value
        tell(line)
    return sums


def _results(
    todo: list[Job], processes: int, executor: Executor | None
) -> Iterator[dict[str, Any]]:
    if executor is not None:
        for future in as_completed([executor.submit(work, job) for job in todo]):
            yield future.result()
    elif processes <= 1:
        yield from map(work, todo)
    else:
        # An interrupt is the parent's matter: it terminates the children. New ones now and then
        # give back what memory allocation keeps.
        context = multiprocessing.get_context("spawn")
        with context.Pool(processes, _ignore_interrupt, maxtasksperchild=500) as pool:
            yield from pool.imap_unordered(work, todo)


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
