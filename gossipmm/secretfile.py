"""Files that are secrets: read only if nobody else can read or change them, written whole or not.

For the file of gossip keys, and for the keys of identities; each gives the error that it raises.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import NamedTuple

from gossipmm.errors import GossipError

__all__ = ("Kind", "create", "read", "replace")


class Kind(NamedTuple):
    """What a file is, for whoever has to mend it."""

    #: ``the keys``: what others could read or change.
    what: str
    #: The command that makes one.
    made_by: str
    error: type[GossipError]
    #: Bytes read, at most.
    most: int = 65_536


def read(path: str, kind: Kind, *, anybodys: bool = False, handed: bool | None = False) -> bytes:
    """Read a file. Raises the error of its kind, which says what to do about it.

    It has to belong to this user or to root: its owner could change it. ``anybodys`` is for root,
    who prepares the file of a service's user; ``handed`` is for one that the system hands to a
    service, which its group may read; None: whatever root gives to somebody else is one.
    """
    try:
        # Non-blocking: the path may be that of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        hint = f"; {kind.made_by} makes one" if isinstance(exc, FileNotFoundError) else ""
        raise kind.error(f"{path}: cannot be read: {exc.strerror}{hint}") from None
    try:
        found = os.fstat(descriptor)
        if handed is None:
            handed = found.st_uid == 0 != os.geteuid()
        _check_mode(path, kind, found, 0o640 if handed else 0o600)
        if not anybodys and found.st_uid not in (0, os.geteuid()):
            raise kind.error(
                f"{path}: belongs to user {found.st_uid}, who could change {kind.what}; this "
                f"process runs as user {os.geteuid()}: chown {os.geteuid()} {path}"
            )
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(kind.most + 1)
    finally:
        os.close(descriptor)
    if len(data) > kind.most:
        raise kind.error(f"{path}: is larger than {kind.most} bytes: not a file of keys")
    return data


def _check_mode(path: str, kind: Kind, found: os.stat_result, widest: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise kind.error(f"{path}: is not a regular file")
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~widest:
        raise kind.error(
            f"{path}: has mode {mode:04o}, wider than {widest:04o}: others could read or change "
            f"{kind.what}; chmod {widest:o} {path} (and change {kind.what} if anybody else was on "
            "this machine)"
        )


def replace(path: str, text: str, kind: Kind) -> None:
    """Replace a file as a whole, or leave it as it is. Raises the error of its kind.

    The file keeps its owner (when root writes it for a service's user); its mode becomes 0600.
    """
    # A link to the file stays a link: the file that it leads to is replaced.
    target = os.path.realpath(path)
    temporary = f"{target}.{os.getpid()}.new"
    try:
        _write(temporary, text, like=target)
        os.replace(temporary, target)
    except OSError as exc:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise kind.error(f"{path}: cannot be written: {exc.strerror}") from None
    _sync_directory(target)


def create(path: str, text: str, kind: Kind) -> None:
    """Write a new file. Raises the error of its kind, also when one exists already."""
    try:
        _write(path, text, like=None)
    except FileExistsError:
        raise kind.error(
            f"{path}: already exists, and {kind.what} in it may be in use: move it away first"
        ) from None
    except OSError as exc:
        raise kind.error(f"{path}: cannot be written: {exc.strerror}") from None
    _sync_directory(path)


def _write(path: str, text: str, *, like: str | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        # A umask can only take bits away; exactly this mode is needed.
        os.fchmod(descriptor, 0o600)
        if like is not None and os.geteuid() == 0:
            with contextlib.suppress(FileNotFoundError):
                owner = os.stat(like)
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: str) -> None:
    """Make the new name last through a power cut; not all file systems can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
