"""Detects that gevent or eventlet replaced the blocking parts of this process's standard library.

Trio cannot run beside them: their ``select`` has no epoll, and their threads are not threads.
"""

from __future__ import annotations

import sys

from gossipmm.errors import PatchedError

__all__ = ("refuse_patched", "who_patched")


def who_patched() -> str:
    """Return "gevent" or "eventlet" if one of them patched threads, sockets or select; else ""."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and any(
        gevent.is_module_patched(module) for module in ("socket", "select", "threading")
    ):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and any(
        eventlet.is_monkey_patched(module) for module in ("socket", "select", "thread")
    ):
        return "eventlet"
    return ""


def refuse_patched(what: str) -> None:
    """Raise PatchedError where ``what`` cannot work, naming what can."""
    who = who_patched()
    if who:
        raise PatchedError(
            f"{who} has patched this process, and {what} cannot run in it: use "
            "gossipmm.embed.child.ChildMatchMaker, which takes the same arguments and runs the "
            "agent in a process of its own"
        )
