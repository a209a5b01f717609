"""Hold runs of the simulator against what is on record.

python -m tests.golden                    compare all; exit status 1 when something differs
python -m tests.golden NAME ...           compare some
python -m tests.golden --dump FOLDER      also write the texts behind the hashes, for a diff
python -m tests.golden --write            put what they do now on record
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

from tests.golden.runs import Record, Story, names, play

RECORDS = Path(__file__).parent / "records.json"


def recorded() -> dict[str, Record]:
    """Read what is on record, by the name of the run."""
    return {name: Record(*one) for name, one in json.loads(RECORDS.read_text("utf-8")).items()}


def difference(name: str, now: Record, before: Record | None) -> str:
    """Say in which of its hashes a run differs from the record; empty when in none."""
    if before is None:
        return "is not on record"
    odd = [kind for kind in Record._fields if getattr(now, kind) != getattr(before, kind)]
    return f"differs in {', '.join(odd)}" if odd else ""


def write(found: dict[str, Record]) -> None:
    """Put runs on record, one a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(found.items())]
    RECORDS.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def dump(folder: Path, name: str, story: Story) -> None:
    """Write the texts behind a run's hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, text in story._asdict().items():
        (folder / f"{name.replace(':', '-')}.{kind}.txt").write_text(text, "utf-8")


def main() -> None:
    """Run them on all processors."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--every", type=int, default=1, metavar="N")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--dump", type=Path, metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    some = options.names or options.every > 1
    before = {} if options.write and not some else recorded()
    wanted = (options.names or names())[:: options.every]
    found: dict[str, Record] = {}
    wrong = 0
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for name, (now, story) in zip(wanted, pool.imap(play, wanted), strict=True):
            found[name] = now
            if options.dump:
                dump(options.dump, name, story)
            if not options.write and (text := difference(name, now, before.get(name))):
                wrong += 1
                print(f"{name}: {text}")
    if options.write:
        write(before | found)
        print(f"{len(found)} runs on record in {RECORDS}")
    else:
        print(f"{len(found)} runs, {wrong} differ from the record")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
