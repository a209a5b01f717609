"""Saving state as an agent starts and ends: helps the next start, never stands in the way."""

import os
import socket
import threading
import time

import pytest
import trio
import trio.testing

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

                async def fail(*args, **kwargs):
                    raise ZeroDivisionError

                monkeypatch.setattr(trio.to_thread, "run_sync", fail)


@pytest.fixture
def hanging(monkeypatch):
    """Let no fsync return before the event is set; waiting for one is over soon."""
    answers, fsync = threading.Event(), os.fsync
    monkeypatch.setattr("gossipmm.agent.remember._LIMIT", 0.1)
    monkeypatch.setattr(os, "fsync", lambda number: (answers.wait(30), fsync(number)))
    yield answers
    answers.set()


async def test_a_disk_that_hangs_holds_up_neither_start_nor_exit(
    autojump_clock, air, path, hanging, caplog
):
    """An fsync that hung for 30 s delayed both by as much, without a word."""
    began = time.monotonic()  # the disk's clock is not the virtual one
    async with open_agent(config("b", 2, state_file=path), network=air.host()) as b:
        assert "has not answered" in b.faults()["state_file"]
        await trio.sleep(600)
        said = [each for each in caplog.records if "has not answered" in each.getMessage()]
        assert len(said) == 1
    assert time.monotonic() - began < 20


async def written(agent):
    """Wait for the thread that writes: the virtual clock does not."""
    for _ in range(500):
        if not agent.faults():
            return
        await trio.to_thread.run_sync(time.sleep, 0.01)
    assert agent.faults() == {}


async def test_a_state_file_that_cannot_be_written_is_said_once(
    autojump_clock, air, tmp_path, caplog
):
    """It was said each minute, for ever, and nowhere but in the log."""
    path = tmp_path / "no" / "state.json"
    async with open_agent(config("b", 2, state_file=str(path)), network=air.host()) as b:
        await trio.sleep(600)
        assert "No such file" in b.faults()["state_file"]
        assert caplog.text.count("No such file") == 1
        path.parent.mkdir()
        await trio.sleep(70)
        await written(b)


async def test_a_disk_that_answers_again_is_written_to(autojump_clock, air, path, hanging):
    """What hung is not the last word: an older state never replaces a newer one."""
    async with (
        open_agent(config("a", 1), network=air.host()),
        open_agent(config("b", 2, 1, state_file=path), network=air.host()) as b,
    ):
        await b.wait_joined()
        assert b.faults()
        hanging.set()
        await trio.sleep(70)
        await written(b)
        assert remembered(path).peers == (A,)


async def test_names_that_are_not_answered_keep_no_thread_from_others(monkeypatch):
    """60 of them took all of Trio's threads: the state file waited, and the exit with it, 5.5 s."""
    answers = threading.Event()
    asked = "gossipmm.agent.network.socket.getaddrinfo"

    def ask(host, port, *, type=0, flags=0):
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "no literal")
        answers.wait()
        return []

    monkeypatch.setattr(asked, ask)
    network = SystemNetwork()
    try:
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for number in range(60):
                    nursery.start_soon(network.resolve, f"seed-{number}.example.org", 7946)
                await trio.testing.wait_all_tasks_blocked()
                assert await trio.to_thread.run_sync(lambda: "done") == "done"
                nursery.cancel_scope.cancel()
    finally:
        answers.set()


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
