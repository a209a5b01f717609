"""Look into the result file of a campaign: that runs were made, and are those on record.

    python .ci/same_traces.py 4 plain.jsonl               4 runs of a real cluster, with the trace
                                                          hashes of tests/golden/records.json
    python .ci/same_traces.py 20 compiled.jsonl --compiled    the same of 20, by compiled packages

With ``--compiled`` it is run with the packages that made the file: they have to be compiled, or
nothing was compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
#: Fewer in a run of a minute is no cluster that gossips.
DATAGRAMS = 1000


def runs(path: str, count: int) -> dict[int, Any]:
    """Read the runs of a file by seed; ends the program when they are not what was asked for."""
    lines = Path(path).read_text("utf-8").splitlines()
    found = {row["seed"]: row for row in map(json.loads, lines)}
    if sorted(found) != list(range(count)):
        sys.exit(f"{path}: seeds {sorted(found)}, not the first {count}")
    for seed, row in found.items():
        if not row["ok"] or row["datagrams"] < DATAGRAMS or len(row["verdicts"]) < 6:
            sys.exit(f"{path}: seed {seed}: {row['datagrams']} datagrams, {row['verdicts']}")
    return found


def must_be_compiled() -> None:
    """End the program if what is imported is not compiled."""
    from gossipmm.core.wire import frame
    from gossipmm_sim.engine import cluster

    for module in (frame, cluster):
        if not (module.__file__ or "").endswith((".so", ".pyd")):
            sys.exit(f"{module.__file__} is not compiled")


def main() -> None:
    """Look, compare, and end with a line that says what was found."""
    count, path, *compiled = sys.argv[1:]
    found = runs(path, int(count))
    if compiled:
        must_be_compiled()
    recorded = json.loads((ROOT / "tests/golden/records.json").read_text("utf-8"))
    differs = [
        seed for seed, row in found.items() if row["trace_hash"] != recorded[f"swarm:10:{seed}"][0]
    ]
    if differs:
        sys.exit(f"of {count} traces {len(differs)} are not those on record: seeds {differs[:5]}")
    datagrams = sum(row["datagrams"] for row in found.values())
    print(f"{count} traces{', compiled' * bool(compiled)}: as on record, {datagrams} datagrams")


if __name__ == "__main__":
    main()
