"""Owners of folders and sockets: looked at before anything is sent to the agent behind them.

A client gives keys and registrations to whoever listens at a socket, so it asks first who could
have put that socket there. In a folder where everybody may make files (``/tmp``), a stranger can
take the place of an agent before it starts.
"""

from __future__ import annotations

import os
import socket
import stat
import struct

__all__ = ("fault_of_folder", "fault_of_peer")

#: Others may write; with the sticky bit, as in /tmp, each may remove only what is theirs.
_SHARED = stat.S_IWOTH
_CREDENTIALS = struct.Struct("3i")


def fault_of_folder(folder: str) -> str:
    """Return why a stranger may have made this folder or what lies in it; empty when none can.

    A folder that does not exist has no fault: nothing is found in it. Trusted are folders of root
    and of this user, and those of a service's user where only root could have made them
    (``/run/gossipmm``).
    """
    try:
        found = os.lstat(folder)
        if stat.S_ISLNK(found.st_mode) and _trusted(found.st_uid):
            found = os.stat(folder)
        above = os.stat(os.path.dirname(os.path.abspath(folder)))
    except OSError:
        return ""
    if stat.S_ISLNK(found.st_mode):
        return f"{folder} is a link that user {found.st_uid} made"
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder} is not a folder"
    only_root = above.st_uid == 0 and not above.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not _trusted(found.st_uid) and not only_root:
        return f"{folder} belongs to user {found.st_uid}, not to you ({os.geteuid()}) or root"
    if found.st_mode & _SHARED:
        return f"{folder} can be written by everybody (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def fault_of_peer(sock: socket.socket, path: str) -> str:
    """Return why the process that listens at ``path`` cannot be believed; empty when it can.

    ``sock`` is connected to it. In a folder shared like ``/tmp`` only root and this user can;
    elsewhere also whoever owns the socket, which the folder's owner let be there.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return ""
    size = _CREDENTIALS.size
    _, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if _trusted(uid):
        return ""
    try:
        owner = os.lstat(path).st_uid
        folder = os.stat(os.path.dirname(os.path.abspath(path)))
    except OSError as exc:
        return f"it cannot be seen who owns it: {exc.strerror}"
    sticky = folder.st_mode & stat.S_ISVTX and folder.st_mode & _SHARED
    if sticky or uid != owner:
        return (
            f"user {uid} listens there, neither you ({os.geteuid()}) nor root: put the agent's "
            "socket into a folder where only its user may write"
        )
    return ""


def _trusted(uid: int) -> bool:
    return uid in (0, os.geteuid())
