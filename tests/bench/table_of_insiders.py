"""The table of what insiders can do, in ``gossipmm/docs/security.md``, made from runs.

    python -m tests.bench.table_of_insiders --run      # runs every row, and writes page and results
    python -m tests.bench.table_of_insiders            # writes the page from the results kept

Each row is a variant of a scenario of the family ``hostile``; the figures are those of its run with
seed 1, kept in ``sim/results/hostile.jsonl``. A test holds the page against them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario, find

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "gossipmm" / "docs" / "security.md"
RESULTS = ROOT / "sim" / "results" / "hostile.jsonl"
BEGIN, END = "<!-- table of insiders -->\n", "<!-- end of the table of insiders -->\n"
SEED = 1
#: Steps of work in a second of one CPU (decision 0085).
_STEPS = 400_000
_FIGURES = (
    "false_deaths_by_well",
    "longest_false_suspicion",
    "bytes_per_second",
    "peak_bytes_per_second",
    "peak_work_per_second",
    "table_bytes_max",
)


#: Settings that change nothing but what is allowed.
_BOUNDS = frozenset(("bytes", "peak", "work", "memory", "quick"))


@dataclass(frozen=True)
class Row:
    """One attack: what it is, what became of it in the first version, and what shows it now."""

    attack: str
    before: str
    scenario: str
    settings: dict[str, Any] = field(default_factory=dict)

    def built(self) -> Scenario:
        """Return the scenario as it is run for this row."""
        return find(self.scenario).with_settings(self.settings)

    @property
    def test(self) -> str:
        """Say what to run."""
        told = {name: value for name, value in self.settings.items() if name not in _BOUNDS}
        text = ", ".join(f"{name} {value}" for name, value in told.items())
        return f"`{self.scenario}`" + (f" ({text})" if text else "")


_ACCUSE, _CLAIM = "insiders_accuse_for_a_minute", "a_name_is_claimed"
_BURDEN, _FORGED = "insiders_burden_a_host", "registers_are_forged"
ROWS = (
    Row("accuses all, twice a second", "14,277 B/s", _ACCUSE, {"by": "3"}),
    Row(
        "accuses all at forged heartbeats", "684 false deaths", _ACCUSE, {"by": "3", "ahead": 1000}
    ),
    Row(
        "five accuse, others named as accusers, 25 % loss",
        "414 false deaths",
        _ACCUSE,
        {"by": "3-7", "p": 0.25, "ahead": 1000, "framed": "8-19", "bytes": 1250, "peak": 8000},
    ),
    Row("forges heartbeats", "new generations", "insider_forges_heartbeats"),
    Row("claims all names, nobody answers", "names lost", _CLAIM),
    Row("claims all names at the last generation", "lost for good", _CLAIM, {"ahead": 0}),
    Row("five tell floors of all names", "lost for good", _CLAIM, {"by": "3-7", "what": "floor"}),
    Row(
        "claims a name, and answers there",
        "the same: not contained while it lasts",
        "a_name_is_claimed_by_who_answers",
    ),
    Row("forges a far register of a key rotation", "no later rotation", _FORGED),
    Row("begins a rotation to a key of nobody's", "the key removed", _FORGED, {"what": "next"}),
    Row(
        "five turn a rotation back",
        "the new key removed",
        _FORGED,
        {"what": "back", "by": "3-7", "quick": False},
    ),
    Row("invents members that do not answer", "no newcomer for a day", "insider_invents_members"),
    Row("invents members that answer", "the same", "members_that_answer"),
    Row(
        "drains and takes it back, 1,000 hosts",
        "timers 1.2 s late",
        _BURDEN,
        {"what": "flips", "rate": 10, "hosts": 1000, "work": 100000},
    ),
    Row(
        "115 pages a second of ever new hosts",
        "not measured",
        _BURDEN,
        {"what": "tables", "rate": 115, "nodes": 8, "peak": 400_000, "quick": False},
    ),
    Row(
        "4,000 topics a second, none twice",
        "not measured",
        _BURDEN,
        {
            "what": "topics",
            "rate": 100,
            "nodes": 8,
            "peak": 400_000,
            "memory": 10_000_000,
            "quick": False,
        },
    ),
    Row(
        "1,000 questions a second",
        "1,660 kB/s sent",
        _BURDEN,
        {"what": "questions", "rate": 1000, "peak": 500_000, "work": 30_000},
    ),
    Row(
        "S1's burst, for nine seconds",
        "the agent ended",
        _BURDEN,
        {"what": "burst", "rate": 1000, "work": 500_000},
    ),
)


def measured() -> list[dict[str, Any]]:
    """Run every row; return one result each."""
    found = []
    for row in ROWS:
        result = run(row.built(), seed=SEED)
        figures = {name: result.figures.get(name) for name in _FIGURES}
        broken = [verdict.check for verdict in result.failures]
        found.append(
            {"scenario": row.scenario, "settings": row.settings, "seed": SEED, "broken": broken}
            | {
                name: round(value, 1) if value is not None else None
                for name, value in figures.items()
            }
        )
        print(json.dumps(found[-1]), flush=True)
    return found


def kept() -> list[dict[str, Any]]:
    """Return the results kept, in the order of the rows."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def rendered(results: list[dict[str, Any]]) -> str:
    """Return the table. Raises ValueError when the results are not those of the rows."""
    known = [(one["scenario"], one["settings"]) for one in results]
    if known != [(row.scenario, row.settings) for row in ROWS]:
        raise ValueError(f"{RESULTS}: not of these rows; run python -m {__spec__.name} --run")
    lines = [
        "| an insider | before | false deaths | suspected, s | B/s a host | most, B/s | most, CPU |"
        " table, kB | scenario |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row, one in zip(ROWS, results, strict=True):
        cells = (
            row.attack,
            row.before,
            f"{one['false_deaths_by_well']:,.0f}",
            f"{one['longest_false_suspicion']:.1f}",
            f"{one['bytes_per_second']:,.0f}",
            f"{one['peak_bytes_per_second']:,.0f}",
            f"{one['peak_work_per_second'] / _STEPS:.0%}".replace("%", " %"),
            f"{one['table_bytes_max'] / 1e3:,.0f}",
            row.test,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def on_the_page() -> str:
    """Return the table as the page has it."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    """Run if asked to; write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", action="store_true", help="run every row first, some minutes")
    if parser.parse_args().run:
        RESULTS.write_text("".join(json.dumps(one) + "\n" for one in measured()))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + rendered(kept()) + END + after)


if __name__ == "__main__":
    main()
