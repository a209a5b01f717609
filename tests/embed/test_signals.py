"""SIGTERM: what it does without a word, and with ``leave_on_sigterm``."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from gossipmm.core.values.types import Status
from gossipmm.embed.thread import ThreadAgent
from tests.embed.helpers import SOON, config, run_python, until

#: It sleeps in short pieces: ``signal.pause`` waits for ever for a signal that comes between
#: Python's last look at signals and the system's call, which happens on a machine under load.
PROGRAM = """
import os, signal, sys, time
from gossipmm.embed.child import ChildMatchMaker
from gossipmm.embed.matchmaker import MatchMakerGossip
from gossipmm.embed.signals import leave_on_sigterm

{before}
kind = {{"thread": MatchMakerGossip, "child": ChildMatchMaker}}[sys.argv[2]]
mm = kind(preset="local", name="program", bind="127.0.0.1:0", join=[sys.argv[1]])
mm.register("compute", "host-p")
assert mm.wait_joined(15.0)
{then}
print("joined", flush=True)
while True:
    time.sleep(0.05)
"""
#: It says so past ``sys.stdout``: the signal may come while the program is still inside ``print``,
#: where a second one is "RuntimeError: reentrant call". Most runs of Python 3.14 ended so.
MINE = "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'mine\\n'), os._exit(7)))"
PID_1 = "from gossipmm.embed import signals; signals._is_process_1 = lambda: True"


@pytest.fixture
def peer() -> Iterator[ThreadAgent]:
    thread = ThreadAgent(config("peer"))
    thread.start()
    yield thread
    thread.close()


@pytest.mark.parametrize("kind", ["thread", "child"])
@pytest.mark.parametrize(
    ("before", "then", "status", "said"),
    [
        ("", "leave_on_sigterm()", -signal.SIGTERM, ""),
        (MINE, "leave_on_sigterm()", 7, "mine\n"),
        (PID_1, "leave_on_sigterm()", 143, ""),
    ],
    ids=["default", "with a handler", "as process 1"],
)
def test_leaving_on_sigterm(
    peer: ThreadAgent, kind: str, before: str, then: str, status: int, said: str
) -> None:
    host, port = peer.bound
    script = PROGRAM.format(before=before, then=then)
    with run_python(script, f"{host}:{port}", kind) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "joined\n"
        program.terminate()
        out, errors = program.communicate(None, SOON)
        assert (program.returncode, out, errors) == (status, said, "")

    def left() -> bool:
        member = peer.agent.member("program")
        return member is not None and member.status is Status.LEFT

    until(peer, left)


def test_without_it_the_death_is_noticed_by_its_silence(peer: ThreadAgent) -> None:
    host, port = peer.bound
    with run_python(PROGRAM.format(before="", then=""), f"{host}:{port}", "thread") as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "joined\n"
        until(peer, lambda: "compute" in peer.reader.topics)
        program.terminate()
        program.communicate(None, SOON)
        assert program.returncode == -signal.SIGTERM
    until(peer, lambda: not peer.reader.topics["compute"].picks)
    member = peer.call(peer.agent.member, "program")
    assert member is not None
    assert member.status is not Status.LEFT
