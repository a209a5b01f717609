"""Agents over a network in memory, under Trio's autojump clock."""

import errno
from collections import deque
from contextlib import AsyncExitStack

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.core.values.events import HostChanged, MemberDied, MemberJoined
from gossipmm.core.values.types import Status
from gossipmm.errors import (
    AgentClosedError,
    ConfigError,
    KeyringError,
    SeedError,
    WatchOverflowError,
)
from tests.agent.memory_network import Air

A, B, C = ("127.0.0.1", 1), ("127.0.0.1", 2), ("127.0.0.1", 3)


def config(name, port=0, *join, **fields):
    return Config(
        name=name,
        bind=f"127.0.0.1:{port}",
        join=tuple(f"127.0.0.1:{seed}" for seed in join),
        **fields,
    )


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


@pytest.fixture
async def three(air):
    """Agents a, b and c on ports 1, 2 and 3, joined; each registers compute."""
    async with AsyncExitStack() as stack:
        agents = []
        for number, name in enumerate("abc", 1):
            wanted = config(name, number, *([1] if number > 1 else []), register=("compute",))
            agents.append(await stack.enter_async_context(open_agent(wanted, network=air.host())))
        with trio.fail_after(10):
            while not all(len(agent.queues("fanout~compute")) == 3 for agent in agents):
                await trio.sleep(0.01)
        yield agents


def hosts(agent, key):
    return [host for _, host in agent.queues(key)]


async def test_agents_find_each_other_and_answer(autojump_clock, three):
    for agent in three:
        assert [view.name for view in agent.members()] == ["a", "b", "c"]
        assert sorted(
            hosts(agent, "compute") + hosts(agent, "compute") + hosts(agent, "compute")
        ) == [
            "a",
            "b",
            "c",
        ]
        assert hosts(agent, "compute.b") == ["b"]
        assert agent.lookup("compute").status == "ok"
        assert agent.lookup("nothing").status == "unknown_topic"
    await trio.sleep(2)
    assert three[0].agreement().agree == 2


async def test_what_is_told_to_one_reaches_the_others_at_once(autojump_clock, three):
    a, b, c = three
    began = trio.current_time()
    a.register("volume", metadata={"zone": 1})
    b.register("volume", "other")
    with a.watch() as events:
        await trio.sleep(0.05)
        assert hosts(b, "fanout~volume") == hosts(c, "fanout~volume") == ["a", "other"]
        assert c.lookup("volume").hosts[0].metadata == {"zone": 1}
        assert a.drain("volume") == 1
        await trio.sleep(0.05)
        assert hosts(b, "volume") == ["other"]
        assert hosts(b, "volume.a") == ["a"]
        assert a.unregister("volume")
        assert not a.unregister("volume")
        await trio.sleep(0.05)
        assert hosts(b, "volume.a") == []
        assert isinstance(await anext(events), HostChanged)
    assert trio.current_time() - began < 0.2


async def test_a_mute_member_dies_and_its_return_is_seen(autojump_clock, three, air):
    a, b, c = three
    with a.watch(MemberDied) as died:
        air.lost = lambda source, target: B in (source, target)
        with trio.fail_after(20):
            assert (await anext(died)).name == "b"
    assert hosts(a, "fanout~compute") == ["a", "c"]
    assert a.why("b")
    air.lost = lambda source, target: False
    with trio.fail_after(120):
        while hosts(a, "fanout~compute") != ["a", "b", "c"]:
            await trio.sleep(0.1)
    assert c.member("b") is not None
    assert b.name == "b"


