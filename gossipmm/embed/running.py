"""The agents of this process: they leave when it ends, and a forked child lets go of them."""

from __future__ import annotations

import atexit
import os
from typing import Protocol

__all__ = ("Running", "add", "agents", "leave_all", "remove")


class Running(Protocol):
    """An agent in a thread, or in a child process."""

    def ask_to_close(self) -> None:
        """Begin to close. Idempotent; never waits, never raises."""

    def close(self) -> None:
        """Leave, and wait for the end. Idempotent."""

    def let_go(self) -> None:
        """Let go of the inherited sockets, in a forked child."""


#: By identity. A dict, because each step of it is whole to signals, forks and other threads.
_running: dict[int, Running] = {}


def add(agent: Running) -> None:
    """Have an agent leave when this process ends."""
    _running[id(agent)] = agent


def remove(agent: Running) -> None:
    """Take it back: the agent has ended."""
    _running.pop(id(agent), None)


def agents() -> list[Running]:
    """Return the agents of this process that have not ended."""
    return list(_running.values())


def leave_all() -> None:
    """Leave with all agents of this process at once, and wait for them."""
    leaving = agents()
    for agent in leaving:
        agent.ask_to_close()
    for agent in leaving:
        agent.close()


def _forget_in_child() -> None:
    for agent in agents():
        agent.let_go()
    _running.clear()


if hasattr(os, "register_at_fork"):  # where there is fork
    os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(leave_all)
