"""The language of docstrings, comments, messages and documents: known stumbling blocks, spelling.

``tests/house/prose.py`` has the patterns. Files that still have some are listed with their number
below; a file may only get better, and is struck out once it is clean.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.house.prose import Passage, everything, found, passages
from tests.house.source import ROOT, python_files, relative

#: File -> how many passages in it are still to be rewritten.
KNOWN = {
    "gossipmm/cli/setup.py": 1,
    "gossipmm/sidecar/api/watch.py": 1,
    "gossipmm/verbs/verb.py": 1,
    "sim/gossipmm_sim/search/ablation.py": 1,
}


def test_nothing_reads_as_if_it_were_translated():
    complaints = [
        (relative(passage.path), f"{passage.line}: ...{around}...: {instead}")
        for passage in everything()
        for around, instead in found(passage)
    ]
    counted = Counter(path for path, _ in complaints)
    worse = [f"{path}:{what}" for path, what in complaints if counted[path] > KNOWN.get(path, 0)]
    assert not worse, "\n".join(worse)
    better = {path: counted[path] for path, most in KNOWN.items() if counted[path] < most}
    assert not better, f"better than KNOWN says, so lower it (0: strike it out): {better}"


def test_no_docstring_of_a_test_begins_with_whether():
    """Docstrings of tests are stories and sentences; one that is neither slipped in."""
    begin = [
        f"{relative(path)}:{passage.line}"
        for path in python_files("tests")
        for passage in passages(path)
        if passage.kind == "docstring" and passage.text.startswith("Whether")
    ]
    assert not begin, f"begin with a verb ('Return whether') or name the thing: {begin}"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("docstring", "Whether the member is alive."),
        ("comment", "Members of which nothing is known."),
        ("comment", "the teller, of whom nothing is known"),
        ("string", "'v1/members' is no path"),
        ("comment", "It is not answered any more."),
        ("comment", "The others know it, too."),
        ("docstring", "Return an own registration."),
        ("comment", "It is read anew."),
        ("string", "is back for the {}. time"),
        ("docstring", "A rule. Who does not answer is tried again."),
    ],
)
def test_each_pattern_notices_what_it_is_for(kind, text):
    assert list(found(Passage(Path(), 1, kind, text)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("docstring", "Return whether the member is alive."),
        ("comment", "Three steps, each of which may be repeated."),
        ("string", "there is no path 'x'"),
        ("string", "there is no longer any path, and it is no more than that"),
        ("comment", "It takes no more messages, of its own or of others."),
        ("docstring", "Who is alive? The table says."),
        ("comment", "``an own record`` is code."),
        ("comment", "too many, too late"),
    ],
)
def test_what_reads_well_is_left_alone(kind, text):
    assert not list(found(Passage(Path(), 1, kind, text)))


def spelled(*places):
    command = [sys.executable, "-m", "codespell_lib", *places]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_everything_is_spelled_correctly():
    """codespell: misspellings that people really make, in code and documents."""
    run = spelled("gossipmm", "sim", "tests", "README.md", "CONTRIBUTING.md", "pyproject.toml")
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_misspelling_is_noticed(tmp_path):
    text = tmp_path / "text.md"
    text.write_text("Datagrams are " + "rec" + "ieved before timers run.\n")
    assert spelled(str(text)).returncode != 0
