"""Identities of real agents: rolled out one after the other, renewed, and refused in words."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.processes.program import Program, run, until

NAMES = ("a", "b", "c")


class Cluster:
    """Three agents with a state file, a control socket and a file of settings each."""

    def __init__(self, folder: Path, start: Any) -> None:
        self.folder, self._start = folder, start
        self.programs: dict[str, Program] = {}
        self.settings: dict[str, dict[str, Any]] = {}

    def path(self, name: str, kind: str) -> str:
        return str(self.folder / f"{name}.{kind}")

    def config(self, name: str, /, **settings: Any) -> str:
        """Write the file of an agent; return its path."""
        self.settings[name] = settings
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        path = Path(self.path(name, "toml"))
        path.write_text("\n".join([*lines, ""]))
        return str(path)

    def start(self, name: str, **settings: Any) -> Program:
        """Start an agent, or start it again at its address; wait until it knows all that run."""
        if name in self.programs:
            self.programs[name].signal(signal.SIGTERM)
            self.programs[name].wait()
        file = self.config(name, **settings)
        arguments = ["--config", file, "--state-file", self.path(name, "state")]
        arguments += ["--control", self.path(name, "sock")]
        seeds = [program.address for other, program in self.programs.items() if other != name]
        arguments += [word for seed in seeds for word in ("--join", seed)]
        bind = self.programs[name].address if name in self.programs else ""
        self.programs[name] = self._start(name, *arguments, bind=bind)
        return self.programs[name]

    def ask(self, name: str, *command: str) -> Any:
        found = run(*command, "--control", self.path(name, "sock"), "-o", "json")
        return json.loads(found.stdout) if found.stdout else {}

    def identity(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(name, "status").get("identity", {})
        return found

    def alive(self, name: str) -> list[str]:
        members = self.ask(name, "members")
        return sorted(one["name"] for one in members if one["status"] == "alive") if members else []

    def states(self, name: str) -> dict[str, str]:
        return {one["name"]: one["identity"] for one in self.ask(name, "members")}


@pytest.fixture
def cluster(tmp_path: Path, start: Any) -> Cluster:
    return Cluster(tmp_path, start)


def test_identities_are_rolled_out_one_agent_after_the_other_and_back(cluster: Cluster) -> None:
    """Off -> announce -> require, no member away for longer than its own restart; and back."""
    for name in NAMES:
        cluster.start(name)
    for name in NAMES:
        until(lambda name=name: cluster.alive(name) == list(NAMES), f"all known to {name}")
        assert cluster.identity(name)["mode"] == "off"
    for number, name in enumerate(NAMES, 1):
        cluster.start(name, identity="announce")
        until(lambda name=name: cluster.alive(name) == list(NAMES), f"all known to {name}")
        waiting = list(NAMES[number:])
        until(
            lambda name=name, waiting=waiting: cluster.identity(name)["not_ready"] == waiting,
            f"{waiting} not ready, as {name} sees it",
        )
    for name in NAMES:
        until(lambda name=name: cluster.identity(name)["not_ready"] == [], f"ready: {name}")
    for name in NAMES:
        cluster.start(name, identity="require")
        for other in NAMES:
            until(lambda other=other: cluster.alive(other) == list(NAMES), f"all: {other}")
    for name in NAMES:
        assert cluster.identity(name)["not_ready"] == []
        assert "unsigned" not in cluster.states(name).values()

    # One that does not sign is refused, and named where it is refused.
    cluster.start("c")
    until(lambda: cluster.identity("a")["not_ready"] == ["c"], "c not ready")
    words = "has no certificate that counts: c; set identity there"
    until(lambda: words in json.dumps(cluster.ask("a", "status")), "said in words")
    assert "c" not in cluster.alive("a")
    cluster.start("c", identity="announce")
    until(lambda: cluster.alive("a") == list(NAMES), "c back")
    # And back: announce, then off.
    for mode in ("announce", "off"):
        for name in NAMES:
            cluster.start(name, identity=mode)
    for name in NAMES:
        until(lambda name=name: cluster.alive(name) == list(NAMES), f"all known to {name}")


def test_a_certificate_is_renewed_by_a_reload_and_the_generation_stays(cluster: Cluster) -> None:
    ca = ("--folder", cluster.path("ca", "folder"))
    made = json.loads(run("ca", "init", "--cluster", "gossipmm", *ca, "-o", "json").stdout)
    certificate = cluster.path("a", "pem")
    state = cluster.path("a", "state")
    file = cluster.config("a", state_file=state)
    key = json.loads(run("identity", "new", "--config", file, "-o", "json").stdout)["public"]
    issue = ("ca", "issue", "a", "--out", certificate, *ca, "-o", "json")
    first = json.loads(run(*issue, "--key", key, "--days", "2").stdout)
    settings = {
        "identity": "require",
        "authority": [made["authority"]],
        "certificate": certificate,
    }
    program = cluster.start("a", **settings)
    before = until(lambda: cluster.ask("a", "status"), "an answer")
    assert before["identity"]["issue"] == first["issue"]
    until(
        lambda: "the certificate of this node ends in" in json.dumps(cluster.ask("a", "status")),
        "the end of the certificate said",
    )
    second = json.loads(run(*issue).stdout)
    program.signal(signal.SIGHUP)
    until(lambda: cluster.identity("a")["issue"] == second["issue"], "the certificate read again")
    after = cluster.ask("a", "status")
    assert after["generation"] == before["generation"]
    assert after["process"] == before["process"]
    until(lambda: not cluster.ask("a", "status")["faults"], "nothing wrong any more")


def test_a_wrong_certificate_is_refused_in_words_at_both_ends(cluster: Cluster) -> None:
    """Its own agent does not start with it under our authority.

    Where that agent believes the other authority, each side names whom it refuses.
    """
    for authority in ("ours", "theirs"):
        made = run("ca", "init", "--cluster", "gossipmm", "--folder", cluster.path(authority, "ca"))
        assert made.returncode == 0, made
    public = {
        authority: json.loads(
            run("ca", "show", "--folder", cluster.path(authority, "ca"), "-o", "json").stdout
        )["authority"]
        for authority in ("ours", "theirs")
    }

    def settings(name: str, *, by: str, believes: str) -> dict[str, Any]:
        file = cluster.config(name, state_file=cluster.path(name, "state"))
        key = cluster.path(name, "state.identity")
        if not Path(key).exists():
            run("identity", "new", "--config", file)
        shown = json.loads(run("identity", "show", "--key", key, "-o", "json").stdout)
        issue = ("ca", "issue", name, "--key", shown["public"], "--out", cluster.path(name, "pem"))
        issued = run(*issue, "--folder", cluster.path(by, "ca"))
        assert issued.returncode == 0, issued
        return {
            "identity": "require",
            "authority": [public[believes]],
            "certificate": cluster.path(name, "pem"),
        }

    for name in "ab":
        cluster.start(name, **settings(name, by="ours", believes="ours"))
    for name in "ab":
        until(lambda name=name: cluster.alive(name) == ["a", "b"], f"both known to {name}")
        assert set(cluster.states(name).values()) == {"certified"}

    file = cluster.config(
        "c",
        name="c",
        bind="127.0.0.1:0",
        state_file=cluster.path("c", "state"),
        **settings("c", by="theirs", believes="ours"),
    )
    for command in (("config", "check", file), ("agent", "--config", file, "--no-ask")):
        refused = run(*command)
        assert refused.returncode == 2, refused
        words = "c.pem: is signed by an authority that is not configured here: by "
        assert words in refused.stderr
        assert "gossipmm ca issue c" in refused.stderr

    cluster.start("c", **settings("c", by="theirs", believes="theirs"))
    for name, refuses in (("a", ["c"]), ("b", ["c"]), ("c", ["a", "b"])):
        until(
            lambda name=name, refuses=refuses: cluster.identity(name)["not_ready"] == refuses,
            f"{name} refuses {refuses}",
        )
        words = f"has no certificate that counts: {', '.join(refuses)}"
        until(
            lambda name=name, words=words: words in json.dumps(cluster.ask(name, "status")),
            f"{name} says so",
        )
    assert cluster.alive("a") == cluster.alive("b") == ["a", "b"]


def test_a_rotation_of_keys_begins_once_the_authority_has_ordered_it(cluster: Cluster) -> None:
    """Whoever runs the command is told what to run where the authority is, and then it goes."""
    ca = ("--folder", cluster.path("ca", "folder"))
    made = json.loads(run("ca", "init", "--cluster", "gossipmm", *ca, "-o", "json").stdout)
    keyring = cluster.path("first", "json")
    assert run("keygen", keyring).returncode == 0
    settings: dict[str, dict[str, Any]] = {}
    for name in "ab":
        shutil.copy(keyring, cluster.path(name, "json"))
        file = cluster.config(name, state_file=cluster.path(name, "state"))
        new = run("identity", "new", "--config", file, "-o", "json").stdout
        issue = ("ca", "issue", name, "--out", cluster.path(name, "pem"), *ca)
        assert run(*issue, "--key", json.loads(new)["public"]).returncode == 0
        settings[name] = {
            "identity": "require",
            "authority": [made["authority"]],
            "certificate": cluster.path(name, "pem"),
            "keyring": cluster.path(name, "json"),
        }
        cluster.start(name, **settings[name])
    for name in "ab":
        until(lambda name=name: cluster.alive(name) == ["a", "b"], f"both known to {name}")
    rotate = ("keys", "rotate", "--control", cluster.path("a", "sock"))
    refused = run(*rotate)
    assert refused.returncode == 2, refused
    assert "the authority of this cluster has not ordered this rotation" in refused.stderr
    word = refused.stderr.partition("gossipmm ca rotate ")[2].partition(",")[0]
    wrong = run("ca", "rotate", word[:-1], *ca)
    assert wrong.returncode == 2
    assert "orders no rotation: copy the word" in wrong.stderr
    ordered = json.loads(run("ca", "rotate", word, *ca, "-o", "json").stdout)
    assert ordered["order"] == word
    before = cluster.ask("a", "keys", "list")["keys"]
    cluster.config("a", **settings["a"], revocations=ordered["file"])
    cluster.programs["a"].signal(signal.SIGHUP)
    done = until(lambda: (found := run(*rotate)).returncode == 0 and found, "rotated")
    assert "done; 2 of 2 members" in done.stdout
    for name in "ab":
        held = cluster.ask(name, "keys", "list")["keys"]
        assert len(held) == 1
        assert held != before
    assert word in run("ca", "show", *ca).stdout
