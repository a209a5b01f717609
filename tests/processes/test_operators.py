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


def test_one_command_says_how_every_host_is(sockets, start):
    programs, paths = sockets
    address = programs["b"].address
    shy = start("shy", "--join", address, "--set", "answer_health=false")
    until(lambda: shy.told("joined"), "shy joined")

    def members():
        found = run("status", "--all", "-o", "json", "--control", paths["a"])
        return found.returncode, {one["name"]: one for one in json.loads(found.stdout)["members"]}

    status, found = until(lambda: (got := members())[1].keys() == {"a", "b", "shy"} and got, "all")
    assert status == 0
    assert found["b"]["verdict"] == "ok"
    assert found["b"]["version"] == found["a"]["version"] != ""
    assert (found["shy"]["verdict"], found["shy"]["outcome"]) == ("", "not_allowed")
    programs["b"].signal(signal.SIGSTOP)
    try:
        status, found = members()
        assert status == 1
        assert found["b"]["outcome"] in ("no_answer", "not_live")
    finally:
        programs["b"].signal(signal.SIGCONT)


def test_a_host_is_drained_from_another_one_where_it_allows_that(start, tmp_path):
    a = start("a", "--control", str(tmp_path / "a.sock"))
    b = start("b", "--join", a.address, "--register", "compute", "--set", "accept_drain=true")
    c = start("c", "--join", a.address)
    for program in (b, c):
        until(lambda program=program: program.told("joined"), "joined")
    control = ("--control", str(tmp_path / "a.sock"))
    until(lambda: a.hosts("compute") == ["b"], "compute known")
    done = run("drain", "--member", "b", *control)
    assert (done.returncode, done.stdout) == (0, "b is draining\n"), done.stderr
    until(lambda: a.hosts("compute") == [], "b out of picks")
    (told,) = b.told("drain_asked")
    assert (told["name"], told["changed"], told["refused"]) == ("a", 1, "")
    assert "a asked this node to take the whole node out of new picks: done" in [
        line["text"] for line in b.ask("why b")
    ]
    back = run("undrain", "--member", "b", "-o", "json", *control)
    assert json.loads(back.stdout)["outcome"] == "done"
    until(lambda: a.hosts("compute") == ["b"], "b back in picks")
    refused = run("drain", "--member", "c", *control)
    assert refused.returncode == 1
    assert "c was not drained: its configuration does not allow it" in refused.stderr
    unknown = run("drain", "--member", "b", "nothing", *control)
    assert "it has no such registration" in unknown.stderr
    nobody = run("undrain", "--member", "zz", *control)
    assert "no other member has that name" in nobody.stderr
