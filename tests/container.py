"""A system that boots in a container: systemd as it is on this machine, in an overlay of its root.

    with Container(tmp_path) as container:
        container.write("etc/systemd/system/gossipmm.service", text)
        said = container.boot("print('hello')")     # a program that systemd starts; then it ends

systemd-nspawn (Debian's systemd-container) has its own namespaces, no network but loopback, and
writes into a file system in memory that is gone at the end. This Python and its packages are below
/opt in it, readable for every user: the home of root, where they may be, is hidden from services.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

import gossipmm

__all__ = ("Container", "NoContainerError", "missing")

#: Seconds for a boot and what is done in it: on an idle machine it takes five.
_LIMIT = 120.0
_SYSTEMD = "/lib/systemd/systemd"
_UNIT = """\
[Service]
Type=oneshot
ExecStart=/opt/python /opt/program.py
StandardOutput=append:/said
StandardError=append:/said
ExecStopPost=/bin/sh -c "systemctl poweroff --force --force >/dev/null 2>&1"
"""
_TARGET = "[Unit]\nRequires=program.service\nAfter=program.service\n"


def missing() -> str:
    """Return why no system can be booted here, in words for a skipped test; empty: it can."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    if not shutil.which("systemd-nspawn") or not os.path.exists(_SYSTEMD):
        return "systemd-nspawn is not installed"
    return ""


class NoContainerError(Exception):
    """This system boots no container, as one that is a container itself may not."""


class Container:
    """One container, in ``folder``. Use it with ``with``; boot it once. Raises NoContainerError."""

    def __init__(self, folder: Path) -> None:
        self._memory = folder / "memory"
        self.root = folder / "root"
        self._mounted: list[Path] = []

    def __enter__(self) -> Self:
        for path in (self._memory, self.root):
            path.mkdir()
        self._mount(self._memory, "-t", "tmpfs", "tmpfs")
        upper, work = self._memory / "upper", self._memory / "work"
        upper.mkdir()
        work.mkdir()
        layers = f"lowerdir=/,upperdir={upper},workdir={work}"
        self._mount(self.root, "-t", "overlay", "overlay", "-o", layers)
        self.write("etc/machine-id", "")
        self.write("etc/systemd/system/program.service", _UNIT)
        self.write("etc/systemd/system/program.target", _TARGET)
        python = "/opt/base/bin/" + os.path.basename(os.path.realpath(sys.executable))
        for name, arguments in (("python", ""), ("gossipmm", "-m gossipmm")):
            self.write(
                f"opt/{name}",
                "#!/bin/sh\n"
                "export PYTHONPATH=/opt/source:/opt/packages PYTHONDONTWRITEBYTECODE=1\n"
                "export LD_LIBRARY_PATH=/opt/base/lib\n"
                f'exec {python} {arguments} "$@"\n',
            ).chmod(0o755)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for path in reversed(self._mounted):
            with suppress(subprocess.CalledProcessError):
                subprocess.run(["umount", str(path)], check=True, timeout=30)

    def _mount(self, path: Path, *how: str) -> None:
        done = subprocess.run(
            ["mount", *how, str(path)], capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode:
            self.__exit__(None, None, None)
            raise NoContainerError(done.stderr)
        self._mounted.append(path)

    def write(self, path: str, text: str) -> Path:
        """Write a file of the container before it is booted."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def words(self, *network: str) -> list[str]:
        """Return the command that boots it, with the options for its network."""
        packages, source = Path(trio.__file__).parents[1], Path(gossipmm.__file__).parents[1]
        binds = {sys.base_prefix: "base", str(packages): "packages", str(source): "source"}
        return [
            *("systemd-nspawn", "--quiet", f"--directory={self.root}", *network),
            *("--register=no", "--keep-unit", "--link-journal=no", "--console=read-only"),
            *(f"--bind-ro={outside}:/opt/{inside}" for outside, inside in binds.items()),
            *("--boot", "systemd.unit=program.target"),
        ]

    def boot(self, program: str) -> str:
        """Boot, run a Python program as root, and end; return what it printed."""
        self.write("opt/program.py", program)
        found = subprocess.run(
            self.words("--private-network"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        said = self.root / "said"
        if not said.exists():
            raise NoContainerError(f"{found.stdout}{found.stderr}")
        return said.read_text()
