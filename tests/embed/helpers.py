"""Waiting for what real agents tell each other: by their events, and by looking again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import trio

from gossipmm.agent.agent import Agent
from gossipmm.config import Config
from gossipmm.embed.thread import ThreadAgent
from gossipmm.matchmaker import MatchMakerGossip

SOON = 15.0


def config(name: str, *seeds: tuple[str, int], **fields: Any) -> Config:
    join = tuple(f"{host}:{port}" for host, port in seeds)
    # A short leave: where the other side has just died, nobody is left to confirm it.
    fields = {"leave_timeout": 0.5, **fields}
    return Config.preset("local", name=name, bind="127.0.0.1:0", join=join, **fields)


def thread_of(mm: MatchMakerGossip) -> ThreadAgent:
    mm.open()
    assert isinstance(mm._owned, ThreadAgent)
    return mm._owned


def until(thread: ThreadAgent, predicate: Callable[[], object]) -> None:
    """Wait until something holds, looking again after every event of the agent, and every 50 ms.

    What holds may be another's: the copy of a table in a program beside its agent changes after the
    agent's last event, and nothing else may happen then.
    """

    async def watch(agent: Agent) -> None:
        with agent.watch() as events:
            while not predicate():
                with trio.move_on_after(0.05):
                    await anext(events)

    thread.spawn(watch, thread.agent).result(SOON)


def run_python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a script with this checkout in reach, its output in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
