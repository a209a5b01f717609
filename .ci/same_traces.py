"""Look into the result files of campaigns: that runs were made, and that two are the same.

    python .ci/same_traces.py 20 plain.jsonl                  20 runs of a real cluster, all kept
    python .ci/same_traces.py 20 plain.jsonl compiled.jsonl   and the same trace hashes in both

With two files it is run with the packages of the second one: they have to be compiled, or nothing
was compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

#: Fewer in a run of a minute is no cluster that gossips.
DATAGRAMS = 1000


def runs(path: str, count: int) -> dict[str, Any]:
    """Read the runs of a file by job; ends the program when they are not what was asked for."""
    lines = Path(path).read_text("utf-8").splitlines()
    found = {row["job"]: row for row in map(json.loads, lines)}
    if len(found) != count:
        sys.exit(f"{path}: {len(found)} runs, not {count}")
    for job, row in found.items():
        if not row["ok"] or row["datagrams"] < DATAGRAMS or len(row["verdicts"]) < 6:
            sys.exit(f"{path}: {job}: {row['datagrams']} datagrams, {row['verdicts']}")
    return found


def main() -> None:
    """Look, compare, and end with a line that says what was found."""
    count, *paths = sys.argv[1:]
    found = [runs(path, int(count)) for path in paths]
    if len(found) == 1:
        print(f"{count} runs, {sum(row['datagrams'] for row in found[0].values())} datagrams")
        return
    from gossipmm.core.wire import frame
    from gossipmm_sim.engine import cluster

    for module in (frame, cluster):
        if not (module.__file__ or "").endswith((".so", ".pyd")):
            sys.exit(f"{module.__file__} is not compiled")
    one, two = ({job: row["trace_hash"] for job, row in rows.items()} for rows in found)
    differs = sorted(job for job in one.keys() | two.keys() if one.get(job) != two.get(job))
    if differs:
        sys.exit(f"of {count} traces {len(differs)} differ: {', '.join(differs[:5])}")
    print(f"{count} traces, compiled and not: the same")


if __name__ == "__main__":
    main()
