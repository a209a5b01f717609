"""A rack: systems at one switch, each booted with the systemd of this machine.

Prepare machines, boot them all at once, and type commands in them:

with Rack(tmp_path) as rack:
    machine = rack.prepare("host-1", "10.0.0.1/24")
    rack.boot()
    print(machine.type("hostname").said)
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.container import Container, NoContainerError
from tests.namespaces import Host, Net, Switch
from tests.processes.program import until

__all__ = ("Machine", "Rack", "Typed")

#: A command of an operator is done within so many seconds, on a busy machine as well.
_LIMIT = 90.0
_CGROUPS = Path("/sys/fs/cgroup")
#: What a machine boots into: nothing that happens to be installed on this one is started.
_TARGET = "[Unit]\nRequires=basic.target\nAfter=basic.target\n"


class Typed(NamedTuple):
    """A command, its exit status and what it said on both streams."""

    command: str
    status: int
    said: str


class Machine(Container):
    """One booted system, at an address of its own. Use it with ``with``."""

    def __init__(self, folder: Path, host: Host) -> None:
        super().__init__(folder)
        self.host = host
        self.name = host.name
        self.session: list[Typed] = []
        self._groups: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def start(self) -> None:
        """Boot it. Raises NoContainerError."""
        self.write("etc/systemd/system/program.target", _TARGET)
        self.write("etc/hostname", f"{self.name}\n")
        self._make_groups()
        procs = " ".join(f"{group}/cgroup.procs" for group in self._groups)
        own = f'for group in {procs}; do echo $$ > $group; done; exec "$@"'
        words = self.words(f"--network-namespace-path=/proc/{self.host.pid}/ns/net")
        self._process = subprocess.Popen(
            ["sh", "-c", own, "sh", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _make_groups(self) -> None:
        # systemd-nspawn makes the groups of a container below its own: two need two parents.
        for tree in ("systemd", "unified", ""):
            folder = _CGROUPS / tree
            if (folder / "cgroup.procs").exists():
                group = folder / f"gossipmm-rack-{self.host.pid}"
                try:
                    group.mkdir()
                except OSError as exc:
                    raise NoContainerError(f"{group}: {exc}") from exc
                self._groups.append(group)

    def _find_leader(self) -> int:
        assert self._process is not None
        if self._process.poll() is not None:
            said = self._process.stdout.read().decode() if self._process.stdout else ""
            raise NoContainerError(said)
        waiting = [self._process.pid]
        while waiting:
            process = waiting.pop()
            with suppress(OSError, StopIteration):
                children = Path(f"/proc/{process}/task/{process}/children").read_text()
                waiting += map(int, children.split())
                lines = Path(f"/proc/{process}/status").read_text().splitlines()
                ids = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
                if len(ids) > 1 and ids[-1] == "1":
                    return process
        return 0

    def wait(self) -> None:
        """Wait until its systemd has started what it has to."""
        self._leader = until(self._find_leader, f"{self.name} has a first process")
        up = "systemctl is-active program.target"
        until(lambda: self._run(up).status == 0, f"{self.name} has booted", _LIMIT)

    def _run(self, command: str) -> Typed:
        inside = ["nsenter", f"--target={self._leader}", "--all", "--wdns=/"]
        path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        done = subprocess.run(
            [*inside, "env", "-i", f"PATH={path}", "HOME=/root", "sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        return Typed(command, done.returncode, done.stdout)

    def type(self, command: str) -> Typed:
        """Run a command in it as root, and keep it as a part of the session."""
        done = self._run(command)
        self.session.append(done)
        return done

    def shows(self, command: str, *words: str, status: int | None = 0) -> Typed:
        """Type a command until it says all of these words. Raises AssertionError."""
        last = Typed(command, -1, "")

        def holds() -> bool:
            nonlocal last
            last = self._run(command)
            right = status is None or last.status == status
            return right and all(word in last.said for word in words)

        until(holds, f"{self.name}$ {command}: {words}", _LIMIT, show=lambda: str(last))
        self.session.append(last)
        return last

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            if self._leader:
                # Ends all that runs in it: it is the first process of its namespace.
                with suppress(ProcessLookupError):
                    os.kill(self._leader, signal.SIGKILL)
            else:
                self._process.kill()
            self._process.communicate(timeout=_LIMIT)
        super().__exit__(kind, value, trace)
        for group in self._groups:
            _remove(group)


def _remove(group: Path) -> None:
    # A group can go once those below it are gone, and they once their processes are.
    end = time.monotonic() + 10
    while group.exists() and time.monotonic() < end:
        for below in sorted(group.rglob("*/"), reverse=True):
            with suppress(OSError):
                below.rmdir()
        with suppress(OSError):
            group.rmdir()


class Rack:
    """Machines at a switch; leaving the block ends all of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.machines: list[Machine] = []
        self.switch: Switch

    def __enter__(self) -> Self:
        self._net = self._stack.enter_context(Net())
        self.switch = self._net.switch()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def prepare(self, name: str, *addresses: str) -> Machine:
        """Make a machine, which is booted later. Raises NoContainerError."""
        folder = self._folder / name
        folder.mkdir()
        host = self._net.host(name, self.switch, *addresses)
        machine = self._stack.enter_context(Machine(folder, host))
        self.machines.append(machine)
        return machine

    def boot(self) -> None:
        """Boot all of them at once. Raises NoContainerError."""
        for machine in self.machines:
            machine.start()
        for machine in self.machines:
            machine.wait()
