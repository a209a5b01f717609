"""The agent in a child process: what gevent and eventlet programs use, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossipmm.config import Config
from gossipmm.core.values.types import HostState
from gossipmm.embed import pipe
from gossipmm.embed.child import ChildAgent, ChildMatchMaker
from gossipmm.embed.plain import restored
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import (
    AgentClosedError,
    AgentLostError,
    BindError,
    ConfigError,
    ForkedError,
    LimitError,
    RegistrationError,
    StartError,
)
from gossipmm.matchmaker import LookupStatus, MatchMakerGossip
from gossipmm.mechanisms import Mechanism
from tests.embed.helpers import SOON, config, run_python, until
from tests.matchmaker.helpers import live, view


@pytest.fixture
def peer() -> Iterator[ThreadAgent]:
    """An agent of this process that a child can join."""
    thread = ThreadAgent(config("peer"))
    thread.start()
    yield thread
    thread.close()


@pytest.fixture
def child(peer: ThreadAgent) -> Iterator[ChildAgent]:
    agent = ChildAgent(config("child", peer.agent.bound))
    agent.start()
    yield agent
    agent.close()


def test_the_matchmaker_answers_from_the_childs_table(peer: ThreadAgent) -> None:
    own = MatchMakerGossip.over(peer.reader, peer)
    with ChildMatchMaker(config=config("child", peer.agent.bound)) as mm:
        assert mm.wait_joined(SOON)
        peer.register("compute", "host-p", {"zone": "a"})
        mm.register("compute", "host-c", metadata={"slots": 4, "spare": True}, ttl=60.0)
        mm.start_heartbeat()
        until(peer, lambda: len(own.queues("fanout~compute")) == 2)
        assert own.lookup("compute.host-c").hosts[0].metadata == {"slots": 4, "spare": True}
        assert {mm.queues("compute")[0] for _ in range(4)} == {
            ("compute.host-c", "host-c"),
            ("compute.host-p", "host-p"),
        }
        assert mm.queues("compute", routing_key="k") == own.queues("compute", routing_key="k")
        assert mm.queues("nothing") == []
        assert mm.lookup("nothing").status is LookupStatus.UNKNOWN_TOPIC
        found = mm.lookup("compute.host-p").hosts[0]
        assert (found.state, found.nodes) == (HostState.LIVE, ("peer",))
        assert found.metadata == {"zone": "a"}
        assert found.age is not None
        assert found.age < SOON
        assert mm.ack_alive("compute", "host-p")
        assert mm.report_failure("compute.host-p", "host-p")
        assert mm.is_alive("compute", "host-p")
        assert mm.expire("compute", "unknown") is False
        assert mm.drain("compute", "host-c") == 1
        assert mm.ring() == {"compute": ["host-p"]}
        assert mm.unregister("compute", "host-c") is True
        mm.stop_heartbeat()
        until(peer, lambda: own.queues("compute.host-c") == [])


def test_an_unchanged_view_is_the_same_object_and_is_not_sent_again(child: ChildAgent) -> None:
    child.register("compute", "a")
    topics = child.reader.topics
    first = topics["compute"]
    assert topics["compute"] is first
    assert list(topics) == ["compute"]
    assert len(topics) == 1
    child.register("compute", "b")
    assert topics["compute"].picks == ("a", "b")
    child.unregister("compute", "a")
    child.unregister("compute", "b")
    assert "compute" not in topics


def test_errors_of_the_child_are_raised_as_what_they_are(child: ChildAgent) -> None:
    with pytest.raises(RegistrationError, match="contains a dot"):
        child.register("com.pute", "a")
    with pytest.raises(LimitError, match="more than the 800 allowed"):
        child.register("compute", "a", {"much": "x" * 2000})
    for metadata in ({"a": 1.5}, {1: "a"}, {"a": object()}):
        with pytest.raises(RegistrationError, match="metadata"):
            child.register("compute", "a", metadata)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="in the agent's process: AttributeError"):
        child._ask("no_such_call")
    assert child.now() > 0


def test_what_keeps_the_child_from_opening_is_raised_by_the_parent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        agent = ChildAgent(Config(name="x", bind=f"127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(BindError, match="in use"):
            agent.start()
    with pytest.raises(ConfigError):
        ChildMatchMaker(nmae="x")
    with pytest.raises(StartError, match="no-such-python"):
        ChildAgent(config("x"), python="/no-such-python").start()


def test_use_after_close(child: ChildAgent) -> None:
    child.close()
    child.close()
    with pytest.raises(AgentClosedError, match="was closed"):
        child.register("compute", "a")
    with pytest.raises(RuntimeError, match="started once"):
        child.start()
    with pytest.raises(AgentClosedError, match="not started"):
        ChildAgent(config("x")).now()


def test_a_child_that_dies_is_an_error_of_our_own_for_whoever_waits(child: ChildAgent) -> None:
    assert child._link is not None
    process = child._link.process
    os.kill(process.pid, signal.SIGSTOP)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            child.members()
        except BaseException as exc:
            raised.append(exc)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    process.kill()
    for thread in threads:
        thread.join(SOON)
    assert [type(exc) for exc in raised] == [AgentLostError] * 3
    assert {str(exc) for exc in raised} == {
        "the agent's process ended (killed by SIGKILL): it is started again"
    }


def test_an_interrupted_call_does_not_shift_the_answers_of_later_ones(
    child: ChildAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under gevent, Timeout or GreenletExit is raised wherever a green thread waits: in recv."""
    child.register("compute", "a")
    link = child._link
    assert link is not None
    receive = link._receive

    def interrupted(number: int) -> dict[str, Any]:
        monkeypatch.setattr(link, "_receive", receive)
        raise KeyboardInterrupt

    monkeypatch.setattr(link, "_receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        child.unregister("compute", "a")
    assert child.renew("compute", "a") is False
    assert child.now() > 0


def test_sigterm_makes_the_child_leave(child: ChildAgent, peer: ThreadAgent) -> None:
    assert child.wait_joined(SOON)
    child.register("compute", "a")
    until(peer, lambda: "compute" in peer.reader.topics)
    link = child._link
    assert link is not None
    link.process.terminate()
    assert link.dead.result(SOON) == 0
    until(peer, lambda: not peer.reader.topics["compute"].picks)
    with pytest.raises(AgentLostError, match=r"ended \(exit status 0\): open another") as caught:
        child.members()
    assert not caught.value.returns


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_fork_of_the_parent_is_told_and_does_not_keep_the_child(child: ChildAgent) -> None:
    reading, writing = os.pipe()
    hold, release = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            try:
                child.now()
            except ForkedError:
                os.write(writing, b"ForkedError")
            child.close()
            os.close(release)
            os.read(hold, 1)
        finally:
            os._exit(0)
    assert os.read(reading, 100) == b"ForkedError"
    assert child.now() > 0
    child.close()
    assert child._link is not None
    assert child._link.process.returncode == 0
    for descriptor in (release, hold, reading, writing):
        os.close(descriptor)
    os.waitpid(pid, 0)


# -- programs ------------------------------------------------------------------------------

PROGRAM = """
import sys
{patch}
import warnings
from gossipmm.embed.child import ChildMatchMaker

def main():
    mm = ChildMatchMaker(preset="local", name="program", bind="127.0.0.1:0", join=[sys.argv[1]])
    mm.register("compute", "host-p", ttl=3.0)
    mm.start_heartbeat()
    assert mm.wait_joined(15.0)
    print(mm.queues("compute"), "trio" in sys.modules, flush=True)
    return mm

mm = main()
{then}
"""

PATCHES = {
    "plain": "",
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore')\n"
    "import eventlet; eventlet.monkey_patch()",
}
ENDS: dict[str, tuple[str, Callable[[subprocess.Popen[str]], object]]] = {
    "forgetting": ("", lambda program: None),
    "os._exit": ("import os; os._exit(0)", lambda program: None),
    "SIGKILL": ("sys.stdin.read()", lambda program: program.kill()),
    "SIGTERM": ("sys.stdin.read()", lambda program: program.terminate()),
    "an exception": ("raise SystemExit(3)", lambda program: None),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_child_leaves_when_its_parent_dies_however_it_dies(peer: ThreadAgent, end: str) -> None:
    then, kill = ENDS[end]
    died_or_left(peer, PROGRAM.format(patch="", then=then), kill)


def died_or_left(
    peer: ThreadAgent, script: str, kill: Callable[[subprocess.Popen[str]], object]
) -> None:
    """Run a program until its end; its child must leave the cluster, and end."""
    host, port = peer.agent.bound
    with run_python(script, f"{host}:{port}") as program:
        assert program.stdout is not None
        said = program.stdout.readline()
        assert said == "[('compute.host-p', 'host-p')] False\n", program.communicate("", SOON)
        until(peer, lambda: "compute" in peer.reader.topics)
        kill(program)
        # The child shares standard error: at its end of file both have ended.
        _, errors = program.communicate(None, SOON)
        assert errors == ""
    until(peer, lambda: not peer.reader.topics["compute"].picks)
    (member,) = [member for member in peer.members() if member.name == "program"]
    assert member.status.label == "left"


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_a_patched_program(peer: ThreadAgent, kind: str) -> None:
    _installed(kind)
    died_or_left(peer, PROGRAM.format(patch=PATCHES[kind], then=""), lambda program: None)


def _installed(module: str) -> None:
    """Skip without the module, which must not be imported here (it warns, and we are strict)."""
    import importlib.util

    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


REFUSED = """
import warnings; warnings.simplefilter('ignore')
{patch}
from gossipmm.errors import PatchedError
from gossipmm.matchmaker import MatchMakerGossip

try:
    MatchMakerGossip(name="x", bind="127.0.0.1:0").queues("compute")
except PatchedError as exc:
    print(exc)
"""


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_in_a_patched_program_the_thread_says_what_to_use(kind: str) -> None:
    _installed(kind)
    with run_python(REFUSED.format(patch=PATCHES[kind])) as program:
        said, errors = program.communicate("", SOON)
    assert errors == ""
    assert said.startswith(f"{kind} has patched this process")
    assert "gossipmm.embed.child.ChildMatchMaker" in said


GREEN = """
from gevent import monkey; monkey.patch_all()
import gevent, sys
from gossipmm.embed.child import ChildMatchMaker

mm = ChildMatchMaker(preset="local", name="green", bind="127.0.0.1:0", join=["127.0.0.1:9"])
mm.register("compute", "host-p")
ticks = 0

def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0)

gevent.spawn(tick)
waiting = gevent.spawn(mm.wait_joined)
jobs = [gevent.spawn(mm.queues, "compute") for _ in range(20)]
gevent.joinall(jobs)
assert all(job.value == [("compute.host-p", "host-p")] for job in jobs), jobs
assert ticks, "a call kept the other green threads from running"
with gevent.Timeout(0.0, False):
    while True:
        mm.queues("compute")
assert mm.queues("compute") == [("compute.host-p", "host-p")]
waiting.kill()
mm.close()
print("done")
"""


def test_green_threads_wait_beside_each_other() -> None:
    _installed("gevent")
    with run_python(GREEN) as program:
        said, errors = program.communicate("", SOON)
    assert said == "done\n"
    # The child's own warnings, if it has got so far: nobody is there to join.
    told = re.compile(r"gossipmm agent of \d+: seed 127\.0\.0\.1:9 ")
    assert all(told.match(line) for line in errors.splitlines()), errors


# -- the pipe ------------------------------------------------------------------------------


def test_a_configuration_survives_the_pipe() -> None:
    before = Config.preset(
        "wan",
        name="x",
        join=("a:1",),
        metadata={"z": 1},
        without=frozenset({Mechanism.RING, Mechanism.MINIMUM_GENERATIONS}),
    )
    assert pipe.config_from(pipe.config_to(before)) == before
    assert pipe.config_from(pipe.config_to(Config())) == Config()


def test_a_view_survives_the_pipe() -> None:
    before = view("compute", {**live("b", "a"), "c": HostState.DRAINING}, at=1.5, heard=2.5)
    entries = {host: entry._replace(zone="eu") for host, entry in before.entries.items()}
    before = before._replace(entries=entries, weighted=True)
    (message,) = pipe_through({"id": 1, "view": pipe.view_to(before)})
    assert pipe.view_from(message["view"]) == before


def pipe_through(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Send messages in pieces of 7 bytes."""
    data = b"".join(pipe.dump(message) for message in messages)
    lines = pipe.Lines()
    found = []
    for start in range(0, len(data), 7):
        lines.feed(data[start : start + 7])
        found += list(lines)
    return found


def test_lines_are_cut_where_they_end() -> None:
    messages = [{"id": number, "text": "a\nb" * number} for number in range(5)]
    assert pipe_through(*messages) == messages


@pytest.mark.parametrize(
    "line",
    [
        *(b"{", b"\xff", b"[]", b"7", b"null", b'{"id":1}x', b"[" * 100_000, b'{"id":"1"}', b"{}"),
        *(b'{"id":true}', b'{"id":1.0}', b'{"id":' + b"9" * 5000 + b"}"),
    ],
)
def test_a_line_that_is_no_message_is_said(line: bytes) -> None:
    """Each raised something else out of a lookup, and left the lines behind it unread."""
    lines = pipe.Lines()
    lines.feed(line + b"\n")
    with pytest.raises(pipe.PipeError):
        list(lines)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "Popen", "of": ["true"]},
        *(
            {"type": "Status", "of": [99]},
            {"type": "Evidence", "of": [1]},
            {"type": ["x"]},
            {"x": 1},
        ),
        *({"map": [[1]]}, {"map": 5}, {"map": [[{"map": []}, 1]]}),
    ],
)
def test_an_answer_that_cannot_be_read_is_said(value: Any) -> None:
    with pytest.raises(pipe.PipeError):
        restored(value)


@pytest.mark.parametrize(
    "values", [None, [], [1, 2, 3, 4, 5], ["t", [], [], [["h", 99, [], {}, 1, 1]], 0]]
)
def test_a_view_that_cannot_be_read_is_said(values: Any) -> None:
    with pytest.raises(pipe.PipeError):
        pipe.view_from(values)


def test_a_child_of_another_version_is_given_up(tmp_path: Path) -> None:
    """Its answers raised KeyError and the like out of every call, and it lived on beside them."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf 'hello\\n' >&0\nexec sleep 60 >&-\n")
    python.chmod(0o755)
    with pytest.raises(StartError, match="not a JSON object with an id: 'hello'"):
        ChildAgent(config("x"), python=str(python)).start()


def test_only_the_calls_that_there_are_can_be_asked_for(child: ChildAgent) -> None:
    """Anything with that name was: an attribute of the child's own, whatever came of it."""
    for name in ("_agent", "__init__", "__class__", "__reduce__", "_watches", "config"):
        with pytest.raises(RuntimeError, match=re.escape(f"{name!r} is not a call")):
            child._ask(name)
    assert child.now() > 0


def test_the_parent_side_imports_no_trio() -> None:
    script = "import sys, gossipmm.embed.child; print(sorted({'trio', 'cbor2'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"
