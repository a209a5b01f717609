"""A rolling upgrade of five live agents from the last commit with wire version 1, and back."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gossipmm import keyfile
from gossipmm.core.sealing.keyring import Keyring
from tests.processes.program import Program, until

#: The last commit before wire version 2: frames in full, digests of the versions of pages.
BEFORE = "26477c7"
ROOT = Path(__file__).parents[2]
NAMES = ("a", "b", "c", "d", "e")
#: Seconds in which a registration has to reach everybody, whatever the versions.
REACHES = 2.0
#: Reasons for drops that mean: what one version says, the other one does not read or accept.
NOT_UNDERSTOOD = {
    *("too_large", "malformed", "version", "cluster", "unknown_kind", "out_of_range"),
    *("bad_page", "bad_option", "own_heartbeat", "counter_jump", "send_too_large"),
    *("not_encrypted", "encrypted", "unknown_key", "retired_key", "not_authentic"),
    *("max_record", "max_table", "max_members", "max_registrations", "max_accusations"),
    *("source_rate", "peer_rate", "not_allowed"),
}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the package of then; skip where the history is not there."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("no git, which holds the package before the upgrade")
    known = subprocess.run([git, "-C", ROOT, "cat-file", "-e", BEFORE], capture_output=True)
    if known.returncode:
        pytest.skip(f"commit {BEFORE} is not in the history of this clone (shallow?)")
    packed = subprocess.run(
        [git, "-C", ROOT, "archive", BEFORE, "gossipmm", "pyproject.toml"],
        capture_output=True,
        check=True,
    )
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        # Debian 12 has 3.11.2, which has no filters; 3.14 has no default without a warning.
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safely)
    return folder


def ask(control: Path, path: str) -> dict[str, Any]:
    """Ask an agent of any version over its control socket."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    with closing(connection):
        connection.sock.settimeout(10)
        connection.sock.connect(str(control))
        connection.request("GET", path)
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 200, found
        return found


