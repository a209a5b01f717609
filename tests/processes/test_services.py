"""Services and handlers of real agents: real programs, servers, signals and files."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trio

from gossipmm.config import Config
from gossipmm.config_services import Check
from gossipmm.services import programs
from gossipmm.services.commands import Commands
from tests.processes.program import ended, run, until


class Worker:
    """A program that is checked: it answers with ``status``."""

    def __init__(self) -> None:
        self.status = 200
        worker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(worker.status)
                self.end_headers()
                self.wfile.write(b"the disk is full" if worker.status != 200 else b"fine")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def worker():
    found = Worker()
    yield found
    found.close()


def program(folder: Path, name: str, text: str) -> Path:
    """Write a program that can be run."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_service_that_fails_leaves_lookups_elsewhere_and_comes_back(start, worker, tmp_path):
    """A program that was dead stayed listed, and a proxy's configuration was made by hand."""
    told = tmp_path / "told"
    handler = program(tmp_path, "reload-proxy", f"cat >>{told}; echo $GOSSIPMM_NODE >>{told}.env")
    file = tmp_path / "a.toml"
    control = str(tmp_path / "a.sock")
    file.write_text(
        f"""
[[service]]
topic = "web"
port = {worker.port}
[[service.check]]
http = "http://127.0.0.1:{worker.port}/health"
interval = 0.5
timeout = 0.45
"""
    )
    other = tmp_path / "b.toml"
    other.write_text(
        f"""
[[on]]
event = ["host_changed"]
topic = ["web"]
state = ["live", "unhealthy"]
run = ["{handler}"]
quiet = 0.1
within = 1
"""
    )
    a = start("a", "--config", str(file), "--control", control)
    b = start("b", "--join", a.address, "--register", "web", "--config", str(other))
    until(lambda: b.hosts("fanout~web") == ["a", "b"], "both known to b")

    worker.status = 503
    until(lambda: b.hosts("fanout~web") == ["b"], "a out of the lookups of b")
    assert b.hosts("web.a") == ["a"]  # by its direct key
    assert b.told("host_changed", topic="web", host="a", state="unhealthy")
    assert a.told("service_changed", topic="web", state="unhealthy")

    def said() -> str:
        shown = run("services", "web", "--control", control)
        assert shown.returncode == 1
        assert "web of a is unhealthy for " in shown.stdout
        return shown.stdout

    until(lambda: ": HTTP 503\n    | the disk is full" in said(), "the reason shown", show=said)

    worker.status = 200
    until(lambda: b.hosts("fanout~web") == ["a", "b"], "a back in the lookups of b")

    def events() -> list[tuple[str, str]]:
        lines = told.read_text().splitlines() if told.exists() else []
        return [(one["host"], one["state"]) for line in lines for one in json.loads(line)["events"]]

    until(
        lambda: events()[-1:] == [("a", "live")], "the handler was told", show=lambda: str(events())
    )
    assert ("a", "unhealthy") in events()
    assert set(Path(f"{told}.env").read_text().split()) == {"b"}


# -- programs --------------------------------------------------------------------------------------


def command(*argv: object, within: float = 20.0) -> programs.Ended:
    async def main() -> programs.Ended:
        return await programs.run([str(one) for one in argv], within=within)

    return trio.run(main)


def test_what_a_program_printed_and_how_it_ended_is_told(tmp_path):
    script = program(tmp_path, "p", "echo out; echo err >&2; exit 3")
    found = command(script)
    assert (found.status, found.output, found.reason) == (3, b"out\nerr\n", "exit status 3")
    assert command("/bin/true").reason == ""
    assert command(program(tmp_path, "k", "kill -SEGV $$")).reason == "was ended by SIGSEGV"
    found = command(tmp_path / "missing")
    assert found.reason == f"cannot be run: {tmp_path}/missing: No such file or directory"
    plain = tmp_path / "plain"
    plain.write_text("x")
    plain.chmod(0o644)
    assert "Permission denied" in command(plain).reason


def test_a_program_that_hangs_is_killed_with_all_that_it_started(tmp_path):
    """The command of a check that hung would have been there once for each interval."""
    pids = tmp_path / "pids"
    script = program(
        tmp_path,
        "p",
        f"trap '' TERM; sleep 1000 & echo $! $$ >{pids}; sh -c 'trap \"\" TERM; sleep 1000'",
    )
    found = command(script, within=0.5)
    assert (found.late, found.reason) == (True, "was killed: it took too long")
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: ended(pid), f"{pid} ended")


def test_what_a_program_left_behind_is_killed_and_not_waited_for(tmp_path):
    """It holds the pipe: who reads to its end waits for as long as that lives."""
    pid = tmp_path / "pid"
    found = command(program(tmp_path, "p", f"sleep 1000 & echo $! >{pid}; echo done"))
    assert (found.status, found.output) == (0, b"done\n")
    until(lambda: ended(int(pid.read_text())), "what it left behind ended")


def test_a_program_that_prints_without_end_is_killed(tmp_path):
    found = command("/usr/bin/yes")
    assert (found.endless, found.late) == (True, False)
    assert found.reason == "was killed: it printed more than 1 MiB"
    assert len(found.output) == 4096


def test_a_program_gets_no_key_and_no_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("GOSSIPMM_KEYRING", "/etc/gossipmm/keyring.json")
    monkeypatch.setenv("GOSSIPMM_NAME", "a")
    found = command(program(tmp_path, "p", "env; pwd; cat"))
    assert b"GOSSIPMM_KEYRING" not in found.output
    assert b"GOSSIPMM_NAME=a\n" in found.output
    assert found.output.endswith(b"\n/\n")


def test_a_program_that_others_may_write_is_not_run(tmp_path):
    script = program(tmp_path, "p", "exit 0")
    script.chmod(0o777)
    assert command(script).reason.endswith("others than its owner may write to it: chmod go-w")
    if os.geteuid() == 0:
        script.chmod(0o755)
        os.chown(script, 12345, -1)
        assert "belongs to user 12345" in command(script).reason


def test_commands_run_eight_at_a_time_and_pass_with_0_and_1(tmp_path):
    running, peak = tmp_path / "running", tmp_path / "peak"
    running.mkdir()
    peak.mkdir()
    slow = program(
        tmp_path,
        "slow",
        f"touch {running}/$$; ls {running} | wc -l >{peak}/$$; sleep 0.3; rm {running}/$$",
    )
    warns = program(tmp_path, "warns", "echo nearly full; exit 1")
    fails = program(tmp_path, "fails", "echo full; exit 2")

    def check(path: Path) -> Check:
        service = {"topic": "t", "check": [{"command": [str(path)], "timeout": 60, "interval": 90}]}
        return Config(service=[service]).service[0].check[0]

    async def main() -> None:
        commands = Commands()
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(commands.check, check(slow))
        found = await commands.check(check(warns))
        assert found is not None
        assert (found.passes, found.reason, found.output) == (True, "exit status 1", "nearly full")
        found = await commands.check(check(fails))
        assert found is not None
        assert (found.passes, found.reason, found.output) == (False, "exit status 2", "full")

    trio.run(main)
    counts = [int(path.read_text()) for path in peak.iterdir()]
    assert len(counts) == 20
    assert max(counts) <= 8
