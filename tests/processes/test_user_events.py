"""User events between processes: sent from every face, told once, and refused with the number."""

import base64
import json
import socket
import subprocess
from collections import Counter

import pytest

from gossipmm.client import Client
from gossipmm.errors import UserEventError, UserEventRateError
from tests.processes.program import GOSSIPMM, environment, run, until

HANDLER = """
[[on]]
user_event = ["deploy"]
quiet = 0.0
run = ["{program}"]
"""
#: Events after which a test gives up: the budget allows 123 of that size at once, 61 a second.
MOST = 5000


@pytest.fixture
def cluster(start, tmp_path):
    """Start a; b, which runs a program at events of one name; c, with a topic and a zone."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat >> {tmp_path}/handled\necho >> {tmp_path}/handled\n")
    program.chmod(0o755)
    (tmp_path / "b.toml").write_text(HANDLER.format(program=program))

    def one(name, *arguments):
        return start(name, "--control", str(tmp_path / f"{name}.sock"), *arguments)

    a = one("a")
    join = ("--join", a.address)
    b = one("b", *join, "--config", str(tmp_path / "b.toml"))
    c = one("c", *join, "--register", "web", "--metadata", "zone=eu")
    for program in (a, b, c):
        until(lambda program=program: len(program.statuses()) == 3, "all know all")
    return one, a, b, c


def heard(program):
    """Return (sender, name, payload) of the events that a program was told, in order."""
    return [
        (told["name"], told["event_name"], base64.b64decode(told["payload"]))
        for told in program.told("user_event")
    ]


def posted(path, body):
    """Return status and JSON of a POST to /v1/events at a control socket."""
    data = json.dumps(body).encode()
    head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += f"connection: close\r\ncontent-length: {len(data)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(path)
        sock.sendall(head.encode() + data)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    return int(answer.split()[1]), json.loads(answer.partition(b"\r\n\r\n")[2])


def test_events_are_told_once_to_those_they_are_meant_for_and_replayed_when_asked(
    cluster, tmp_path
):
    one, a, b, c = cluster
    control = {name: str(tmp_path / f"{name}.sock") for name in "abcde"}
    watch = subprocess.Popen(
        [*GOSSIPMM, "watch", "--kind", "user_event", "--count", "3", "-o", "json"],
        env=environment(GOSSIPMM_CONTROL=control["c"]),
        stdout=subprocess.PIPE,
        text=True,
    )
    status = ("status", "--control", control["c"], "-o", "json")
    until(lambda: json.loads(run(*status).stdout)["watchers"] == 1, "it watches")

    def send(name, *arguments):
        done = run("event", "send", *arguments, "--control", control[name])
        assert (done.returncode, done.stderr) == (0, "")

    send("a", "deploy", "v1")
    send("a", "reload", "--topic", "web")
    until(lambda: len(heard(c)) == 2, "c is told both")
    send("b", "drop-cache", "now", "--metadata", "zone=eu")
    assert posted(control["c"], {"name": "deploy", "payload_base64": "AP8="}) == (
        200,
        {"node": "c", "number": 1},
    )
    expected = [("a", "deploy", b"v1"), ("a", "reload", b""), ("b", "drop-cache", b"now")]
    mine = ("c", "deploy", b"\x00\xff")
    until(lambda: sorted(heard(c)) == sorted([*expected, mine]), "c is told all four")
    for other in (a, b):
        until(lambda other=other: heard(other) == [expected[0], mine], "what is meant for all")

    def handled():
        path = tmp_path / "handled"
        # A line that is not at its end yet is no object.
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [each for line in lines if line for each in json.loads(line)["events"]]

    until(lambda: len(handled()) == 2, "the program of b ran")
    assert [(each["name"], each["payload_text"]) for each in handled()] == [
        ("a", "v1"),
        ("c", None),
    ]
    output, _ = watch.communicate(timeout=30)
    watched = [each for each in map(json.loads, output.splitlines()) if each["event"] != "hello"]
    assert watch.returncode == 0
    assert [each["event_name"] for each in watched] == [name for _, name, _ in heard(c)[:3]]
    d = one("d", "--join", a.address, "--set", "replay_events=true")
    e = one("e", "--join", a.address)
    until(lambda: sorted(heard(d)) == sorted([expected[0], mine]), "what was sent is replayed")
    assert all(told["replayed"] and told["age"] > 0 for told in d.told("user_event"))
    send("e", "last")
    for program in (a, b, c, d, e):
        until(lambda program=program: ("e", "last", b"") in heard(program), "the last is told")
        told = Counter((each["name"], each["number"]) for each in program.told("user_event"))
        assert set(told.values()) == {1}
        assert not program.told("user_events_lost")
    assert heard(e) == [("e", "last", b"")]
    rows = [
        line.split(None, 2) for line in run("status", "--control", control["a"]).stdout.splitlines()
    ]
    assert [row[2] for row in rows if row[:2] == ["user", "events"]] == [
        "2 sent, 3 told here, 2 for other members"
    ]


def test_what_is_refused_says_why_with_the_number_and_nobody_is_told(cluster, tmp_path):
    _, a, b, c = cluster
    control = str(tmp_path / "a.sock")
    for arguments, words in (
        (("deploy", "x" * 513), "the payload has 513 bytes, more than the 512 allowed"),
        (("de\x07ploy",), "control character"),
        (("x" * 65,), "takes 65 bytes, more than the 64 allowed"),
        (("deploy", "--topic", "w\neb"), "control character"),
    ):
        done = run("event", "send", *arguments, "--control", control)
        assert done.returncode != 0
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    status, problem = posted(control, {"name": "de\tploy"})
    assert (status, problem["type"]) == (422, "urn:gossipmm:event-refused")
    with Client(control) as client:
        with pytest.raises(UserEventError, match="513 bytes, more than the 512 allowed"):
            client.send_event("deploy", bytes(513))
        sent = 0
        with pytest.raises(UserEventRateError, match="try again in") as refused:
            while sent < MOST:
                client.send_event("flood", bytes(512))
                sent += 1
        assert 0 < refused.value.retry_after < 1
        found = client.status().user_events
        assert (found.sent, found.over_budget, found.lost) == (sent, 1, 0)
    shown = run("status", "--control", control).stdout
    assert "1 of programs here refused: over the budget\n" in shown
    for program in (a, b, c):
        until(lambda program=program: len(heard(program)) == sent, "all that was sent is told")
        assert {name for _, name, _ in heard(program)} == {"flood"}
        numbers = [told["number"] for told in program.told("user_event")]
        assert numbers == list(range(1, sent + 1))
