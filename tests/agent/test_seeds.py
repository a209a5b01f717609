"""Seeds: resolved for as long as the agent lives, and never a reason to end it."""

import logging

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.agent.seeds import SeedResolver
from gossipmm.config import Config
from gossipmm.core.values.types import Status
from gossipmm.errors import SeedError
from tests.agent.memory_network import Air, MemoryNetwork


class Names(MemoryNetwork):
    """A name service that may be slow."""

    delay = 0.0

    async def resolve(self, host, port):
        await trio.sleep(self.delay)
        return await super().resolve(host, port)


@pytest.fixture
def air():
    return Air()


def resolver(air, *seeds, alone=lambda: True, found=lambda addresses: None, **kw):
    names = Names(air, None)
    return names, SeedResolver(
        seeds,
        names,
        usable=lambda address: ":" not in address[0],
        alone=alone,
        found=found,
        **kw,
    )


async def test_all_addresses_of_all_seeds_come_out_once(autojump_clock, air):
    air.names["pool"] = [("10.0.0.1", 0), ("10.0.0.2", 0), ("fd00::1", 0)]
    _, seeds = resolver(air, "pool:5", "10.0.0.1:5", "10.0.0.3")
    assert await seeds.resolve() == (("10.0.0.1", 5), ("10.0.0.2", 5), ("10.0.0.3", 7946))


async def test_a_seed_that_cannot_be_resolved_is_said_once_a_change(autojump_clock, air, caplog):
    caplog.set_level(logging.INFO)
    _, seeds = resolver(air, "later:1", "10.0.0.1:1")
    for _ in range(3):
        assert await seeds.resolve() == (("10.0.0.1", 1),)
    assert seeds.failures == 3
    air.names["later"] = [("10.0.0.2", 0)]
    for _ in range(3):
        assert len(await seeds.resolve()) == 2
    del air.names["later"]
    assert len(await seeds.resolve()) == 2  # what it was last is better than nothing
    said = [record.getMessage() for record in caplog.records]
    reason = "cannot be resolved: Name or service not known"
    again = "it is tried again for as long as the agent lives"
    assert said == [
        f"seed later:1 {reason}; {again}",
        "seed later:1 is 10.0.0.2:1",
        f"seed later:1 {reason}; {again}",
    ]


async def test_a_seed_of_the_other_family_is_said(autojump_clock, air, caplog):
    """An agent on [::1] with the seed "localhost" once waited for ever, and said nothing."""
    air.names["six"] = [("fd00::1", 0)]
    _, seeds = resolver(air, "six:1")
    assert await seeds.resolve() == ()
    assert "[fd00::1]:1 cannot be reached from the family of addresses bound here" in caplog.text


async def test_a_dead_name_server_does_not_hold_up_the_other_seeds(autojump_clock, air):
    names, seeds = resolver(air, "slow:1")
    names.delay = 3600
    began = trio.current_time()
    assert await seeds.resolve() == ()
    assert trio.current_time() - began == pytest.approx(5)
    assert seeds.failures == 1


async def test_names_are_asked_each_second_while_alone_and_seldom_afterwards(autojump_clock, air):
    alone, times = True, []
    air.names["seed"] = [("10.0.0.1", 1)]
    _, seeds = resolver(
        air, "seed", alone=lambda: alone, found=lambda _: times.append(trio.current_time())
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seeds.run, 30.0)
        await trio.sleep(4.5)
        assert len(times) == 5
        alone = False
        await trio.sleep(60)
        assert len(times) == 7
        alone = True
        seeds.look()
        await trio.sleep(4)
        assert len(times) >= 10
        nursery.cancel_scope.cancel()


class Sleeps(trio.abc.Instrument):
    """Counts how often everything waited until something was due."""

    def __init__(self):
        self.count = 0

    def before_io_wait(self, timeout):
        self.count += timeout > 0


