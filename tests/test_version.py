"""The version of the package, told in many places."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gossipmm
from gossipmm import version

pytestmark = pytest.mark.timeout(30)

_TOLD = """
import sys
from importlib import metadata

def nothing(name):
    raise metadata.PackageNotFoundError(name)

metadata.version = nothing
import gossipmm
from gossipmm.sidecar.ops.metrics import installed_version as of_metrics
from gossipmm.agent.agent import installed_version as of_agent
from gossipmm.cli import main
print(gossipmm.__version__, of_metrics(), of_agent())
sys.argv = ["gossipmm", "--version"]
main()
"""


def test_a_copy_that_was_not_installed_says_so() -> None:
    """A program that carries the sources, without the metadata that an installation has, got 500.

    ``/v1/status``, ``/metrics``, ``gossipmm --version`` and ``gossipmm.__version__`` each asked for
    the metadata on their own, and none expected it to be missing.
    """
    folder = Path(gossipmm.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{_TOLD}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=25,
    )
    told = done.stdout.splitlines()
    assert told[:1] == [" ".join([version.UNKNOWN] * 3)], done.stderr
    assert told[1].startswith(f"gossipmm {version.UNKNOWN}")


def test_an_installed_copy_tells_its_version() -> None:
    """The right value beside the wrong one: what is installed is told as it is."""
    assert version.installed_version() == gossipmm.__version__ != version.UNKNOWN
