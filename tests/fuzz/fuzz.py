"""Coverage-guided fuzzing of what reads network bytes (needs ``pip install atheris``).

    python -m tests.fuzz.fuzz decoder -max_total_time=60
    python -m tests.fuzz.fuzz node -max_total_time=60
    python -m tests.fuzz.fuzz sealed -max_total_time=60

The last arguments are libFuzzer's. The corpus begins with the datagrams kept in ``corpus/``; what
is found is written to ``--found`` (default: a new folder), and a crash beside it.

* ``decoder``: ``decode_untrusted`` and ``page_untrusted`` raise Refused and nothing else, and a
  page read again from its own bytes is the same.
* ``node``: the input is a script of datagrams for one node, framed or raw, in the name of members
  or strangers, with time between them. No exception; the invariants of ``tests/invariants.py``
  hold; whoever has proved nothing gets at most three times what it sent.
* ``sealed``: the same for the envelope: nothing forged is ever opened.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gossipmm", "cbor2", "tests.fuzz"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Run libFuzzer on one target."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz.fuzz {'|'.join(TARGETS)} [libFuzzer's options]")
    rest = [argument for argument in sys.argv[2:] if not argument.startswith("--found=")]
    found = next((a.partition("=")[2] for a in sys.argv if a.startswith("--found=")), "")
    folder = Path(found or tempfile.mkdtemp(prefix=f"gossipmm-fuzz-{name}-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"found inputs: {folder}", file=sys.stderr)
    options = ["-max_len=1500", f"-artifact_prefix={folder}/crash-", *rest]
    atheris.Setup([sys.argv[0], *options, str(folder), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
