"""What operators do from one terminal to agents that run: read a log, ask all, drain another."""

import json
import signal
import subprocess

import pytest

from tests.processes.program import DEADLINE, GOSSIPMM, environment, run, until


@pytest.fixture
def sockets(start, tmp_path):
    """Agents a and b with sockets; returns (programs, paths)."""
    a = start("a", "--register", "compute", "--control", str(tmp_path / "a.sock"), as_json=False)
    until(lambda: (tmp_path / "a.sock").exists(), "a serves")
    lines = until(lambda: [line for line in a.errors if " runs at " in line], "a says where it is")
    address = lines[0].split(" runs at ")[1].partition(",")[0]
    b = start("b", "--join", address, "--control", str(tmp_path / "b.sock"))
    until(lambda: b.told("joined"), "b joined")
    return {"a": a, "b": b}, {name: str(tmp_path / f"{name}.sock") for name in "ab"}


def test_the_log_is_read_in_detail_and_stays_as_it_is(sockets):
    programs, paths = sockets
    command = [*GOSSIPMM, "monitor", "--control", paths["a"], "--level", "debug", "-o", "json"]
    reading = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert "monitoring a at debug; its log is at info" in reading.stdout.readline()
        run("register", "web", "--control", paths["b"])
        seen = []
        until(
            lambda: (
                seen.append(json.loads(reading.stdout.readline()))
                or (seen[-1].get("topic") == "web")
            ),
            "an event that the log has, too",
        )
        run("status", "--control", paths["a"])
        until(
            lambda: (
                seen.append(json.loads(reading.stdout.readline())) or (seen[-1]["level"] == "debug")
            ),
            "a line that the log does not have",
        )
        reading.send_signal(signal.SIGINT)
        assert reading.wait(DEADLINE) == 0
    finally:
        reading.kill()
        reading.wait()
        reading.stdout.close()
    assert any("topic web: b is live" in line for line in programs["a"].errors)
    assert not any("the control API was asked" in line for line in programs["a"].errors)


def test_the_end_of_the_agent_ends_the_reader_with_status_3(sockets):
    programs, paths = sockets
    command = [*GOSSIPMM, "monitor", "--control", paths["b"]]
    reading = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        reading.stdout.readline()
        programs["b"].signal(signal.SIGTERM)
        rest = reading.stdout.read()
        assert reading.wait(DEADLINE) == 3
    finally:
        reading.kill()
        reading.wait()
        reading.stdout.close()
    assert "agent b ends" in rest
