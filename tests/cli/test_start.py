"""What starting costs is not spent on what is not used."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gossipmm import cli

#: What a command needs none of: what answers are made of (3 ms), and URLs with odd names (2 ms).
UNUSED = "gossipmm.answers gossipmm.core gossipmm.addresses urllib.parse base64 trio importlib.util"
ASKS = f"""
import sys
sys.argv = ["gossipmm", "queues", "compute", "--control", "/nowhere.sock"]
from gossipmm.cli import main
try:
    main()
except SystemExit as exc:
    print(exc.code, sorted(set({UNUSED.split()!r}) & set(sys.modules)))
"""


def test_a_command_that_asks_for_hosts_imports_no_more_than_that() -> None:
    """Typed answers had made ``gossipmm queues`` a seventh slower, of which it uses nothing."""
    # Without site: an editable install may import what it likes there.
    path = [folder for folder in sys.path if folder]
    script = f"import sys; sys.path[:0] = {path!r}\n{ASKS}"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout == "3 []\n", done.stderr


@pytest.fixture
def thresholds() -> Iterator[tuple[int, int, int]]:
    before, usual = gc.get_threshold(), cli._USUAL
    gc.set_threshold(*usual)  # a test that ran main() here may have left others
    yield usual
    gc.set_threshold(*before)
    gc.unfreeze()


def test_an_agent_looks_for_garbage_as_usual_once_it_has_started(
    thresholds: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["gossipmm", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    assert gc.get_threshold()[0] == 200_000
    cli.started()
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() > 0


def test_a_program_that_set_its_own_thresholds_keeps_them(
    thresholds: tuple[int, int, int],
) -> None:
    gc.set_threshold(5000, 5, 5)
    frozen = gc.get_freeze_count()
    cli.started()
    assert (gc.get_threshold(), gc.get_freeze_count()) == ((5000, 5, 5), frozen)
