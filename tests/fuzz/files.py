"""Fuzzing of what an agent reads from disk, from its child process, and from its own control API.

Those who write it are trusted; but a disk fills up, another version writes another format, and a
client may have been pointed at the wrong port.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import trio
import trio.testing

from gossipmm import keyfile
from gossipmm.agent import open_agent, state
from gossipmm.client.events import Following
from gossipmm.client.http11 import AnswerReader
from gossipmm.config import Config
from gossipmm.core.values.types import MAX_GENERATION
from gossipmm.embed import child_process, pipe
from gossipmm.embed.plain import restored
from gossipmm.errors import ControlError, GossipError, KeyringError
from tests.agent.memory_network import Air

# -- files -----------------------------------------------------------------------------------------


@cache
def _folder() -> Path:
    root = "/dev/shm" if os.path.isdir("/dev/shm") else None
    return Path(tempfile.mkdtemp(prefix="gossipmm-fuzz-", dir=root))


def key_file(data: bytes) -> None:
    """Read the bytes as a file of keys: KeyringError in words, or keys that are written as read."""
    try:
        ring = keyfile.parse(data, "keys.json")
    except KeyringError as exc:
        str(exc).encode()
        return
    assert keyfile.parse(keyfile.dump(ring), "again") == ring


def state_file(data: bytes) -> None:
    """Read the bytes as a state file: nothing raised, and what was read is written as read."""
    path = str(_folder() / "state.json")
    Path(path).write_bytes(data)
    log = logging.getLogger("gossipmm.agent.state")
    log.disabled = True
    try:
        memory = state.load(path, name="a", cluster="gossipmm")
    finally:
        log.disabled = False
    assert 0 <= memory.generation < MAX_GENERATION
    assert state.save(path, memory, name="a", cluster="gossipmm") == ""
    again = state.load(path, name="a", cluster="gossipmm")
    assert again == memory._replace(peers=memory.peers[: state.MAX_PEERS])


# -- an agent in a child process -------------------------------------------------------------------


def from_child(data: bytes) -> None:
    """Read the bytes as a child's answers: values, errors of ours, or PipeError."""
    lines = pipe.Lines()
    size = _size(data)
    with suppress(pipe.PipeError):
        for at in range(1, len(data), size):
            lines.feed(data[at : at + size])
            for reply in lines:
                assert isinstance(reply["id"], int)
                if "error" in reply:
                    assert isinstance(pipe.error_from(reply), Exception)
                for read in (restored, pipe.view_from):
                    with suppress(pipe.PipeError):
                        read(reply.get("result"))


def to_child(data: bytes) -> None:
    """Read the bytes as the parent's questions: each has an answer that is a line."""
    trio.run(_child, data, clock=trio.testing.MockClock(autojump_threshold=0))


async def _child(data: bytes) -> None:
    config = Config(name="a", bind="127.0.0.1:1", register=("compute",))
    lines = pipe.Lines()
    lines.feed(data)
    async with (
        Air() as air,
        open_agent(config, network=air.host()) as agent,
        trio.open_nursery() as nursery,
    ):
        calls = child_process._Calls(agent, nursery)
        with suppress(pipe.PipeError):
            for request in lines:
                line = pipe.dump({"id": 1, **await child_process._answer(calls, request)})
                assert set(json.loads(line)) & {"result", "error"}
        nursery.cancel_scope.cancel()


def _size(data: bytes) -> int:
    """Return how many bytes arrive at once, as the first byte says."""
    return 1 << (data[0] % 16) if data else 1


# -- the client of the control API -----------------------------------------------------------------


def answer(data: bytes) -> None:
    """Read the bytes as an agent's answer, and as its events: values, or errors of ours."""
    size = _size(data)
    pieces = [data[at : at + size] for at in range(1, len(data), size)]
    reader = AnswerReader()
    taken = 0
    with suppress(ControlError):
        for piece in pieces:
            reader.feed(piece)
            taken += sum(map(len, reader.body()))
        assert taken <= len(data)
    following = Following((), (), (), None)
    with suppress(GossipError):
        for piece in pieces:
            for event in following.feed(piece):
                assert isinstance(event, dict)
    following.request()


FILES: dict[str, Callable[[bytes], Any]] = {
    "keyfile": key_file,
    "state": state_file,
    "from_child": from_child,
    "to_child": to_child,
    "answer": answer,
}
