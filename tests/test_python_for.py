"""A Python that is too old, or makes no virtual environments, is named in one sentence."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci/python_for.py"
LINES = re.findall(r"^python3 .*$", (ROOT / "README.md").read_text(), re.M)

OLD = "sys.version_info = (3, 10, 12, 'final', 0)"
NO_VENV = "import importlib.util; importlib.util.find_spec = lambda name: None"
SAID = {
    OLD: "gossipmm needs Python 3.11 or later; this is 3.10: say python3.11 for python3\n",
    NO_VENV: "this Python makes no virtual environments (Debian: apt install python3-venv)\n",
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("lacking", SAID)
def test_the_lines_of_the_readme_say_what_is_missing_and_go_no_further(
    lacking: str, line: str, tmp_path: Path
) -> None:
    """The sentence was printed, and pip was run all the same: Python 3.10's hangs for minutes."""
    run = f"import runpy, sys; {lacking}; runpy.run_path(sys.argv[1], None, '__main__')"
    shim = tmp_path / "python3"
    shim.write_text(
        f'#!/bin/sh\n[ "$1" = -m ] && {{ echo "went on: $*"; exit 1; }}\n'
        f'exec "{sys.executable}" -c "{run}" "$@"\n'
    )
    shim.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", SAID[lacking])


def test_the_readme_has_such_lines_and_this_python_passes() -> None:
    assert len(LINES) == 2
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, check=False, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_pip_is_told_before_it_looks_for_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """``pip install .`` of Python 3.10 tried versions of packages for minutes, and said nothing."""
    build: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    assert (build["build-backend"], build["backend-path"]) == (SCRIPT.stem, [".ci"])
    hook = runpy.run_path(str(SCRIPT))["__getattr__"]
    backend = SimpleNamespace(build_wheel="built")
    monkeypatch.setitem(sys.modules, "hatchling", SimpleNamespace(build=backend))
    monkeypatch.setitem(sys.modules, "hatchling.build", backend)
    assert hook("build_wheel") == "built"
    monkeypatch.setattr(sys, "version_info", (3, 10, 12, "final", 0))
    with pytest.raises(SystemExit, match=re.escape(SAID[OLD].strip())):
        hook("build_wheel")
