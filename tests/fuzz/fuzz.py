"""Coverage-guided fuzzing of what reads bytes that others wrote (needs ``pip install atheris``).

    python -m tests.fuzz.fuzz decoder -max_total_time=60
    python -m tests.fuzz.fuzz http -max_total_time=60
    python -m tests.fuzz.fuzz all 60                     # every target in turn, a minute each

The last arguments are libFuzzer's. The corpus begins with the inputs kept in ``corpus/``; what
is found is written to ``--found`` (default: a new folder), and a crash beside it. ``tests`` replays
the corpus without a fuzzer.

* ``decoder``: ``decode_untrusted`` and ``page_untrusted`` raise Refused and nothing else, and a
  page read again from its own bytes is the same.
* ``node``: the input is a script of datagrams for one node, framed or raw, in the name of members
  or strangers, with time between them. No exception; the invariants of ``tests/invariants.py``
  hold; whoever has proved nothing gets at most three times what it sent.
* ``sealed``: the same for the envelope: nothing forged is ever opened.
* ``http``, ``dns``, ``dialback``: the other doors of an agent (``doors.py``).
* ``keyfile``, ``state``, ``from_child``, ``to_child``, ``answer``: what it reads from disk and from
  its own processes, and what its client reads (``files.py``).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

# In C it would have no branches that a fuzzer sees.
sys.modules["_json"] = None  # type: ignore[assignment]
for _name in [name for name in sys.modules if name.partition(".")[0] == "json"]:
    del sys.modules[_name]

with atheris.instrument_imports(include=["gossipmm", "cbor2", "dns", "h11", "json", "tests.fuzz"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Run libFuzzer on one target, or on each in turn."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name == "all" and len(sys.argv) == 3:
        sys.exit(_all(sys.argv[2]))
    if name not in TARGETS:
        names = "|".join(TARGETS)
        sys.exit(f"usage: python -m tests.fuzz.fuzz {names} [libFuzzer's options] | all SECONDS")
    rest = [argument for argument in sys.argv[2:] if not argument.startswith("--found=")]
    found = next((a.partition("=")[2] for a in sys.argv if a.startswith("--found=")), "")
    folder = Path(found or tempfile.mkdtemp(prefix=f"gossipmm-fuzz-{name}-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"found inputs: {folder}", file=sys.stderr)
    options = ["-max_len=1500", f"-artifact_prefix={folder}/", *rest]
    atheris.Setup([sys.argv[0], *options, str(folder), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


def _all(seconds: str) -> int:
    """Fuzz each target in a process of its own; return how many of them failed."""
    failed = []
    for name in TARGETS:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", "tests.fuzz.fuzz", name, f"-max_total_time={seconds}"]
        if subprocess.run([*command, "-timeout=20", "-verbosity=0"], check=False).returncode:
            failed.append(name)
    print(f"{len(TARGETS)} targets, failed: {', '.join(failed) or 'none'}")
    return len(failed)


if __name__ == "__main__":
    main()
