"""Processes that are spawned, come from a fork server, or take the place of a program by exec.

The new process knows nothing of the agent of the old one: it opens its own, and both are members.
The agent of the old one goes on, but where exec replaced its program: there it is dead until the
next life comes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.program import DEADLINE, environment, programs, until

#: A matchmaker is opened in the main process, then a child of each kind opens another one.
CHILDREN = """
import json, multiprocessing, sys, time
from gossipmm import MatchMakerGossip

METHOD, SEED = sys.argv[1:3]

def serve(name, ready, over):
    with MatchMakerGossip(preset="local", name=name, bind="127.0.0.1:0", join=[SEED]) as mm:
        mm.register("web", name)
        assert mm.wait_joined(20)
        ready.set()
        over.wait(30)

if __name__ == "__main__":
    context = multiprocessing.get_context(METHOD)
    with MatchMakerGossip(preset="local", name="parent", bind="127.0.0.1:0", join=[SEED]) as mm:
        mm.register("web", "parent")
        assert mm.wait_joined(20)
        ready, over = context.Event(), context.Event()
        child = context.Process(target=serve, args=("child", ready, over))
        child.start()
        assert ready.wait(30)
        found = []
        end = time.monotonic() + 30
        while len(found) < 2 and time.monotonic() < end:
            found = [host for _, host in mm.queues("fanout~web")]
            time.sleep(0.01)
        over.set()
        child.join(30)
        print(json.dumps({"found": found, "status": child.exitcode}))
"""

#: A program that is replaced by itself, with its matchmaker open.
REPLACED = """
import os, sys
from gossipmm import MatchMakerGossip

SEED, life = sys.argv[1], sys.argv[2]
mm = MatchMakerGossip(preset="local", name="exec", bind="127.0.0.1:0", join=[SEED])
mm.register("life", life)
assert mm.wait_joined(20)
print(life, flush=True)
if life == "first":
    os.execv(sys.executable, [sys.executable, sys.argv[0], SEED, "second"])
sys.stdin.read()
mm.close()
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_child_of_multiprocessing_has_an_agent_of_its_own(tmp_path: Path, method: str) -> None:
    script = tmp_path / "children.py"
    script.write_text(CHILDREN)
    with programs() as start:
        a = start("a")
        done = subprocess.run(
            [sys.executable, str(script), method, a.address],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=4 * DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"found": ["child", "parent"], "status": 0}
        # Both have left, each by itself.
        until(lambda: a.told("member_left", name="child"), "the child has left")
        until(lambda: a.told("member_left", name="parent"), "its parent has left")


def test_a_program_that_takes_the_place_of_another_is_the_next_life_of_its_member(
    tmp_path: Path,
) -> None:
    script = tmp_path / "replaced.py"
    script.write_text(REPLACED)
    with programs() as start:
        a = start("a")
        process = subprocess.Popen(
            [sys.executable, str(script), a.address, "first"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout
            assert process.stdin
            assert [process.stdout.readline().strip() for _ in range(2)] == ["first", "second"]
            until(
                lambda: (
                    [e["host"] for e in a.told("host_changed", topic="life", state="live")]
                    == ["first", "second"]
                ),
                "the second life registers",
            )
            until(lambda: a.told("host_changed", host="first", state=None), "the first is gone")
            process.stdin.close()
            assert process.wait(DEADLINE) == 0
        until(lambda: a.told("member_left", name="exec"), "it has left")
        assert not a.told("name_conflict")
