"""A rotation of keys over five live agents, one of which is stopped; and one that missed it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from typing import Any

import pytest

from gossipmm import keyfile
from gossipmm.core.sealing.keyring import Keyring
from tests.processes.program import Program, run, until

NAMES = ("a", "b", "c", "d", "e")


class Cluster:
    """Five agents with a file of keys each, and their control sockets."""

    def __init__(self, folder: Any, start: Any) -> None:
        self.folder, self._start = folder, start
        self.programs: dict[str, Program] = {}
        keyfile.create(self.file("a"), Keyring((keyfile.generate(),)))
        for name in NAMES:
            if name != "a":
                shutil.copy(self.file("a"), self.file(name))
            self.start(name)
        for name in NAMES:
            until(lambda name=name: self.alive(name) == list(NAMES), f"all known to {name}")

    def file(self, name: str) -> str:
        return str(self.folder / f"{name}.json")

    def start(self, name: str) -> Program:
        arguments = ["--keyring", self.file(name), "--control", str(self.folder / name)]
        if "a" in self.programs:
            arguments += ["--join", self.programs["a"].address]
        bind = self.programs[name].address if name in self.programs else ""
        self.programs[name] = self._start(name, *arguments, bind=bind)
        return self.programs[name]

    def alive(self, name: str) -> list[str]:
        statuses = self.programs[name].statuses()
        return sorted(other for other, status in statuses.items() if status == "alive")

    def keys(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        return run("keys", *command, "--control", str(self.folder / name))

    def held(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.keys(name, "list", "-o", "json").stdout)
        return found

    def ring(self, name: str) -> Keyring:
        return keyfile.load(self.file(name))


@pytest.fixture
def cluster(tmp_path, start):
    return Cluster(tmp_path, start)


def test_a_rotation_with_one_stopped_that_misses_it_and_is_reported(cluster):
    old = cluster.ring("a").sending
    last = cluster.programs["e"]
    address = last.address
    last.signal(signal.SIGKILL)
    last.wait()
    for name in "abcd":
        program = cluster.programs[name]
        until(lambda program=program: program.told("member_died", name="e"), "the death of e seen")

    followed = cluster.keys("b", "rotate")
    assert followed.returncode == 1, followed
    assert "members send with it; waiting for e (down)" in followed.stdout
    assert "gossipmm keys rotate --without e" in followed.stdout
    new = cluster.ring("b").sending
    assert new.kid != old.kid
    assert cluster.ring("b").find(old.kid) == old

    # Half way the one that began it is killed, and comes back.
    cluster.programs["b"].signal(signal.SIGKILL)
    cluster.programs["b"].wait()
    cluster.start("b")
    until(lambda: cluster.alive("b") == ["a", "b", "c", "d"], "b back")

    ended = cluster.keys("c", "rotate", "--without", "e")
    assert ended.returncode == 0, ended
    assert "e missed it" in ended.stdout
    for name in "abcd":
        until(lambda name=name: cluster.ring(name).keys == (new,), f"the file of {name} written")
        assert cluster.ring(name).retired == (old,)
        assert cluster.held(name)["keys"] == [new.kid.hex()]

    again = cluster.start("e")
    told = until(
        lambda: [
            event
            for name in "abcd"
            for event in cluster.programs[name].told("foreign_traffic", reason="retired_key")
        ],
        "e reported",
    )
    assert {(event["source"], event["kid"]) for event in told} == {(address, old.kid.hex())}
    assert cluster.alive("e") == ["e"]
    listed = until(
        lambda: [
            words for name in "abcd" if address in (words := cluster.keys(name, "list").stderr)
        ],
        "the straggler listed",
    )
    assert f"e at {address} sends with key {old.kid.hex()}" in listed[0]

    shutil.copy(cluster.file("a"), cluster.file("e"))
    again.signal(signal.SIGHUP)
    until(lambda: cluster.alive("e") == list(NAMES), "e back")
    until(lambda: cluster.alive("a") == list(NAMES), "all back")
    secrets = [new.secret.hex(), json.loads(keyfile.dump(Keyring((new,))))[0]["key"]]
    for program in cluster.programs.values():
        said = "\n".join([*program.lines, *program.errors])
        assert not any(secret in said for secret in secrets)


def test_out_of_band_each_host_reads_its_own_file(cluster):
    old = cluster.ring("a").sending
    assert run("keygen", "--add", cluster.file("a")).returncode == 0
    new = cluster.ring("a").keys[1]
    for name in "bcd":
        shutil.copy(cluster.file("a"), cluster.file(name))
    followed = cluster.keys("a", "rotate", "--out-of-band", "--wait", "3")
    assert followed.returncode == 1, followed
    assert "waiting for e (it is not in its file)" in followed.stdout
    assert cluster.ring("e").keys == (old,)
    shutil.copy(cluster.file("a"), cluster.file("e"))
    # Not followed by "rotate": on a busy machine that began another one, as this one had ended.
    for name in NAMES:
        until(lambda name=name: cluster.ring(name).keys == (new,), f"the file of {name} written")
    assert cluster.alive("a") == list(NAMES)