class Cluster:
    """Five agents, each of either version, with a registration and metadata."""

    def __init__(
        self, folder: Path, old: Path, start: Callable[..., Program], *, sealed: bool
    ) -> None:
        self.folder, self._old, self._start = folder, old, start
        #: Those that run now, and all that ever did.
        self.programs: dict[str, Program] = {}
        self.started: list[Program] = []
        #: Names of those of the new version.
        self.new: set[str] = set()
        #: Names that have to be in every lookup at every moment.
        self.steady: set[str] = set()
        self._addresses: dict[str, str] = {}
        #: Topics that were registered later, and on which member.
        self._later: dict[str, str] = {}
        self._registered = 0
        self._keyring: list[str] = []
        if sealed:
            self._keyring = ["--keyring", str(folder / "keys.json")]
            keyfile.create(self._keyring[1], Keyring((keyfile.generate(),)))
        for name in NAMES:
            self.start(name, new=False)
        self.settle("at the beginning")

    # -- what is done -----------------------------------------------------------------------

    def start(self, name: str, *, new: bool) -> None:
        """Start a member, at the address that it had before, if it had one."""
        arguments = ["--register", "compute", "--metadata", f"rack={name}"]
        arguments += ["--control", str(self.folder / name), *self._keyring]
        for other, address in self._addresses.items():
            if other != name:
                arguments += ["--join", address]
        bind = self._addresses.get(name, f"127.0.0.{NAMES.index(name) + 1}:0")
        # From its folder as well: ``python -m`` looks into the current one first.
        prefix = [] if new else ["env", "-C", str(self._old), f"PYTHONPATH={self._old}"]
        program = self._start(name, *arguments, bind=bind, prefix=prefix)
        self.started.append(program)
        self._addresses[name] = program.address
        self.programs[name] = program
        until((self.folder / name).exists, f"the control socket of {name} there")
        assert ("verdict" in self.status(name)) == new, "not the version that was meant"
        self.new = self.new | {name} if new else self.new - {name}

    def stop(self, name: str) -> None:
        """Let a member leave, and wait for its end."""
        self.steady.discard(name)
        self._later = {topic: on for topic, on in self._later.items() if on != name}
        program = self.programs.pop(name)
        program.signal(signal.SIGTERM)
        assert program.wait() == 0, program.errors
        (left,) = program.told("leave_finished")
        assert left["confirmed"] == left["told"] == len(self.programs)

    def replace(self, name: str, *, new: bool) -> None:
        """Put a member of another version into the place of one; look at everything afterwards."""
        self.stop(name)
        self.start(name, new=new)
        self.settle(f"after the change of {name}")
        for on in {name, next(other for other in reversed(NAMES) if other != name)}:
            self.register(on)
        self.settle(f"after registrations, {name} changed")
        self.check_nothing_refused()
        self.check_who_says_how_it_is()

    def register(self, on: str) -> None:
        """Register a topic on one member: within 2 s the last one answers with it."""
        self._registered += 1
        topic = f"later-{self._registered}"
        waiting = set(self.programs)
        began = time.monotonic()
        self.programs[on].say(f"register {topic}")

        def reached() -> bool:
            waiting.difference_update(
                {name for name in waiting if self.fanouts(name).get(topic) == [on]}
            )
            return not waiting

        until(reached, f"{topic} known to all", show=lambda: f"but not to {sorted(waiting)}")
        took = time.monotonic() - began
        print(f"{topic} of {on}: known to all after {took:.3f} s")
        assert took <= REACHES
        self._later[topic] = on

    # -- what is so -------------------------------------------------------------------------

    def status(self, name: str) -> dict[str, Any]:
        """Return what an agent says about itself."""
        return ask(self.folder / name, "/v1/status")

    def check_who_says_how_it_is(self) -> None:
        """Ask all by one of the new version: those of the old one answer, and do not say it."""
        for asker in sorted(self.new)[:1]:
            found = ask(self.folder / asker, "/v1/status/all?timeout=5")["members"]
            outcomes = {one["name"]: one["outcome"] for one in found}
            assert outcomes == {
                name: "done" if name in self.new else "too_old" for name in self.programs
            }

    def fanouts(self, name: str) -> dict[str, list[str]]:
        """Return topic -> hosts as a member answers now; none that is steady may be missing."""
        found = ask(self.folder / name, "/v1/topics")["topics"]
        hosts = {topic["topic"]: sorted(topic["fanout"]) for topic in found if topic["fanout"]}
        if name in self.steady:
            assert self.steady <= set(hosts["compute"]), f"out of the lookups of {name}"
        return hosts

    def knows_all(self, name: str) -> bool:
        """Return whether a member has all others, all registrations, and no table that differs."""
        later = {topic: [on] for topic, on in self._later.items()}
        if self.fanouts(name) != {"compute": sorted(self.programs), **later}:
            return False
        rows = ask(self.folder / name, "/v1/members")["members"]
        racks = {row["name"]: row["metadata"] for row in rows if row["status"] == "alive"}
        status = self.status(name)
        return (
            racks == {other: {"rack": other} for other in self.programs}
            and bool(status["joined"])
            and not status["differ"]
        )

    def settle(self, when: str) -> None:
        """Wait until every member knows all; from then on nobody may miss one."""
        for name in self.programs:
            until(lambda name=name: self.knows_all(name), f"all known to {name} {when}")
        self.steady = set(self.programs)

    def agree(self) -> None:
        """Wait until each has heard from every other one that its table is the same."""
        others = len(self.programs) - 1
        for name in self.programs:
            until(lambda name=name: self.status(name)["agree"] == others, f"all agree with {name}")

    def check_nothing_refused(self) -> None:
        """Hold that each version understood the other, and that nobody was declared dead."""
        for name in self.programs:
            dropped = self.status(name)["traffic"]["dropped"]
            assert not dropped.keys() & NOT_UNDERSTOOD, f"{name} refused {dropped}"
        for program in self.started:
            assert program.told("member_died") == [], program.name
            assert program.told("foreign_traffic") == [], program.name


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "encrypted"])
def test_one_by_one_to_this_version_and_one_back(tmp_path, old, start, sealed):
    """Both versions live in one cluster at every step: all in all lookups, nothing refused.

    Nothing but this puts real agents of wire version 1 beside those of version 2.
    """
    cluster = Cluster(tmp_path, old, start, sealed=sealed)
    for name in NAMES:
        cluster.replace(name, new=True)
        if name == "b":
            cluster.agree()
    cluster.replace("c", new=False)
    cluster.agree()
    cluster.check_nothing_refused()
