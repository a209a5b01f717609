"""Saving state as an agent starts and ends: helps the next start, never stands in the way."""

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.agent.network import SystemNetwork
from gossipmm.agent.state import load
from gossipmm.config import Config
from tests.agent.memory_network import Air

A = ("127.0.0.1", 1)


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state.json")


@pytest.fixture
def no_more_threads(monkeypatch):
    """Let no thread be started any more, as at a process limit, or late in a program's exit."""

    async def refuse(*args, **kwargs):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    return lambda: monkeypatch.setattr(trio.to_thread, "run_sync", refuse)


def config(name, port, *join, **fields):
    seeds = tuple(f"127.0.0.1:{seed}" for seed in join)
    return Config(name=name, bind=f"127.0.0.1:{port}", join=seeds, **fields)


def remembered(path):
    return load(path, name="b", cluster="gossipmm")


async def test_an_agent_that_can_start_no_thread_saves_and_ends(
    autojump_clock, air, path, no_more_threads
):
    """Python 3.12 starts no thread once a program exits, which is when a forgotten agent leaves.

    Saving raised, nothing ended the tasks, and the exit waited for them until it gave up.
    """
    async with open_agent(config("a", 1), network=air.host()):
        async with open_agent(config("b", 2, 1, state_file=path), network=air.host()) as b:
            await b.wait_joined()
            no_more_threads()
        assert remembered(path).peers == (A,)


async def test_an_agent_whose_state_cannot_be_saved_ends_all_the_same(
    autojump_clock, air, path, monkeypatch
):
    async with open_agent(config("a", 1), network=air.host()):
        with pytest.raises(ZeroDivisionError):
            async with open_agent(config("b", 2, 1, state_file=path), network=air.host()) as b:
                await b.wait_joined()

                async def fail(*args):
                    raise ZeroDivisionError

                monkeypatch.setattr(trio.to_thread, "run_sync", fail)


async def test_a_start_that_ends_before_it_found_anybody_keeps_the_old_peers(
    autojump_clock, air, path
):
    """The first save of a life wrote its generation, and no peers over those of the last one.

    A node that crashed before it had joined then had nobody to try at its next start.
    """
    async with (
        open_agent(config("a", 1), network=air.host()),
        open_agent(config("b", 2, 1, state_file=path), network=air.host()) as b,
    ):
        await b.wait_joined()
    for _ in range(2):
        async with open_agent(config("b", 2, state_file=path), network=air.host()) as b:
            assert remembered(path).peers == (A,)
            assert remembered(path).generation == b.generation


async def test_a_name_that_no_thread_can_be_started_for_is_one_that_cannot_be_resolved_now(
    no_more_threads,
):
    """RuntimeError is none that the resolver of seeds expects: it ended the agent."""
    no_more_threads()
    with pytest.raises(OSError, match="new thread"):
        await SystemNetwork().resolve("seed.example.org", 7946)
    with pytest.raises(OSError, match="new thread|need dnspython"):
        await SystemNetwork().resolve_srv("_gossipmm._udp.example.org")
    assert await SystemNetwork().resolve("127.0.0.1", 7946) == [("127.0.0.1", 7946)]
