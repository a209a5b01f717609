"""Finds an agent's control API: a socket of this machine, by path, by name, or the only one.

A control address is written as

* a path, ``/run/gossipmm/host-a.sock`` (anything with a slash, or that ends with ``.sock``);
* a name, ``host-a``: that agent's socket in the default folder;
* ``127.0.0.1:7980`` or ``http://127.0.0.1:7980``: the loopback port of ``control_port``.

The default folder is ``/run/gossipmm`` for root and for services (systemd's
``RUNTIME_DIRECTORY``), else ``$XDG_RUNTIME_DIR/gossipmm``, else ``~/.local/state/gossipmm``: never
one where somebody else could make files. The owner of the folder, and the process that listens,
are looked at before anything is sent (``owners.py``).
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gossipmm.client.owners import fault_of_folder, fault_of_peer
from gossipmm.errors import AgentUnreachableError, ConfigError

__all__ = ("NONE", "VARIABLE", "Place", "default_folder", "find", "parse", "running", "socket_path")

#: The environment variable that names an agent.
VARIABLE = "GOSSIPMM_CONTROL"
#: Given in place of a control address: no control API.
NONE = "none"
_SYSTEM = "/run/gossipmm"
_SUFFIX = ".sock"
#: Names that a file can have as they are.
_PLAIN = re.compile(r"[A-Za-z0-9 @:+,=._~-]*").fullmatch
_TCP = re.compile(r"(?:http://)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})/?")
#: Seconds that a look at a socket may take: a living agent accepts at once.
_PATIENCE = 2.0


class Place(NamedTuple):
    """A Unix socket, or (with an empty path) a TCP address."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return self.path or f"http://{self.host}:{self.port}"

    def connect(self, timeout: float | None) -> socket.socket:
        """Return a connected socket. Raises AgentUnreachableError, with what to do."""
        try:
            if not self.path:
                return socket.create_connection((self.host.strip("[]"), self.port), timeout)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(timeout)
                sock.connect(self.path)
                self.check(sock)
            except BaseException:
                sock.close()
                raise
            return sock
        except OSError as exc:
            raise self.unreachable(exc) from None

    def check(self, sock: socket.socket) -> None:
        """Look at who listens here, on a connected Unix socket.

        Raises AgentUnreachableError when it may be a stranger who waits for keys.
        """
        if fault := fault_of_peer(sock, self.path):
            raise AgentUnreachableError(f"the agent at {self} was not asked: {fault}")

    def unreachable(self, exc: OSError) -> AgentUnreachableError:
        """Return the error that says why nobody could be reached here."""
        return AgentUnreachableError(f"no agent answers at {self}: {_words(exc)}")


def _words(exc: OSError) -> str:
    if exc.errno == errno.ENOENT:
        return "there is no such socket"
    if exc.errno == errno.ECONNREFUSED:
        return "nothing listens there: its agent may have ended"
    if exc.errno in (errno.EACCES, errno.EPERM):
        return "you may not use that socket: it is for its owner and group"
    if isinstance(exc, TimeoutError):
        return "it did not take the connection in time"
    return exc.strerror or str(exc)


def default_folder(environ: Mapping[str, str] | None = None) -> str:
    """Return the folder in which an agent started now puts its socket."""
    environ = os.environ if environ is None else environ
    service = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if service:
        return service
    return _folder_of_user(environ)


def _folder_of_user(environ: Mapping[str, str]) -> str:
    if os.geteuid() == 0:
        return _SYSTEM
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime:
        return os.path.join(runtime, "gossipmm")
    state = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "gossipmm") if os.path.isabs(state) else _SYSTEM


def socket_path(name: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the default path of the agent of this name."""
    return os.path.join(default_folder(environ), _file_of(name))


def _file_of(name: str) -> str:
    """Return the file of an agent's socket; any name makes one, a slash in it included."""
    if _PLAIN(name):
        return name + _SUFFIX
    from urllib.parse import quote  # 2 ms, for names that are seldom met

    return quote(name, safe=" @:+,=~") + _SUFFIX


def parse(control: str, environ: Mapping[str, str] | None = None) -> Place:
    """Read a control address.

    Raises ConfigError; AgentUnreachableError for a name that is found where a stranger may have put
    it.
    """
    environ = os.environ if environ is None else environ
    if not control or control == NONE:
        raise ConfigError(
            "does not name an agent: give a path, a name or HOST:PORT", path="--control"
        )
    if tcp := _TCP.fullmatch(control):
        host, port = tcp[1], int(tcp[2])
        if not 0 < port < 65536:
            raise ConfigError(f"{control!r} has no usable port", path="--control")
        return Place("", host, port)
    path = control.removeprefix("unix:")
    if "/" in path or path.endswith(_SUFFIX):
        return Place(path)
    for folder in _folders(environ):
        path = os.path.join(folder, _file_of(control))
        if os.path.lexists(path):
            if fault := fault_of_folder(folder):
                raise AgentUnreachableError(f"the agent {control} was not asked: {fault}")
            return Place(path)
    return Place(socket_path(control, environ))


def find(control: str | None = None, environ: Mapping[str, str] | None = None) -> Place:
    """Return the agent that is meant: the one named, else the only one that runs.

    ``control`` defaults to ``GOSSIPMM_CONTROL``. Raises AgentUnreachableError when there is none,
    ConfigError when there are several.
    """
    environ = os.environ if environ is None else environ
    control = control or environ.get(VARIABLE)
    if control:
        return parse(control, environ)
    living = _living(environ)
    if not living:
        folders = _folders(environ)
        faults = [
            f"; not looked at: {fault}" for each in folders if (fault := fault_of_folder(each))
        ]
        raise AgentUnreachableError(
            f"no agent runs with a socket in {' or '.join(folders)}{''.join(faults)}: start one "
            f"with 'gossipmm agent', or name it with --control or {VARIABLE}"
        )
    if len(living) > 1:
        names = ", ".join(_name_of(path) for path in living)
        raise ConfigError(
            f"{len(living)} agents run here ({names}): say which one, as --control "
            f"{_name_of(living[0])} or in {VARIABLE}"
        )
    return Place(living[0])


def running(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the names of the agents that run here, of sockets in the default folders."""
    return [_name_of(path) for path in _living(os.environ if environ is None else environ)]


def _living(environ: Mapping[str, str]) -> list[str]:
    return [path for path in _sockets(environ) if is_served(path)]


def is_served(path: str) -> bool:
    """Return whether somebody listens on a socket. Nobody listens on anything else."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PATIENCE)
        try:
            probe.connect(path)
        except (TimeoutError, BlockingIOError):
            return True  # its queue is full: somebody there is very busy
        except OSError as exc:
            return exc.errno in (errno.EACCES, errno.EPERM)
    return True


def _folders(environ: Mapping[str, str]) -> list[str]:
    """Return the folders in which agents may be found, one's own first."""
    return list(dict.fromkeys([_folder_of_user(environ), _SYSTEM]))


def _sockets(environ: Mapping[str, str]) -> Iterator[str]:
    for folder in _folders(environ):
        if fault_of_folder(folder):
            continue
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(_SUFFIX):
                try:
                    if stat.S_ISSOCK(os.stat(path).st_mode):
                        yield path
                except OSError:
                    continue


def _name_of(path: str) -> str:
    from urllib.parse import unquote  # for messages alone

    return unquote(os.path.basename(path).removesuffix(_SUFFIX))
