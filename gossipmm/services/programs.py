"""Programs of others, run so that none of them can do harm: bounded in time, output and number.

Each has a session of its own, and is killed with everything that it started. What it prints is read
as long as it runs, so that it never waits for a reader, and kept up to a bound.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import trio

from gossipmm.services.output import MAX_READ

__all__ = ("Ended", "environment", "run")

#: Seconds from SIGTERM to SIGKILL.
_GRACE: Final = 1.0
#: Bytes of output that are read at once, and of one run: who prints more is killed, because reading
#: it costs this process as much as writing costs the other one.
_AT_ONCE: Final = 65_536
_MOST: Final = 1_048_576


class Ended(NamedTuple):
    """How a program ended."""

    #: Exit status; negative: the signal that ended it; None: it could not be started.
    status: int | None
    #: The end of what it printed on both outputs.
    output: bytes = b""
    #: It took longer than it may, and was killed.
    late: bool = False
    #: It printed more than it may, and was killed.
    endless: bool = False
    #: Why it could not be started.
    trouble: str = ""

    @property
    def reason(self) -> str:
        """Say in words what was wrong with it; empty: nothing."""
        if self.trouble:
            return f"cannot be run: {self.trouble}"
        if self.late:
            return "was killed: it took too long"
        if self.endless:
            return f"was killed: it printed more than {_MOST >> 20} MiB"
        if self.status is not None and self.status < 0:
            return f"was ended by {_signal_name(-self.status)}"
        return f"exit status {self.status}" if self.status else ""


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment for a program: with no path of a key in it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith("GOSSIPMM_") and "KEY" in name)
    }
    return {**kept, **more}


async def run(
    argv: Sequence[str],
    *,
    within: float,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    head: bool = False,
) -> Ended:
    """Run a program to its end, or for so many seconds. Cancelled: it is killed at once.

    ``head``: the beginning of its output is kept, not the end.
    """
    if fault := _fault(argv[0]):
        return Ended(None, trouble=f"{argv[0]}: {fault}")
    try:
        process = await trio.lowlevel.open_process(
            list(argv),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env=environment() if env is None else dict(env),
        )
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        return Ended(None, trouble=f"{argv[0]}: {why}")
    output = _Output(head=head)
    late = False
    try:
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(within) as limit:
                nursery.start_soon(output.read, process, limit.cancel)
                nursery.start_soon(_write, process, stdin)
                await process.wait()
            late = limit.cancelled_caught and not output.endless
            if limit.cancelled_caught:
                _kill(process.pid, signal.SIGTERM)
                with trio.move_on_after(_GRACE):
                    await process.wait()
            # What it left behind may hold its outputs open: nobody waits for those.
            nursery.cancel_scope.cancel()
        output.read_rest(process)
    finally:
        _kill(process.pid, signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.wait()  # killed: it ends at once
        _close(process)
        _reap(process.pid)
    return Ended(process.returncode, bytes(output.kept), late, output.endless)


def _fault(program: str) -> str:
    """Say why a file is not to be run: others than root and this user could have written it."""
    try:
        found = os.stat(program)
    except OSError as exc:
        return exc.strerror or str(exc)
    if found.st_uid not in (0, os.geteuid()):
        return f"belongs to user {found.st_uid}, who is neither root nor this agent's"
    if found.st_mode & 0o022:
        return "others than its owner may write to it: chmod go-w"
    return ""


class _Output:
    """What a program prints: its end is kept, or its beginning."""

    def __init__(self, *, head: bool) -> None:
        self._head = head
        self.kept = bytearray()
        self.endless = False
        self._read = 0

    def _add(self, data: bytes | bytearray) -> None:
        self.kept += data
        del self.kept[slice(MAX_READ, None) if self._head else slice(-MAX_READ)]
        self._read += len(data)
        self.endless = self._read > _MOST

    async def read(self, process: trio.Process, stop: Callable[[], None]) -> None:
        """Read to the end, or until it is too much."""
        assert process.stdout is not None
        with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await process.stdout.receive_some(_AT_ONCE):
                self._add(data)
                if self.endless:
                    stop()
                    return

    def read_rest(self, process: trio.Process) -> None:
        """Read what a program that has ended left in its pipe."""
        pipe = process.stdout
        with suppress(OSError):  # also: nothing more, but somebody else holds the other end
            while isinstance(pipe, trio.lowlevel.FdStream) and not self.endless:
                data = os.read(pipe.fileno(), _AT_ONCE)
                if not data:
                    return
                self._add(data)


async def _write(process: trio.Process, stdin: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
        await process.stdin.send_all(stdin)
        await process.stdin.aclose()


def _kill(group: int, number: signal.Signals) -> None:
    """Send a signal to all processes of a group; there may be none left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _reap(group: int) -> None:
    """Take the ends of orphans of a group, which are this process's where it is the first one."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass


def _close(process: trio.Process) -> None:
    for stream in (process.stdin, process.stdout):
        if isinstance(stream, trio.lowlevel.FdStream):
            stream.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
