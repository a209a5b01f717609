"""The file of keys of an agent: written before others rely on it, read again, changed by hand."""

from contextlib import AsyncExitStack

import pytest
import trio

from gossipmm import keyfile
from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.core.values.events import KeyRotation
from gossipmm.core.values.rotation_state import Phase
from gossipmm.errors import KeyringError
from tests.agent.memory_network import Air

NAMES = ("a", "b", "c")


@pytest.fixture
async def cluster(autojump_clock, tmp_path):
    """Three agents with a file of keys each; ``file(name)`` is the path."""
    ring = Keyring((keyfile.generate(),))
    async with Air() as air, AsyncExitStack() as stack:
        found = []
        for number, name in enumerate(NAMES, 1):
            path = tmp_path / name
            keyfile.create(path, ring)
            config = Config(
                name=name,
                bind=f"127.0.0.1:{number}",
                join=("127.0.0.1:1",) if number > 1 else (),
                keyring=str(path),
            )
            found.append(await stack.enter_async_context(open_agent(config, network=air.host())))
        with trio.fail_after(30):
            while not all(len(agent.agreement().differ) == 0 for agent in found) or any(
                agent.agreement().agree < 2 for agent in found
            ):
                await trio.sleep(0.1)
        yield found


async def until(true):
    """Wait, in virtual time: that runs on while a thread writes a file, so its end is far off."""
    with trio.fail_after(1_000_000):
        while not true():
            await trio.sleep(0.05)


def ring_of(agent):
    return keyfile.load(agent.keys.path)


def phase(agent):
    return agent.keys.progress().register.phase


async def test_a_rotation_ends_in_all_files(cluster):
    a, b, _ = cluster
    old = ring_of(a).sending
    with b.watch(KeyRotation) as watch:
        await a.keys.rotate()
        assert ring_of(a).rotation.epoch == 1, "written before this returned"
        await until(lambda: all(ring_of(one) == one.keys.ring for one in cluster))
        await until(lambda: all(phase(one) is Phase.DONE for one in cluster))
        await until(lambda: all(one.keys.progress().saved for one in cluster))
        assert [(await anext(watch)).phase for _ in range(3)] == ["add", "use", "done"]
    (new,) = ring_of(a).keys
    assert new != old
    for agent in cluster:
        assert ring_of(agent) == agent.keys.ring
        assert ring_of(agent).retired == (old,)
        assert ring_of(agent).rotation.phase is Phase.DONE
        assert agent.table.live_count() == 3
        assert not agent.keys.trouble


async def test_a_file_that_cannot_be_written_holds_it_up_and_is_said(cluster, tmp_path, caplog):
    a, b, c = cluster
    saved = (tmp_path / "b").read_bytes()
    (tmp_path / "b").write_text("no longer JSON")
    await a.keys.rotate()
    await until(lambda: b.keys.trouble)
    await trio.sleep(4)
    assert [phase(agent) for agent in cluster] == [Phase.ADD] * 3
    assert [member.name for member in a.keys.progress().waits_for] == ["b"]
    assert b.keys.trouble == f"{tmp_path / 'b'}: is not JSON"
    assert caplog.text.count("is not JSON; looked at again every 2 s") == 1
    with pytest.raises(KeyringError, match="is not JSON; it is tried again, and the others wait"):
        await b.keys.add(keyfile.generate())
    (tmp_path / "b").write_bytes(saved)
    await until(lambda: phase(c) is Phase.DONE)
    await until(lambda: not b.keys.trouble)


async def test_nothing_begins_where_the_file_cannot_be_written(cluster, tmp_path):
    a, *_ = cluster
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    for begin in (a.keys.rotate, a.keys.rotate_out_of_band):
        with pytest.raises(KeyringError, match="is not a regular file"):
            await begin()
    assert not a.keys.ring.rotation.epoch


async def test_a_key_that_was_put_into_the_file_by_hand_is_not_overwritten(cluster):
    a, *_ = cluster
    mine = keyfile.generate(*ring_of(a).keys)
    keyfile.save(a.keys.path, ring_of(a).add(mine))
    other = keyfile.generate(*ring_of(a).keys)
    await a.keys.add(other)
    assert {key.kid for key in ring_of(a).keys} >= {mine.kid, other.kid}
    await until(lambda: a.keys.ring == ring_of(a))


