"""The sockets of the control API: bound so that nothing of another agent's is ever taken over.

A Unix socket is a file. One left behind by a killed agent is replaced; one that somebody listens
on, or a file that is not a socket, never is. Checking and replacing happen under a lock on the
folder, so that one of two agents that start at once wins. The file is removed at the end only if it
is still the one that was made here.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from gossipmm.client.place import is_served
from gossipmm.errors import BindError

__all__ = ("UnixListener", "listen_tcp", "listen_unix")

#: Connections that may wait to be accepted; the system caps this at net.core.somaxconn.
BACKLOG = 2048
#: Whoever may write may connect: owner and group.
MODE = 0o660
#: Longest path that fits into a socket address (Linux, sun_path less its final zero).
_MAX_PATH = 107
#: Seconds to wait for another agent that starts in the same folder just now.
_PATIENCE = 5.0


@dataclass(slots=True)
class UnixListener:
    """A listening Unix socket and the file that it made."""

    sock: socket.socket
    path: str
    identity: tuple[int, int, int]

    def close(self) -> None:
        """Stop listening, and remove the file if it is still this socket's. Idempotent."""
        with suppress(OSError):
            if _identity(os.lstat(self.path)) == self.identity:
                os.unlink(self.path)
        self.sock.close()


def listen_unix(path: str) -> UnixListener:
    """Bind and listen. Makes the folder if it is missing. Raises BindError."""
    if not hasattr(socket, "AF_UNIX"):
        raise BindError(
            'control: this system has no Unix sockets: set control_port, or control = "none"'
        )
    path = os.path.abspath(path)
    if len(os.fsencode(path)) > _MAX_PATH:
        size = len(os.fsencode(path))
        raise BindError(
            f"control: {path!r} has {size} bytes, but a socket's path has at most {_MAX_PATH}"
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        with _locked(folder):
            _clear(path)
            sock.bind(path)
            # Nobody can connect before listen(): there is no moment with a wider mode.
            os.chmod(path, MODE)
            identity = _identity(os.lstat(path))
        sock.listen(BACKLOG)
    except BindError:
        sock.close()
        raise
    except OSError as exc:
        sock.close()
        raise BindError(f"control: cannot listen at {path}: {exc.strerror or exc}") from None
    return UnixListener(sock, path, identity)


def listen_tcp(port: int, host: str = "127.0.0.1", *, field: str = "control_port") -> socket.socket:
    """Listen on a port. Raises BindError, which names the field of the configuration."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Only for connections in TIME_WAIT: Linux refuses a port that somebody listens on.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        in_use = exc.errno == errno.EADDRINUSE
        reason = "the port is in use" if in_use else exc.strerror or str(exc)
        raise BindError(f"{field}: cannot listen at {host}:{port}: {reason}") from None
    return sock


def _clear(path: str) -> None:
    """Remove a socket that nobody serves. Raises BindError for anything else."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise BindError(f"control: {path} exists and is not a socket: it was left alone")
    if is_served(path):
        raise BindError(f"control: another agent is served at {path}: choose another path")
    os.unlink(path)


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Hold the lock of a folder; go on without it after a while: it only guards against a race."""
    import fcntl  # only Unix has it, and only a Unix socket comes here

    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    # With its change time, because the inode number of a removed file is soon used again.
    return found.st_dev, found.st_ino, found.st_ctime_ns
