"""The Python that an agent's process is run with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gossipmm.embed.child import ChildMatchMaker
from gossipmm.embed.interpreter import find_python
from gossipmm.errors import StartError
from tests.embed.helpers import config


def test_the_interpreter_of_this_process_is_taken() -> None:
    assert find_python() == sys.executable


@pytest.mark.parametrize("server", ["/usr/bin/uwsgi", "", None, "/opt/app/server"])
def test_inside_a_server_a_python_of_this_version_is_found(
    server: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under uWSGI the agent's process was another uWSGI, which knew none of the arguments."""
    monkeypatch.setattr(sys, "executable", server)
    with ChildMatchMaker(config=config("x")) as mm:
        mm.register("compute", "a")
        assert mm.queues("compute") == [("compute.a", "a")]
    found = find_python()
    asked = "import sys; print(sys.version_info[:2])"
    said = subprocess.check_output([found, "-c", asked], text=True)
    assert said == f"{sys.version_info[:2]}\n"


def test_where_there_is_none_the_error_says_what_to_give(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(StartError, match=r"this program is /usr/bin/uwsgi; .*python=\.\.\."):
        ChildMatchMaker(config=config("x")).open()


def test_one_can_be_given(tmp_path: Path) -> None:
    python = tmp_path / "my-python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    with ChildMatchMaker(config=config("x"), python=str(python)) as mm:
        mm.register("compute", "a")
        assert mm.queues("compute") == [("compute.a", "a")]
