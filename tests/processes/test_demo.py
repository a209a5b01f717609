"""``gossipmm demo``, as a newcomer runs it."""

import json
import os
import signal
import subprocess

from tests.processes.program import GOSSIPMM, ended, environment, run, until


def test_the_demo_runs_green():
    result = run("demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    *steps, summary = result.stdout.splitlines()
    assert "demo ok: 5 agents joined in " in summary
    assert any("kill -9 of host-b" in line for line in steps)
    assert any(line.split() == ["compute.host-b", "->", "nobody"] for line in steps)


def test_the_demo_as_json_says_the_same():
    result = run("demo", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    steps = [json.loads(line) for line in result.stdout.splitlines()]
    assert [step["step"] for step in steps if step["step"] != "started"] == [
        "starting",
        "joined",
        "answers",
        "registered",
        "kill",
        "detected",
        "answers",
        "restart",
        "returned",
        "answers",
        "leaving",
        "left",
        "summary",
    ]
    asked = [step["answers"] for step in steps if step["step"] == "answers"]
    fanout = [found["hosts"] for answers in asked for found in answers if "fanout" in found["key"]]
    assert fanout == [
        ["host-a", "host-b", "host-c"],
        ["host-a", "host-c"],
        ["host-a", "host-b", "host-c"],
    ]
    summary = steps[-1]
    assert summary["ok"] is True
    assert 0 < summary["kill_seen_by_all"] < 20
    assert 0 < summary["registration_known_to_all"] < 5


def _five_children(demo):
    processes = []
    for line in demo.stdout:
        step = json.loads(line)
        if step["step"] == "started":
            processes.append(step["process"])
        if len(processes) == 5:
            return processes
    raise AssertionError(f"only {len(processes)} agents came")


def _demo():
    return subprocess.Popen(
        [*GOSSIPMM, "demo", "--json"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupted_demo_leaves_no_process_behind():
    with _demo() as demo:
        processes = _five_children(demo)
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert "interrupted; all agents were ended" in errors
    assert all(ended(process) for process in processes)


def test_a_killed_demo_leaves_no_process_behind():
    with _demo() as demo:
        processes = _five_children(demo)
        demo.kill()
    until(lambda: all(ended(process) for process in processes), "all agents ended")


def test_a_demo_whose_agents_cannot_start_says_why_and_fails(tmp_path):
    broken = tmp_path / "cbor2.py"
    broken.write_text("raise ImportError('no cbor2 today')\n")
    path = os.pathsep.join([str(tmp_path), os.getcwd()])
    result = run("demo", PYTHONPATH=path)
    assert result.returncode == 1
    assert "demo FAILED: host-a ended by itself, exit status 1" in result.stdout
    assert "no cbor2 today" in result.stdout
