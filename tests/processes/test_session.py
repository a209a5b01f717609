"""What people do with a few agents: start, ask, kill, stop, restart, end."""

import signal
import subprocess
import time

from tests.processes.program import DEADLINE, GOSSIPMM, environment, until


def test_three_agents_in_three_terminals(start):
    a = start("a", "--register", "compute")
    b = start("b", "--join", a.address, "--register", "scheduler=host-x", as_json=False)
    until(lambda: any("topic compute: a is live" in line for line in b.errors), "b joined")
    c = start("c", "--join", a.address, "--register", "compute")
    until(lambda: any("topic compute: c is live" in line for line in b.errors), "c known to b")
    assert sorted([*c.hosts("compute"), *c.hosts("compute")]) == ["a", "c"]
    assert c.hosts("scheduler.host-x") == ["host-x"]
    assert c.ask("queues nothing") == {"queues": [], "status": "unknown_topic"}

    for line in ("fanout~compute", "register volume", "register a.b", "members", "help"):
        b.say(line)
    until(lambda: any("help" in line for line in b.lines), "the answers of b")
    assert b.lines[:3] == [
        "fanout~compute -> a, c",
        "registered volume for b",
        "error: topic 'a.b' contains a dot, which separates topic from host in a direct key",
    ]
    until(lambda: a.hosts("volume") == ["b"], "volume known to a")

    b.signal(signal.SIGTERM)
    assert b.wait() == 0
    assert b.errors[-2].endswith("SIGTERM: leaving")
    assert b.errors[-1].endswith("left: 2 of 2 live members confirmed (100 %)")
    until(lambda: a.told("member_left", name="b") and c.told("member_left", name="b"), "b left")
    assert a.hosts("volume") == []

    c.signal(signal.SIGINT)
    assert c.wait() == 0
    assert c.events[-1]["event"] == "leave_finished"
    assert (c.events[-1]["confirmed"], c.events[-1]["told"]) == (1, 1)


def test_an_agent_that_is_killed_is_out_of_all_answers(three):
    a, b, c = three
    began = time.monotonic()
    b.signal(signal.SIGKILL)
    for survivor in (a, c):
        until(
            lambda program=survivor: program.told("member_died", name="b"),
            f"the death seen by {survivor.name}",
        )
        assert survivor.hosts("fanout~compute") == ["a", "c"]
        assert survivor.hosts("compute.b") == []
    assert time.monotonic() - began < 20
    assert a.statuses() == {"a": "alive", "b": "dead", "c": "alive"}
    assert [line["kind"] for line in a.ask("why b")][-1] == "declared_dead"


def test_an_agent_that_was_stopped_accuses_nobody_and_comes_back(three):
    a, b, c = three
    b.signal(signal.SIGSTOP)
    for survivor in (a, c):
        until(
            lambda program=survivor: program.told("member_died", name="b"),
            f"the silence seen by {survivor.name}",
        )
    b.signal(signal.SIGCONT)
    for program in (a, b, c):
        until(
            lambda program=program: program.hosts("fanout~compute") == ["a", "b", "c"],
            f"all back in the answers of {program.name}",
        )
    assert a.told("member_died", name="c") == []
    assert c.told("member_died", name="a") == []
    assert b.told("member_died") == []
    assert [view for view in a.statuses().values() if view != "alive"] == []


def test_a_short_stop_kills_nobody(three):
    a, b, c = three
    b.signal(signal.SIGSTOP)
    time.sleep(0.3)  # less than an interval and the shortest suspicion together
    b.signal(signal.SIGCONT)
    until(lambda: b.hosts("fanout~compute") == ["a", "b", "c"], "b back at work")
    time.sleep(1.0)
    for program in (a, b, c):
        assert program.told("member_died") == []


def test_a_restart_at_another_port_takes_the_place_of_the_old_one(three, start):
    a, b, c = three
    old = b.address
    b.signal(signal.SIGKILL)
    again = start("b", "--register", "volume", "--join", a.address)
    assert again.address != old
    for other in (a, c):
        until(
            lambda program=other: program.hosts("volume.b") == ["b"],
            f"the new registration known to {other.name}",
        )
        assert other.hosts("fanout~compute") == ["a", "c"]  # the old life's is gone
    rows = {row["name"]: row for row in a.ask("members")}
    assert rows["b"]["status"] == "alive"
    assert rows["b"]["addresses"] == again.address


def test_the_seed_may_die_and_come_back_at_its_address(three, start):
    a, b, c = three
    address = a.address
    a.signal(signal.SIGKILL)
    a.wait()
    for other in (b, c):
        until(lambda program=other: program.told("member_died", name="a"), "the death seen")
    again = start("a", "--register", "compute", bind=address)
    for program in (again, b, c):
        until(
            lambda program=program: program.hosts("fanout~compute") == ["a", "b", "c"],
            f"all known to {program.name}",
        )


def test_the_end_of_standard_input_is_a_leave(three):
    a, b, _ = three
    b.process.stdin.close()
    assert b.wait() == 0
    until(lambda: a.told("member_left", name="b"), "the leave seen")
    b.process.stdin = None


def test_an_agent_whose_output_nobody_reads_lives_on(start):
    """A full pipe, like a terminal stopped with Ctrl-S, once blocked whoever wrote to it."""
    a = start("a")
    command = [*GOSSIPMM, "agent", "--name", "deaf", "--bind", "127.0.0.1:0", "-o", "json"]
    command += ["--preset", "local", "--join", a.address]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment(), **pipes) as deaf:
        try:
            until(lambda: a.statuses().get("deaf") == "alive", "deaf joined")
            topics = [f"{number:04}-{'x' * 100}" for number in range(1000)]
            for topic in topics:  # three pipes full
                a.say(f"register {topic}")
            until(lambda: len(a.ask("topics")) == len(topics), "all registered")
            time.sleep(2.0)  # long enough to be suspected and buried
            assert a.statuses()["deaf"] == "alive"
            assert a.told("member_died") == []
            deaf.terminate()
            assert deaf.wait(DEADLINE) == 0
            until(lambda: a.told("member_left", name="deaf"), "the leave seen")
        finally:
            deaf.kill()