async def test_nothing_wakes_between_two_resolutions_while_others_are_known(autojump_clock, air):
    """It woke each second to look whether the agent was alone: a third of an agent's wake-ups."""
    _, seeds = resolver(air, "10.0.0.1:1", alone=lambda: False)
    sleeps = Sleeps()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seeds.run, 3600.0)
        await trio.sleep(1)
        trio.lowlevel.add_instrument(sleeps)
        await trio.sleep(600)
        trio.lowlevel.remove_instrument(sleeps)
        nursery.cancel_scope.cancel()
    assert sleeps.count <= 2


async def test_nothing_wakes_an_agent_that_is_alone_and_has_nobody_to_ask(autojump_clock, air):
    """It resolved no name at all, every second."""
    _, seeds = resolver(air, alone=lambda: True)
    sleeps = Sleeps()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seeds.run, 3600.0)
        await trio.sleep(1)
        trio.lowlevel.add_instrument(sleeps)
        await trio.sleep(600)
        trio.lowlevel.remove_instrument(sleeps)
        nursery.cancel_scope.cancel()
    assert sleeps.count <= 2


async def test_whoever_loses_its_last_peer_asks_the_names_at_once(autojump_clock):
    """Nothing else asks them before ``seed_interval`` is over."""
    async with Air() as air:
        air.names["seed"] = [("127.0.0.1", 1)]
        wanted = Config(name="b", bind="127.0.0.1:2", join=("seed:1",), seed_interval=3600.0)
        async with open_agent(wanted, network=air.host()) as b:
            async with open_agent(Config(name="a", bind="127.0.0.1:1"), network=air.host()):
                await b.wait_joined()
                await trio.sleep(10)
                air.names["seed"] = [("127.0.0.1", 3)]
            async with open_agent(Config(name="c", bind="127.0.0.1:3"), network=air.host()):
                await trio.sleep(3)
                assert b.member("c").status is Status.ALIVE


async def test_a_seed_added_is_asked_at_once(autojump_clock, air):
    found = []
    _, seeds = resolver(air, "10.0.0.1:1", alone=lambda: False, found=found.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seeds.run, 3600.0)
        await trio.sleep(10)
        seeds.add(["10.0.0.2:1"])
        await trio.sleep(0.1)
        assert found[-1] == (("10.0.0.1", 1), ("10.0.0.2", 1))
        nursery.cancel_scope.cancel()


async def test_srv_records_name_hosts_and_ports(autojump_clock, air):
    air.srv["_gossipmm._udp.example"] = [("a", 5), ("b", 6), ("gone", 7)]
    air.names.update(a=[("10.0.0.1", 0)], b=[("10.0.0.2", 0)])
    _, seeds = resolver(air, "_gossipmm._udp.example")
    assert await seeds.resolve() == (("10.0.0.1", 5), ("10.0.0.2", 6))
    air.names.clear()
    await seeds.resolve()
    assert seeds.failures == 1


async def test_remembered_peers_are_tried_only_while_alone(autojump_clock, air):
    alone = True
    _, seeds = resolver(air, "10.0.0.1:1", remembered=[("10.0.0.9", 9)], alone=lambda: alone)
    assert ("10.0.0.9", 9) in await seeds.resolve()
    alone = False
    assert ("10.0.0.9", 9) not in await seeds.resolve()


def test_a_malformed_seed_adds_none(air):
    _, seeds = resolver(air)
    with pytest.raises(SeedError):
        seeds.add(["10.0.0.1:1", "a:b"])
    assert not seeds._seeds


async def test_a_name_that_moves_is_followed_without_a_restart(autojump_clock):
    async with Air() as air:
        air.names["seed"] = [("127.0.0.1", 9)]
        wanted = Config(name="b", bind="127.0.0.1:2", join=("seed:9",))
        async with (
            open_agent(Config(name="a", bind="127.0.0.1:1"), network=air.host()) as a,
            open_agent(wanted, network=air.host()) as b,
        ):
            await trio.sleep(5)
            assert a.member("b") is None
            air.names["seed"] = [("127.0.0.1", 1)]
            await trio.sleep(2)
            assert a.member("b").status is Status.ALIVE
            assert b.seed_failures == 0