async def test_the_end_of_the_block_leaves_the_cluster(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as a:
        async with open_agent(config("b", 2, 1), network=air.host()) as b:
            await b.wait_joined()
            await trio.sleep(1)
        assert a.member("b").status is Status.LEFT
        finished = await b.leave()
        assert (finished.confirmed, finished.told) == (1, 1)
        with pytest.raises(AgentClosedError, match="agent b was closed"):
            b.register("compute")
        assert b.members()  # reading goes on


async def test_an_error_in_the_block_leaves_too_and_comes_out_as_it_is(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as a:
        with pytest.raises(ValueError, match="mine"):
            async with open_agent(config("b", 2, 1), network=air.host()) as b:
                await b.wait_joined()
                await trio.sleep(1)
                raise ValueError("mine")
        assert a.member("b").status is Status.LEFT


async def test_a_group_of_errors_of_the_block_stays_a_group(autojump_clock, air):
    """It came out as another group: with the same errors, but not the one that was raised."""
    group = ExceptionGroup("two of mine", [ValueError(), KeyError()])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_agent(config("a", 1), network=air.host()):
            raise group
    assert caught.value is group
    assert group.__context__ is None


async def test_cancellation_leaves_too(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as a:
        with trio.move_on_after(2):
            async with open_agent(config("b", 2, 1), network=air.host()):
                await trio.sleep_forever()
        assert a.member("b").status is Status.LEFT


async def test_a_leave_that_nobody_hears_is_bounded(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()):
        began = trio.current_time()
        with trio.move_on_after(2) as scope:
            async with open_agent(config("b", 2, 1), network=air.host()) as b:
                await b.wait_joined()
                await trio.sleep(1.8)
                air.lost = lambda source, target: True
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() - began <= 2 + Config().leave_timeout + 0.6
        finished = await b.leave()
        assert (finished.confirmed, finished.told) == (0, 1)


async def test_after_leaving_nothing_can_be_told(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as a:
        first = await a.leave()
        assert await a.leave() is first
        for call in (
            lambda: a.register("compute"),
            lambda: a.unregister("compute"),
            lambda: a.drain(),
            lambda: a.watch(),
            lambda: a.join("b:1"),
            lambda: a.report_failure("compute", "a"),
        ):
            with pytest.raises(AgentClosedError, match="agent a is leaving"):
                call()


async def test_a_programming_error_ends_the_agent_and_its_block_loudly(
    autojump_clock, air, monkeypatch
):
    with pytest.raises(ZeroDivisionError):
        async with open_agent(config("a", 1), network=air.host()) as agent:
            with agent.watch() as events:

                def broken(now):
                    raise ZeroDivisionError

                monkeypatch.setattr(agent._node, "handle_timer", broken)
                async for _ in events:
                    pass
            with pytest.raises(AgentClosedError, match="agent a failed"):
                agent.register("compute")
            await trio.sleep_forever()
    assert not air.ports


async def test_socket_errors_are_survived_and_counted(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as a:
        names = ["EAGAIN", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOBUFS", "EPERM"]
        air.send_errors[B] = deque(getattr(errno, name) for name in names)
        network = air.host()
        async with open_agent(config("b", 2, 1, dial_back=False), network=network) as b:
            network.port.receive_errors.extend([errno.ECONNREFUSED] * 2)
            with trio.fail_after(20):
                await b.wait_joined()
            assert b.io_stats.as_dict()["send_errors"] == dict.fromkeys(names, 1)
            assert b.io_stats.receive_errors == {"ECONNREFUSED": 2}
            assert b.stats.as_dict()["dropped"]["send_failed"] == 6
        assert a.member("b").status is Status.LEFT


async def test_a_socket_that_is_closed_under_the_agent_is_a_programming_error(autojump_clock, air):
    network = air.host()
    with pytest.raises(OSError, match="Bad file descriptor"):
        async with open_agent(config("b", 2, 1), network=network):
            network.port.closed = True
            await trio.sleep_forever()


async def test_garbage_is_counted_and_changes_nothing(autojump_clock, three, air):
    a = three[0]
    before = a.members()
    for junk in (b"", b"\x00", b"\xff" * 2000, bytes(range(256)) * 4):
        air.carry(junk, C, A)
    await trio.sleep(0.01)
    assert [view.name for view in a.members()] == [view.name for view in before]
    assert sum(a.stats.as_dict()["dropped"].values()) == 4


async def test_a_slow_watcher_is_told_and_dropped(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as agent:
        slow, fast = agent.watch(buffer=3), agent.watch()
        for number in range(10):
            agent.register(f"topic-{number}")
        received = []
        with pytest.raises(WatchOverflowError, match="more than 3 events behind"):
            async for event in slow:
                received.append(event.topic)
        assert received == ["topic-0", "topic-1", "topic-2"]
        assert agent.io_stats.watchers_dropped == 1
        assert [(await anext(fast)).topic for _ in range(10)][-1] == "topic-9"


async def test_watching_ends_with_the_agent(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as agent:
        watch = agent.watch()
        agent.register("compute")
    kinds = [type(event).__name__ async for event in watch]
    assert kinds[0] == "HostChanged"
    assert "LeaveFinished" in kinds


async def test_a_watch_can_be_for_some_events_only(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as a:
        with a.watch(MemberJoined) as joins:
            a.register("compute")
            async with open_agent(config("b", 2, 1), network=air.host()):
                with trio.fail_after(5):
                    assert (await anext(joins)).name == "b"


async def test_an_agent_with_nobody_to_join_is_joined(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as agent:
        await agent.wait_joined()
        assert agent.table.joined


async def test_an_agent_alone_with_a_dead_seed_is_not_joined_until_it_comes(autojump_clock, air):
    async with open_agent(config("b", 2, 1), network=air.host()) as b:
        with trio.move_on_after(30) as scope:
            await b.wait_joined()
        assert scope.cancelled_caught
        async with open_agent(config("a", 1), network=air.host()):
            with trio.fail_after(3):
                await b.wait_joined()


async def test_seeds_can_be_added_while_it_runs(autojump_clock, air):
    async with (
        open_agent(config("a", 1), network=air.host()) as a,
        open_agent(config("b", 2), network=air.host()) as b,
    ):
        await trio.sleep(5)
        b.join("127.0.0.1:1")
        await trio.sleep(0.5)
        assert a.member("b").status is Status.ALIVE
        with pytest.raises(SeedError, match="x:y"):
            b.join("127.0.0.1:3", "x:y")


async def test_a_malformed_seed_or_registration_is_refused_before_anything_is_bound(
    autojump_clock, air
):
    with pytest.raises(SeedError):
        async with open_agent(Config(name="a", join=("a:b",)), network=air.host()):
            pass
    with pytest.raises(ConfigError, match="^register: topic 'a.b' contains a dot"):
        async with open_agent(config("a", 1, register=("a.b",)), network=air.host()):
            pass
    assert not air.ports


async def test_a_keyring_is_not_silently_ignored(autojump_clock, air):
    with pytest.raises(KeyringError, match="^/some/file: cannot be read"):
        async with open_agent(config("a", 1, keyring="/some/file"), network=air.host()):
            pass


async def test_the_configuration_registers_topics_for_this_node_and_for_others(autojump_clock, air):
    wanted = config("a", 1, register=("compute", "scheduler=host-x"))
    async with open_agent(wanted, network=air.host()) as agent:
        assert hosts(agent, "compute") == ["a"]
        assert hosts(agent, "scheduler") == ["host-x"]
        assert {entry.topic for entry in agent.registrations()} == {"compute", "scheduler"}


async def test_a_ttl_runs_out_unless_it_is_renewed(autojump_clock, air):
    async with open_agent(config("a", 1), network=air.host()) as agent:
        agent.register("compute", "x", ttl=10)
        await trio.sleep(8)
        assert agent.renew("compute", "x")
        await trio.sleep(8)
        assert hosts(agent, "compute") == ["x"]
        await trio.sleep(4)
        assert hosts(agent, "compute") == []
        assert not agent.renew("compute", "x")


async def test_the_same_name_comes_back_with_a_higher_generation(autojump_clock, air, tmp_path):
    path = str(tmp_path / "state.json")
    generations = []
    for offset in (0, -3_600_000):  # the second start believes that it is an hour earlier
        network = air.host()
        network.wall_offset = offset
        wanted = config("b", 2, state_file=path)
        async with open_agent(wanted, network=network) as agent:
            generations.append(agent.generation)
    assert generations[1] > generations[0]


async def test_peers_remembered_are_tried_when_no_seed_is_left(autojump_clock, air, tmp_path):
    path = str(tmp_path / "state.json")
    async with open_agent(config("a", 1), network=air.host()) as a:
        async with open_agent(config("b", 2, 1, state_file=path), network=air.host()) as b:
            await b.wait_joined()
            await trio.sleep(0.5)
        async with open_agent(config("b", 2, state_file=path), network=air.host()):
            await trio.sleep(2)
            assert a.member("b").status is Status.ALIVE


async def test_two_nodes_of_one_name_are_an_event_not_a_crash(autojump_clock, three, air):
    a = three[0]
    with a.watch() as events:
        async with open_agent(config("b", 9, 1), network=air.host()):
            await trio.sleep(5)
        assert "NameConflict" in await kinds_so_far(events) or a.member("b") is not None


async def kinds_so_far(events):
    found = []
    with trio.move_on_after(0.1):
        async for event in events:
            found.append(type(event).__name__)
    return found