async def test_reading_the_file_again(cluster):
    a, *_ = cluster
    assert a.keys.reload() == []
    first = ring_of(a).sending
    second = keyfile.generate(first)
    keyfile.save(a.keys.path, Keyring((second, first)))
    assert a.keys.reload() == [
        f"keyring: key {second.kid.hex()} added",
        f"keyring: key {second.kid.hex()} sends now",
    ]
    keyfile.save(a.keys.path, Keyring((first,)))
    assert a.keys.reload() == [
        f"keyring: key {second.kid.hex()} removed",
        f"keyring: key {first.kid.hex()} sends now",
    ]
    await trio.Path(a.keys.path).write_text("[]")
    (said,) = a.keys.reload()
    assert said.startswith("keyring: nothing was changed: ")
    assert a.keys.ring.sending == first


async def test_out_of_band_looks_into_the_files(cluster):
    a, _, c = cluster
    with pytest.raises(KeyringError, match="Besides the one that sends there is none"):
        await a.keys.rotate_out_of_band()
    new = keyfile.generate(*ring_of(a).keys)
    for agent in cluster[:2]:
        keyfile.save(agent.keys.path, ring_of(agent).add(new))
    with pytest.raises(KeyringError, match="key 00 is not in it"):
        await a.keys.rotate_out_of_band(b"\0")
    await a.keys.rotate_out_of_band()
    await until(lambda: "needs key" in c.keys.trouble)
    await trio.sleep(4)
    assert phase(a) is Phase.ADD
    keyfile.save(c.keys.path, ring_of(c).add(new))
    await until(lambda: all(ring_of(agent).keys == (new,) for agent in cluster))
    assert not c.keys.trouble


async def test_an_agent_without_a_file_says_so(autojump_clock):
    async with (
        Air() as air,
        open_agent(Config(name="a", bind="127.0.0.1:1"), network=air.host()) as agent,
    ):
        assert agent.keys.ring is None
        assert agent.keys.progress() is None
        assert agent.keys.stragglers() == ()
        assert agent.keys.reload() == []
        for refused in (agent.keys.rotate, agent.keys.rotate_out_of_band, agent.keys.cancel):
            with pytest.raises(KeyringError, match="started without a keyring"):
                await refused()


# -- keys that come in a read-only folder --------------------------------------------------------


async def test_a_seed_is_copied_where_there_is_no_keyring(autojump_clock, tmp_path, caplog):
    """As systemd's LoadCredential and a secret of Kubernetes hand it over: not to be written."""
    caplog.set_level("INFO")
    ring = Keyring((keyfile.generate(),))
    seed, own = tmp_path / "seed", tmp_path / "own"
    keyfile.create(seed, ring)
    seed.chmod(0o440)
    config = Config(name="a", bind="127.0.0.1:1", keyring=str(own), keyring_seed=str(seed))
    async with Air() as air:
        async with open_agent(config, network=air.host()) as a:
            assert ring_of(a) == ring
            assert f"keyring {own}: made from {seed}" in caplog.text
            await a.keys.rotate()
            await until(lambda: phase(a) is Phase.DONE and ring_of(a) == a.keys.ring)
            rotated = ring_of(a)
            assert rotated.sending != ring.sending
        # The same seed at the next start is known to be old.
        async with open_agent(config, network=air.host()) as a:
            assert ring_of(a) == rotated
            # A key changed by hand is taken, at a reload or the next start.
            new = Keyring((keyfile.generate(*rotated.keys, *rotated.retired),))
            seed.unlink()
            keyfile.create(seed, new)
            assert any("added" in line for line in a.keys.reload())
            assert a.keys.ring.sending == new.sending


async def test_a_folder_of_keys_that_cannot_be_written_is_said_at_once(
    autojump_clock, tmp_path, monkeypatch
):
    """It was once found out in the middle of a rotation, which then hung on all hosts."""
    path = tmp_path / "keys"
    keyfile.create(path, Keyring((keyfile.generate(),)))
    monkeypatch.setattr(keyfile, "why_not_writable", lambda path: "Read-only file system")
    config = Config(name="a", bind="127.0.0.1:1", keyring=str(path))
    async with Air() as air, open_agent(config, network=air.host()) as a:
        await until(lambda: "keyring" in a.faults())
        words = a.faults()["keyring"]
        assert "its folder cannot be written (Read-only file system)" in words
        assert "name the present file as keyring_seed" in words
        # Until a rotation could be written down after all.
        await a.keys.rotate()
        await until(lambda: "keyring" not in a.faults())
