"""Hold two result files of a campaign against each other: the same runs, the same trace hashes.

    python .ci/same_traces.py plain.jsonl compiled.jsonl

Run with the packages of the second one: they have to be compiled, or nothing was compared.
"""

import json
import sys

import gossipmm.core.wire.frame


def traces(path: str) -> dict[str, str]:
    """Read the trace hash of each run."""
    with open(path, encoding="utf-8") as lines:
        return {row["job"]: row["trace_hash"] for row in map(json.loads, lines)}


def main() -> None:
    """Compare, and end with a line that says what differs."""
    where = gossipmm.core.wire.frame.__file__ or ""
    if not where.endswith((".so", ".pyd")):
        sys.exit(f"{where} is not compiled")
    one, two = (traces(path) for path in sys.argv[1:3])
    differs = sorted(job for job in one.keys() | two.keys() if one.get(job) != two.get(job))
    if differs or not one:
        sys.exit(f"of {len(one)} traces {len(differs)} differ: {', '.join(differs[:5])}")
    print(f"{len(one)} traces, compiled and not: the same")


if __name__ == "__main__":
    main()
