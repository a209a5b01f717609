"""The sessions of the documents, played in a shell against real agents.

A page's commands run one after the other in one shell, in a network and a ``/run`` of its own, so
that ports and sockets are those that the page names. What answers is compared with the page, where
``…`` stands for anything. A command that only looks is repeated until it answers as the page says:
a reader is not as quick as a script.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documented import PAGES, Step, session, wildcard
from tests.house.source import ROOT, relative
from tests.namespaces import missing
from tests.processes.program import DEADLINE, environment, until

#: They change nothing, so that they can be asked again.
LOOKS = ("members", "status", "queues", "lookup", "topics", "why", "registrations", "keys list")
LOOKS += ("query", "rtt")
END = "-- end of the answer --"
#: ``gossipmm`` is the program of this checkout, and ``/run`` is empty. Each job is a group of
#: processes, the shell of the function and the agent in it, and all of them end with the shell.
BEGIN = """\
mount -t tmpfs tmpfs /run && ip link set lo up
gossipmm() { "$PYTHON" -m gossipmm "$@"; }
set -m
trap 'for job in $(jobs -p); do kill -9 -- -"$job"; done 2>/dev/null' EXIT
"""

MISSING = missing()
pytestmark = pytest.mark.skipif(MISSING != "", reason=MISSING)


class Shell:
    """A shell that is given one command after the other."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--net", "bash", "--norc"],
            cwd=folder,
            env={
                **environment(PYTHON=sys.executable, PYTHONPATH=f"{ROOT}:{ROOT / 'sim'}"),
                "GOSSIPMM_CONTROL": "",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.answer(BEGIN)

    def answer(self, command: str) -> str:
        """Run a command to its end; return what it printed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\necho; echo '{END}'\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.rstrip("\n") == END:
                text = "".join(lines)
                return text.removesuffix("\n")  # of the echo
            lines.append(line)
        raise AssertionError(f"the shell ended at {command!r}: {''.join(lines)}")

    def close(self) -> None:
        """End it, and with it all that it started."""
        groups = [int(job) for job in self.answer("jobs -p").split()]
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()
            self._process.wait(DEADLINE)
        for group in groups:
            until(lambda group=group: not _lives(group), f"group {group} has ended")


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def play(shell: Shell, step: Step) -> None:
    """Run a step; raise AssertionError unless it answers as the page says."""
    words = step.command.removeprefix("gossipmm ")
    looks = step.command.startswith("gossipmm ") and words.startswith(LOOKS)
    deadline = time.monotonic() + DEADLINE
    while True:
        # A shell tells of its jobs when it likes.
        found = "".join(
            line + "\n"
            for line in shell.answer(step.command).splitlines()
            if not re.match(r"\[\d+\]|bash: line \d+: +\d+ Killed", line)
        )
        if wildcard(step.answer).fullmatch(found) if step.answer else not found:
            return
        if not looks or time.monotonic() > deadline:
            raise AssertionError(
                f"$ {step.command}\n{found}\nis not as the page says:\n{step.answer}"
            )
        time.sleep(0.05)


@pytest.mark.parametrize("page", [page for page in PAGES if session(page)], ids=relative)
def test_a_session_answers_as_its_page_says(page: Path, shell: Shell) -> None:
    for step in session(page):
        play(shell, step)
        if step.command.endswith("&"):
            # Until its socket is there, the next command would find no agent.
            name = re.search(r"--name (\w+)", step.command)
            assert name
            asked = f"gossipmm info --control {name[1]} >/dev/null 2>&1 && echo yes"
            deadline = time.monotonic() + DEADLINE
            while "yes" not in shell.answer(asked):
                assert time.monotonic() < deadline, f"{name[1]} does not answer"


def test_a_wrong_answer_is_noticed(shell: Shell) -> None:
    """A player that takes everything shows nothing."""
    play(shell, Step("echo one; echo two", "one\n…"))
    with pytest.raises(AssertionError, match="is not as the page says"):
        play(shell, Step("echo two", "one"))
    with pytest.raises(AssertionError, match="is not as the page says"):
        play(shell, Step("echo two", ""))
