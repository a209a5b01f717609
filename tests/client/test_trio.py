"""The client for Trio, against an agent in the same run."""

import logging
from contextlib import aclosing, asynccontextmanager

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.client.trio import TrioClient
from gossipmm.config import Config
from gossipmm.errors import AgentUnreachableError, ControlError, RegistrationError
from gossipmm.sidecar.serve import open_sidecar


@asynccontextmanager
async def serving(path, **fields):
    config = Config.preset("local", name="a", bind="127.0.0.1:0", control=str(path), **fields)
    async with open_agent(config) as agent, open_sidecar(agent) as sidecar:
        yield agent, sidecar


@pytest.fixture
def log_level():
    """The level of the package's log, as it was before."""
    log = logging.getLogger("gossipmm")
    before = log.level
    yield
    log.setLevel(before)


@pytest.fixture
async def client(tmp_path):
    async with (
        serving(tmp_path / "a.sock", register=("compute",)),
        TrioClient(str(tmp_path / "a.sock")) as client,
    ):
        yield client


async def test_the_same_calls(client, log_level):
    assert await client.queues("compute") == [("compute.a", "a")]
    assert (await client.lookup("nothing")).status == "unknown_topic"
    assert list(await client.topics()) == ["compute"]
    assert (await client.topic("compute")).picks == ("a",)
    assert await client.ring() == {"compute": ["a"]}
    assert [member.name for member in await client.members()] == ["a"]
    assert (await client.member("a")).status.label == "alive"
    assert await client.why("zz") == ()
    assert (await client.status()).joined is True
    assert (await client.get("members", "a", "why"))["status"] == "alive"
    assert (await client.config())["register"] == ["compute"]
    await client.register("web", "h", {"port": 80}, ttl=9)
    assert (await client.registrations())[-1].ttl == 9
    assert await client.ack_alive("web", "h") is True
    assert await client.drain("web", "h") == 1
    assert await client.expire("web", "h") is True
    assert await client.report_failure("web", "zz") is False
    assert len(await client.registrations()) == 2
    assert await client.unregister("web", "h") is True
    assert await client.unregister("web", "h") is False
    assert (await client.join("127.0.0.1:1")).live == 1
    await client.set_log_level("info")
    with pytest.raises(RegistrationError, match="contains a dot"):
        await client.register("a.b", "x")
    assert await client.log_level() == "info"
    assert await client.forget("zz") is False
    with pytest.raises(ControlError, match="no member is called"):
        await client.get("members", "zz")
    assert len(client._idle) == 1


def test_both_clients_have_the_same_calls():
    from gossipmm.client import Client

    def public(kind):
        return {name for name in dir(kind) if not name.startswith("_")} - {"close", "aclose"}

    assert public(Client) == public(TrioClient)


async def test_many_tasks_share_one_client(client):
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(client.queues, "compute")
    assert 1 <= len(client._idle) <= 16
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.queues("compute")
    assert scope.cancelled_caught
    assert await client.queues("compute") == [("compute.a", "a")]


async def test_registered_and_watch(client):
    async with aclosing(client.watch("host_changed", reconnect=False)) as events:
        assert (await anext(events))["event"] == "hello"
        async with client.registered("web", "h", ttl=0.3):
            assert (await anext(events))["host"] == "h"
            await client.unregister("web", "h")
            assert (await anext(events))["state"] is None
            assert (await anext(events))["state"] == "live"  # made again in the background
        assert (await anext(events))["state"] is None
    with pytest.raises(ZeroDivisionError):
        async with client.registered("web", "h"):
            raise ZeroDivisionError
    assert await client.queues("web.h") == []


async def test_the_log_is_read(client):
    async with aclosing(client.monitor("info")) as lines:
        assert (await anext(lines))["message"].startswith("monitoring a at info")
        await client.register("web", "h")
        assert (await anext(lines))["message"] == "topic web: h is live"
    await client.unregister("web", "h")


async def test_nobody_there(tmp_path):
    async with TrioClient(str(tmp_path / "x")) as client:
        with pytest.raises(AgentUnreachableError, match="there is no such socket"):
            await client.status()
        with pytest.raises(AgentUnreachableError):
            async with aclosing(client.watch(reconnect=False)) as events:
                await anext(events)


async def test_a_connection_that_died_while_idle_costs_nothing(tmp_path):
    path = tmp_path / "a.sock"
    async with TrioClient(str(path)) as client:
        async with serving(path, register=("one",)):
            await client.queues("one")
        async with serving(path, register=("two",)):
            assert await client.queues("two") == [("two.a", "a")]


async def test_a_sidecar_ends_quickly_whoever_is_connected(tmp_path):
    path = tmp_path / "a.sock"
    async with TrioClient(str(path)) as client:
        with trio.fail_after(5):
            async with serving(path):
                await client.status()  # an idle connection
                events = client.watch(reconnect=False)
                assert (await anext(events))["event"] == "hello"
                began = trio.current_time()
        assert trio.current_time() - began < 2.5
        assert (await anext(events))["event"] == "closing"
        await events.aclose()
    assert not path.exists()
