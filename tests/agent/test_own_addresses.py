"""A machine whose addresses change under a running agent, or through which nothing can be sent."""

import errno
import logging
from collections import deque

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.agent.binding import bind
from gossipmm.agent.machine import AddressWatch, has_address, source_towards
from gossipmm.config import Config
from gossipmm.core.values.events import AddressChanged, MemberSuspected
from gossipmm.errors import BindError
from tests.agent.memory_network import Air

OLD, NEW, SEED = "10.0.0.1", "10.0.0.9", "10.0.0.2"


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


def config(name, *join, bind="0.0.0.0:7946", **fields):
    seeds = tuple(f"{seed}:7946" for seed in join)
    return Config(name=name, bind=bind, join=seeds, insecure=True, **fields)


def said(caplog, words):
    return [record.getMessage() for record in caplog.records if words in record.getMessage()]


async def test_an_agent_on_every_address_announces_the_new_one(autojump_clock, air):
    """It announced the old one for ever, and was suspected once or twice a second."""
    here = air.host(primary=OLD)
    async with (
        open_agent(config("a"), network=air.host(primary=SEED)) as a,
        open_agent(config("b", SEED), network=here) as b,
    ):
        await b.wait_joined()
        with a.watch(MemberSuspected, AddressChanged) as watch:
            here.move(NEW)
            await trio.sleep(1)
            assert b.addresses == a.member("b").addresses == ((NEW, 7946),)
            assert isinstance(await anext(watch), AddressChanged)
            await trio.sleep(30)
            with trio.move_on_after(0.1):
                pytest.fail(f"{await anext(watch)}")
        assert a.agreement().agree == 1
        assert b.faults() == {}


async def test_one_that_it_still_has_stays_announced(autojump_clock, air):
    """A cable more, or a default route by another interface, is no reason to move."""
    here = air.host(primary=OLD)
    async with open_agent(config("b"), network=here) as b:
        here.move(NEW, OLD)
        await trio.sleep(1)
        assert b.addresses == ((OLD, 7946),)


async def test_an_address_that_is_gone_is_said_once_until_there_is_one_again(
    autojump_clock, air, caplog
):
    """It held all others for dead, and said nothing of itself."""
    caplog.set_level(logging.INFO)
    here = air.host(primary=OLD)
    async with (
        open_agent(config("a"), network=air.host(primary=SEED)) as a,
        open_agent(config("b", SEED), network=here) as b,
    ):
        await b.wait_joined()
        for _ in range(3):
            here.move()
            await trio.sleep(10)
        assert OLD in b.faults()["address_gone"]
        assert "no route" in b.faults()["sends_fail"]
        assert len(said(caplog, "is gone from this machine")) == 1
        assert len(said(caplog, "nothing that this node sends")) == 1
        here.move(OLD)
        await trio.sleep(10)
        assert b.faults() == {}
        assert len(said(caplog, "has an address again")) == 1
        assert len(said(caplog, "leave this machine again")) == 1
        assert a.member("b").status.label == "alive"


async def test_a_bound_address_that_is_gone_is_said(autojump_clock, air):
    """Nothing else can be announced: whoever bound it there has to act."""
    here = air.host()
    async with open_agent(config("b", bind=f"{OLD}:7946"), network=here) as b:
        here.own = set()
        here._moved.set()
        await trio.sleep(1)
        assert "another bind" in b.faults()["address_gone"]
        assert b.addresses == ((OLD, 7946),)


async def test_an_advertised_address_is_not_looked_for_here(autojump_clock, air):
    here = air.host(primary=OLD)
    async with open_agent(config("b", advertise="192.0.2.7"), network=here) as b:
        here.move(NEW)
        await trio.sleep(1)
        assert b.addresses == (("192.0.2.7", 7946),)
        assert b.faults() == {}


async def test_sends_that_all_fail_are_said_and_a_short_failure_is_not(autojump_clock, air, caplog):
    """A firewall that refused everything was a counter that nobody reads."""
    caplog.set_level(logging.INFO)
    here = air.host(primary=OLD)
    async with (
        open_agent(config("a"), network=air.host(primary=SEED)),
        open_agent(config("b", SEED), network=here) as b,
    ):
        await b.wait_joined()
        air.send_errors[OLD, 7946] = deque([errno.EPERM] * 3)
        await trio.sleep(5)
        assert not said(caplog, "nothing that this node sends")
        air.send_errors[OLD, 7946] = deque([errno.EPERM] * 500)
        await trio.sleep(8)
        assert "firewall" in b.faults()["sends_fail"]
        air.send_errors.clear()
        await trio.sleep(8)
        assert b.faults() == {}


async def test_without_a_default_route_the_address_towards_a_seed_is_announced(air):
    """An agent on an isolated network with its seed on the link did not start."""
    here = air.host(primary=None)
    here.links["10.9.0.1"] = "10.9.0.2"
    air.names["seed"] = [("10.9.0.1", 7946)]
    port, addresses = await bind(Config(bind="0.0.0.0:7", join=("seed",), insecure=True), here)
    assert addresses == (("10.9.0.2", 7),)
    port.close()


async def test_without_any_route_the_error_says_what_to_write(air):
    wanted = Config(bind="0.0.0.0:7", join=("10.9.0.1",), insecure=True)
    with pytest.raises(BindError, match=r"none leads to a seed \(10\.9\.0\.1\).*advertise = "):
        await bind(wanted, air.host(primary=None))


async def test_this_machine_knows_its_addresses():
    assert has_address("127.0.0.1")
    assert not has_address("192.0.2.1")  # TEST-NET-1, RFC 5737
    assert has_address("fe80::1")  # cannot be asked without its link
    assert source_towards("127.0.0.1") == "127.0.0.1"
    with AddressWatch() as watch, trio.move_on_after(0.01) as scope:
        await watch.wait()
    assert scope.cancelled_caught


async def test_where_the_kernel_may_not_be_asked_it_is_looked_now_and_then(
    monkeypatch, autojump_clock
):
    """A sandbox without AF_NETLINK."""

    def refuse(*args):
        raise PermissionError(errno.EPERM, "not allowed")

    monkeypatch.setattr("gossipmm.agent.machine.socket.socket", refuse)
    began = trio.current_time()
    with AddressWatch() as watch:
        await watch.wait()
    assert 1 <= trio.current_time() - began <= 5


async def test_a_datagram_that_the_link_does_not_carry_is_said_once(autojump_clock, air, caplog):
    """It was one counter more; nothing is wrong with the other datagrams."""
    here = air.host(primary=OLD)
    async with (
        open_agent(config("a"), network=air.host(primary=SEED)),
        open_agent(config("b", SEED), network=here) as b,
    ):
        await b.wait_joined()
        air.send_errors[OLD, 7946] = deque([errno.EMSGSIZE] * 40)
        await trio.sleep(10)
        assert b.stats.dropped["send_too_large"] > 2
        assert len(said(caplog, "larger than this machine's link carries")) == 1
        assert b.faults() == {}
