"""The keys of an embedded agent: the same calls on every face, and the file of keys behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gossipmm import keyfile
from gossipmm.config import Config
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.embed.asyncio import open_agent
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.child import ChildAgent
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import KeyringError
from tests.embed.helpers import config

FACES: list[Callable[[Config], Any]] = [ThreadAgent, ChildAgent]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file with one key."""
    file = tmp_path / "keys.json"
    keyfile.create(file, Keyring((keyfile.generate(),)))
    return file


@pytest.fixture(params=FACES, ids=lambda kind: kind.__name__)
def agent(request: pytest.FixtureRequest, path: Path) -> Iterator[BlockingAgent]:
    made = request.param(config("a", keyring=str(path)))
    made.start()
    yield made
    made.close()


def test_a_program_changes_the_keys_of_its_own_agent(agent: BlockingAgent, path: Path) -> None:
    """Only a Trio program could: the others had to run a control API, and ask it."""
    (first,) = keyfile.load(path).keys
    found = agent.keys.status()
    assert (found.node, found.encrypted, found.file) == ("a", True, str(path))
    assert found.keys == (first.kid,)
    second = keyfile.generate(first)
    agent.keys.add(second)
    assert keyfile.load(path).keys == (first, second), "written before add returned"
    agent.keys.use(second.kid, force=True)
    agent.keys.remove(first.kid, force=True)
    assert agent.keys.status().keys == (second.kid,)
    keyfile.save(path, keyfile.load(path).add(first))
    assert agent.keys.reload() == [f"keyring: key {first.kid.hex()} added"]
    with pytest.raises(KeyringError):
        agent.keys.remove(b"\xff\xff")
    agent.keys.rotate_out_of_band(first.kid, keep=1.0)
    rotation = agent.keys.status().rotation
    assert rotation is not None
    assert (rotation.kid, rotation.replaces, rotation.out_of_band) == (first.kid, second.kid, True)


def test_a_rotation_is_begun_and_taken_back(agent: BlockingAgent, path: Path) -> None:
    (first,) = keyfile.load(path).keys
    agent.keys.rotate()
    rotation = agent.keys.status().rotation
    assert rotation is not None
    assert rotation.replaces == first.kid
    assert len({key.kid for key in keyfile.load(path).keys} - {first.kid}) == 1
    with suppress(KeyringError):  # alone, a rotation may have ended by now
        agent.keys.leave_behind([])
        agent.keys.cancel()
    assert agent.keys.status().keys


def test_an_agent_without_keys_says_so(request: pytest.FixtureRequest) -> None:
    agent = ThreadAgent(config("plain"))
    agent.start()
    request.addfinalizer(agent.close)
    assert not agent.keys.status().encrypted
    with pytest.raises(KeyringError, match="started without a keyring"):
        agent.keys.rotate()


def test_asyncio_awaits_the_same_calls(path: Path) -> None:
    async def main() -> None:
        fields = {"preset": "local", "name": "a", "bind": "127.0.0.1:0", "leave_timeout": 0.5}
        async with open_agent(**fields, keyring=str(path)) as agent:  # type: ignore[arg-type]
            (first,) = keyfile.load(path).keys
            second = keyfile.generate(first)
            await agent.keys.add(second)
            await agent.keys.use(second.kid, force=True)
            await agent.keys.remove(first.kid, force=True)
            assert (await agent.keys.status()).keys == (second.kid,)
            assert await agent.keys.reload() == []
            with pytest.raises(KeyringError):
                await agent.keys.use(b"\xff\xff")

    asyncio.run(main())
