"""The sidecar of real agents: sockets, signals, commands, and clients that misbehave."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from gossipmm.client import Client
from gossipmm.core.values.types import Status
from gossipmm.errors import AgentUnreachableError
from tests.processes.program import GOSSIPMM, environment, run, until


@pytest.fixture
def cluster(start, tmp_path):
    """Agents a, b and c with a control socket each; gives (programs, clients)."""
    paths = {name: str(tmp_path / f"{name}.sock") for name in "abc"}
    a = start("a", "--register", "compute", "--control", paths["a"])
    others = [
        start(name, "--register", "compute", "--control", paths[name], "--join", a.address)
        for name in "bc"
    ]
    programs = [a, *others]
    clients = [Client(path) for path in paths.values()]
    for program, client in zip(programs, clients, strict=True):
        assert program.address
        until(
            lambda client=client: len(client.queues("fanout~compute")) == 3,
            f"all known to {program.name}",
        )
    yield programs, clients
    for client in clients:
        client.close()


def answers(client):
    try:
        return bool(client.status())
    except AgentUnreachableError:
        return False


def gossipmm(path, *arguments):
    return run(*arguments, GOSSIPMM_CONTROL=path)


def test_a_day_with_three_agents(cluster, tmp_path):
    (_, b, c), (at_a, at_b, at_c) = cluster
    path = at_a.place.path
    assert gossipmm(path, "queues", "fanout~compute").stdout.split() == [
        word for name in "abc" for word in (f"fanout~compute.{name}", name)
    ]
    assert gossipmm(path, "register", "web", "--ttl", "2").returncode == 0
    until(lambda: at_c.queues("web") == [("web.a", "a")], "web known to c")
    until(lambda: at_c.queues("web") == [], "web expired")
    assert at_c.queues("compute.a") == [("compute.a", "a")]  # and only web

    assert gossipmm(path, "drain").returncode == 0
    until(lambda: at_b.lookup("compute").others, "a drains")
    assert gossipmm(path, "drain", "--undo").returncode == 0
    until(lambda: at_a.agreement().agree == 2, "agreement")
    assert gossipmm(path, "diff", at_b.place.path).returncode == 0

    b.signal(signal.SIGKILL)
    until(lambda: at_a.member("b").status is Status.DEAD, "the death seen")
    why = gossipmm(path, "why", "b")
    assert why.stdout.startswith("b has been dead for ")
    assert "it did not answer" in why.stdout
    assert gossipmm(path, "queues", "compute.b").returncode == 1
    assert gossipmm(path, "forget", "b").returncode == 0
    assert gossipmm(path, "why", "b").returncode == 1

    left = gossipmm(path, "leave", "--wait", "99%")
    assert (left.returncode, left.stdout) == (
        0,
        "left: 1 of 1 live members confirmed (100 %)\n",
    )
    assert cluster[0][0].wait() == 0
    assert not os.path.exists(path)
    assert gossipmm(path, "members").returncode == 3
    until(lambda: at_c.member("a").status is Status.LEFT, "the leave seen")
    assert c.process.poll() is None


def test_every_agent_has_a_socket_by_its_name(start, tmp_path):
    here = {"GOSSIPMM_CONTROL": "", "XDG_RUNTIME_DIR": str(tmp_path), "RUNTIME_DIRECTORY": ""}
    if os.geteuid() == 0:  # else the folder is that of XDG_RUNTIME_DIR
        here["RUNTIME_DIRECTORY"] = str(tmp_path / "gossipmm")
    agent = subprocess.Popen(
        [*GOSSIPMM, "agent", "--name", "rack/7", "--bind", "127.0.0.1:0", "--no-ask"],
        env=environment(**here),
        stderr=subprocess.PIPE,
        text=True,
    )
    path = tmp_path / "gossipmm" / "rack%2F7.sock"
    try:
        with Client(str(path)) as client:
            until(lambda: answers(client), "the agent up")
            assert client.status().name == "rack/7"
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(20) == 0
        assert f"control API at {path}" in agent.stderr.read()
        assert not path.exists()
    finally:
        agent.kill()
        agent.wait()
        agent.stderr.close()


def test_sockets_that_cannot_be(start, tmp_path):
    path = tmp_path / "a.sock"
    a = start("a", "--control", str(path))
    assert a.told("started") or a.address
    taken = run("agent", "--name", "b", "--bind", "127.0.0.1:0", "--control", str(path))
    assert taken.returncode == 2
    assert taken.stderr == (
        f"gossipmm: control: another agent is served at {path}: choose another path\n"
    )
    with Client(str(path)) as client:
        assert client.status().name == "a"
    file = tmp_path / "file"
    file.write_text("precious")
    refused = run("agent", "--name", "b", "--bind", "127.0.0.1:0", "--control", str(file))
    assert refused.stderr == (
        f"gossipmm: control: {file} exists and is not a socket: it was left alone\n"
    )
    assert file.read_text() == "precious"
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        refused = run("agent", "--bind", "127.0.0.1:0", "--control-port", str(port))
        assert refused.returncode == 2
        assert f"control_port: cannot listen at 127.0.0.1:{port}: the port is in use" in (
            refused.stderr
        )


def test_the_socket_of_a_killed_agent_is_used_again(start, tmp_path):
    path = str(tmp_path / "a.sock")
    first = start("a", "--control", path)
    assert first.address
    first.signal(signal.SIGKILL)
    first.wait()
    assert os.path.exists(path)
    assert run("members", GOSSIPMM_CONTROL=path).returncode == 3
    assert start("a", "--control", path).address
    assert run("members", GOSSIPMM_CONTROL=path).returncode == 0


def test_sigterm_leaves_within_two_seconds_whoever_is_connected(cluster):
    (a, b, _), (at_a, at_b, _) = cluster
    stuck = []
    for number in range(20):
        client = socket.socket(socket.AF_UNIX)
        client.connect(at_a.place.path)
        if number % 2:
            client.sendall(b"GET /v1/members HTTP/1.1\r\nho")  # half a request
        else:
            client.sendall(b"GET /v1/watch HTTP/1.1\r\nhost: x\r\n\r\n")
        stuck.append(client)
    for number in range(400):  # fill what the watchers do not read
        at_a.register(f"topic-{number % 10}", "a", {"number": number})
    began = time.monotonic()
    a.signal(signal.SIGTERM)
    assert a.wait() == 0
    assert time.monotonic() - began < 2.5
    until(lambda: at_b.member("a").status is Status.LEFT, "the leave seen")
    assert b.process.poll() is None
    for client in stuck:
        client.close()


def test_a_thousand_connections_and_the_gossip_side_does_not_notice(cluster):
    (a, b, c), (at_a, at_b, at_c) = cluster
    clients = []
    try:
        for _ in range(1000):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(30)
            client.connect(at_a.place.path)
            clients.append(client)
        for _ in range(3):
            for client in clients:
                client.sendall(b"GET /v1/members HTTP/1.1\r\nhost: x\r\n\r\n")
            for client in clients:
                answer = b""
                while not answer.endswith(b"]}"):
                    part = client.recv(65536)
                    assert part, answer
                    answer += part
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    finally:
        for client in clients:
            client.close()
    for program in (a, b, c):
        # Its own lateness is not asserted: how long a turn takes is the machine's affair.
        assert program.told("member_died") == []
    until(lambda: at_a.agreement().agree == 2, "agreement")
    assert at_b.status().members == at_c.status().members == {Status.ALIVE: 3}


def test_watch_prints_events_as_they_happen(cluster):
    _, (at_a, at_b, _) = cluster
    watching = subprocess.Popen(
        [*GOSSIPMM, "watch", "--topic", "web", "-o", "json", "--count", "2"],
        env=environment(GOSSIPMM_CONTROL=at_a.place.path),
        stdout=subprocess.PIPE,
        text=True,
    )
    with watching:
        assert json.loads(watching.stdout.readline())["event"] == "hello"
        at_b.register("other", "x")
        at_b.register("web", "x")
        assert json.loads(watching.stdout.readline())["host"] == "x"
        at_b.unregister("web", "x")
        assert json.loads(watching.stdout.readline())["state"] is None
        assert watching.wait(20) == 0


def test_watch_ends_with_its_agent(cluster):
    (a, _, _), (at_a, at_b, _) = cluster
    watching = subprocess.Popen(
        [*GOSSIPMM, "watch", "--kind", "host_changed"],
        env=environment(GOSSIPMM_CONTROL=at_a.place.path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with watching:
        assert watching.stderr.readline() == "watching a\n"
        at_b.register("web", "x")
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}  topic web: x is live\n",
            watching.stdout.readline(),
        )
        a.signal(signal.SIGTERM)
        assert watching.wait(20) == 3
        assert watching.stderr.read().endswith("agent a ends\ngossipmm: the agent ended\n")


def test_a_registration_lives_as_long_as_the_command_that_keeps_it(cluster):
    _, (at_a, _, at_c) = cluster
    for number in (signal.SIGTERM, signal.SIGKILL):
        keeper = subprocess.Popen(
            [*GOSSIPMM, "register", "web", "host-1", "--ttl", "1", "--keep"],
            env=environment(GOSSIPMM_CONTROL=at_a.place.path),
            stderr=subprocess.PIPE,
            text=True,
        )
        with keeper:
            until(lambda: at_c.queues("web"), "web known to c")
            time.sleep(1.5)  # longer than its ttl
            assert at_c.queues("web") == [("web.host-1", "host-1")]
            keeper.send_signal(number)
            keeper.wait(20)
        until(lambda: at_c.queues("web") == [], "web gone")


def test_what_is_cut_off_while_printing_is_no_error(cluster):
    _, (at_a, _, _) = cluster
    shell = subprocess.run(
        ["sh", "-c", f"{' '.join(GOSSIPMM)} members | true"],
        env=environment(GOSSIPMM_CONTROL=at_a.place.path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shell.stderr == ""


def test_sighup_reads_the_configuration_again(start, tmp_path):
    file = tmp_path / "gossipmm.toml"
    file.write_text('register = ["compute"]\nfanout = 4\n')
    path = str(tmp_path / "a.sock")
    a = start("a", "--config", str(file), "--control", path, as_json=False)
    with Client(path) as client:
        until(lambda: answers(client), "a up")
        file.write_text('register = ["compute", "web=x"]\nfanout = 5\n')
        a.signal(signal.SIGHUP)
        until(lambda: client.queues("web") == [("web.x", "x")], "the new registration")
        file.write_text("fanout = many\n")
        a.signal(signal.SIGHUP)
        until(lambda: any("nothing was changed" in line for line in a.errors), "the complaint")
        assert client.queues("web") == [("web.x", "x")]
    assert any("fanout: changed in the configuration, needs a restart" in x for x in a.errors)
    a.signal(signal.SIGTERM)
    assert a.wait() == 0


def test_systemd_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        agent = subprocess.Popen(
            [*GOSSIPMM, "agent", "--name", "a", "--bind", "127.0.0.1:0", "--no-ask"],
            env=environment(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="600000"),
            stderr=subprocess.DEVNULL,
        )
        try:
            assert manager.recv(4096) == b"READY=1"
            assert manager.recv(4096).startswith(b"WATCHDOG=1\nSTATUS=joined; 0 live peers")
            assert manager.recv(4096) == b"WATCHDOG=1"
            agent.send_signal(signal.SIGHUP)
            told = [manager.recv(4096) for _ in range(4)]
            reloading = next(n for n, each in enumerate(told) if each.startswith(b"RELOADING=1\n"))
            assert b"READY=1" in told[reloading:]
            agent.send_signal(signal.SIGTERM)
            while manager.recv(4096) != b"STOPPING=1":
                pass
            assert agent.wait(20) == 0
        finally:
            agent.kill()
            agent.wait()


def test_a_whole_rack_finds_its_cluster_again_without_seeds(start, tmp_path):
    def options(name):
        return ["--control", str(tmp_path / f"{name}.sock"), "--state-file", str(tmp_path / name)]

    a = start("a", *options("a"), "--register", "compute")
    addresses = {"a": a.address}
    programs = [a]
    for name in "bc":
        programs.append(start(name, *options(name), "--register", "compute", "--join", a.address))
        addresses[name] = programs[-1].address
    for name in "abc":
        with Client(str(tmp_path / f"{name}.sock")) as client:
            until(lambda client=client: len(client.queues("fanout~compute")) == 3, "all known")
    for program in programs:
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
    # The last that left knew nobody any more, and kept the peers that it had.
    for name in "abc":
        start(name, *options(name), "--register", "again", bind=addresses[name])
    for name in "abc":
        with Client(str(tmp_path / f"{name}.sock")) as client:
            until(
                lambda client=client: answers(client) and len(client.queues("fanout~again")) == 3,
                f"all found by {name}",
            )


def test_health_for_other_machines_is_all_that_they_see(start, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    a = start("a", "--set", f"health_bind=127.0.0.1:{port}", "--control", str(tmp_path / "a.sock"))
    assert a.address
    for path, status in (("/readyz", 200), ("/metrics", 200), ("/v1/members", 404)):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nhost: 10.1.2.3\r\n\r\n".encode())
            assert client.recv(65536).startswith(f"HTTP/1.1 {status} ".encode())


def test_what_is_wrong_with_a_join_is_said(start, tmp_path):
    a = start("a", "--cluster", "other", "--control", "none")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        free = f"127.0.0.1:{probe.getsockname()[1]}"
    path = str(tmp_path / "b.sock")
    b = start("b", "--join", a.address, "--control", path)
    another = "belongs to another cluster than this node's, 'gossipmm'"
    with Client(path) as client:
        until(lambda: answers(client) and client.status().trouble, "the trouble")
        assert client.status().trouble == {a.address: another}
        assert any(f"seed {a.address} {another}" in line for line in b.errors)
        nobody = gossipmm(path, "join", free)
        assert nobody.returncode == 1
        assert nobody.stderr == (
            f"gossipmm: {free} nothing listens there: the address is wrong, or its agent is not "
            "running\n"
        )
    with Client(path) as client:
        fine = start("c", "--control", "none")
        assert gossipmm(path, "join", fine.address).returncode == 0
        until(lambda: client.status().members == {Status.ALIVE: 2}, "c joined")
