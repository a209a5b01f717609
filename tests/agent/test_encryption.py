"""Agents with a file of keys: whom they talk to, and what a jump of a clock changes."""

import pytest
import trio

from gossipmm import keyfile
from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.core.values.stats import Drop
from gossipmm.errors import BindError, KeyringError
from tests.agent.memory_network import Air


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


@pytest.fixture
def keys(tmp_path):
    """Two files, with a key each."""
    paths = [str(tmp_path / name) for name in ("ours", "theirs")]
    for path in paths:
        keyfile.create(path, Keyring((keyfile.generate(),)))
    return paths


def config(name, port, keyring, **fields):
    seeds = tuple(f"127.0.0.1:{seed}" for seed in (1, 2, 3, 4) if seed != port)
    return Config(name=name, bind=f"127.0.0.1:{port}", join=seeds, keyring=keyring, **fields)


def names(agent):
    return [member.name for member in agent.members()]


async def test_agents_with_the_same_key_find_each_other_and_others_stay_outside(
    autojump_clock, air, keys
):
    ours, theirs = keys
    async with (
        open_agent(config("a", 1, ours), network=air.host()) as a,
        open_agent(config("b", 2, ours), network=air.host()) as b,
        open_agent(config("x", 3, theirs), network=air.host()) as x,
        open_agent(config("p", 4, ""), network=air.host()) as p,
    ):
        await a.wait_joined()
        await b.wait_joined()
        b.register("compute")
        await trio.sleep(5)
        assert [host for _, host in a.queues("fanout~compute")] == ["b"]
        assert [names(agent) for agent in (a, b, x, p)] == [["a", "b"], ["a", "b"], ["x"], ["p"]]
        assert a.stats.dropped[Drop.UNKNOWN_KEY]
        assert a.stats.dropped[Drop.NOT_ENCRYPTED]
        assert p.stats.dropped[Drop.ENCRYPTED]
        assert set(x.stats.dropped) == {Drop.UNKNOWN_KEY, Drop.NOT_ENCRYPTED}


async def test_a_leave_is_confirmed(autojump_clock, air, keys):
    async with open_agent(config("a", 1, keys[0]), network=air.host()) as a:
        async with open_agent(config("b", 2, keys[0]), network=air.host()) as b:
            await b.wait_joined()
            finished = await b.leave()
            assert (finished.confirmed, finished.told) == (1, 1)
        assert names(a) == ["a", "b"]
        assert ("127.0.0.1", 2) not in air.ports


async def test_a_jump_of_the_wall_clock_brings_a_new_boot_id_and_nobody_minds(
    autojump_clock, air, keys
):
    ours, host = keys[0], air.host()
    async with (
        open_agent(config("a", 1, ours), network=host) as a,
        open_agent(config("b", 2, ours), network=air.host()) as b,
    ):
        await a.wait_joined()
        await b.wait_joined()
        envelope = a._node._envelope
        before = envelope.boot
        await trio.sleep(3)
        assert envelope.boot == before
        host.wall_offset += 3_600_000
        await trio.sleep(3)
        assert envelope.boot != before
        assert a.table.live_count() == b.table.live_count() == 2
        assert not b.stats.suspicions


async def test_a_key_allows_to_bind_beyond_loopback(autojump_clock, air, keys):
    wanted = Config(name="a", bind="10.0.0.1:7946")
    with pytest.raises(BindError, match="no key is configured"):
        async with open_agent(wanted, network=air.host()):
            pass
    async with open_agent(
        Config(name="a", bind="10.0.0.1:7946", keyring=keys[0]), network=air.host()
    ) as agent:
        assert agent.bound == ("10.0.0.1", 7946)


async def test_a_file_of_keys_that_others_can_read_is_refused(autojump_clock, air, tmp_path, keys):
    (tmp_path / "ours").chmod(0o644)
    with pytest.raises(KeyringError, match="has mode 0644, wider than 0600"):
        async with open_agent(config("a", 1, keys[0]), network=air.host()):
            pass
    with pytest.raises(KeyringError, match="cannot be read: No such file"):
        async with open_agent(config("a", 1, "/no/such/file"), network=air.host()):
            pass
    assert not air.ports
