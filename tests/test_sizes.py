"""Bounds on files and functions, and that each exception to a bound or a lint rule is needed.

``ruff`` holds parameters (6) and complexity (15); what may exceed them is listed by file in
``pyproject.toml``, and struck out here as soon as the file no longer does.
"""

import ast
import json
import subprocess
import sys
import tomllib

import pytest

from tests.house import sizes
from tests.house.source import ROOT, parsed, python_files, relative

BOTH = [*python_files("gossipmm"), *python_files("sim")]
#: Rules whose exceptions may only shrink.
RATCHETED = ("ARG", "C901", "PLR0913")


def functions(tree, within=""):
    """Yield (qualified name, lines) of every function, methods and inner functions included."""
    for node in ast.iter_child_nodes(tree):
        name = f"{within}{getattr(node, 'name', '')}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, node.end_lineno - node.lineno + 1
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from functions(node, f"{name}." if inside else within)


def compare(found, known, limit, what):
    """Fail with the sizes above the limit that are not known, and the known ones that are not."""
    above = {name: lines for name, lines in found.items() if lines > limit}
    grown = {name: lines for name, lines in above.items() if lines > known.get(name, limit)}
    assert not grown, f"{what} of more than {limit} lines: {grown}"
    gone = sorted(known.keys() - above.keys())
    assert not gone, f"short enough now, so strike out in tests/house/sizes.py: {gone}"


def test_no_file_is_longer_than_one_can_read_in_one_go():
    found = {relative(path): len(path.read_text().splitlines()) for path in BOTH}
    compare(found, sizes.LONG_FILES, sizes.FILES, "files")


def test_no_function_is_longer_than_a_screen():
    found = {
        f"{relative(path)}:{name}": lines
        for path in BOTH
        for name, lines in functions(parsed(path))
    }
    compare(found, sizes.LONG_FUNCTIONS, sizes.FUNCTIONS, "functions")


def _exceptions():
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    for pattern, rules in lint["per-file-ignores"].items():
        for rule in rules:
            if rule.startswith(RATCHETED):
                yield pattern, rule


@pytest.mark.parametrize(("pattern", "rule"), list(_exceptions()))
def test_every_exception_to_a_rule_is_needed(pattern, rule):
    """Each file that a pattern names, for every rule that the pattern excuses."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    settings = (
        f"lint.mccabe.max-complexity={lint['mccabe']['max-complexity']}",
        f"lint.pylint.max-args={lint['pylint']['max-args']}",
    )
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--output-format",
        "json",
    ]
    command += [f"--select={rule}", *(f"--config={each}" for each in settings)]
    files = sorted(str(path) for path in ROOT.glob(pattern))
    assert files, f"{pattern} matches no file: strike it out in pyproject.toml"
    run = subprocess.run([*command, *files], capture_output=True, text=True, timeout=60)
    assert run.returncode in (0, 1), run.stderr
    assert json.loads(run.stdout), f"{rule} is no longer broken in {pattern}: strike it out"
