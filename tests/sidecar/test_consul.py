"""Consul's clients: the paths, parameters and headers that they rely on, as they were measured.

What they do with an answer: an equal index throws the body away, a missing one makes them spin or
fail, an empty map takes all targets away. ``test_consul_clients.py`` has a real one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from gossipmm.config import Config
from gossipmm.core.values.types import HostState
from gossipmm.errors import ConfigError
from gossipmm.sidecar.consul import catalog as catalogs
from gossipmm.sidecar.consul import shapes
from gossipmm.sidecar.consul.catalog import Catalog
from gossipmm.sidecar.consul.router import application
from gossipmm.sidecar.http.messages import Held, Request, Response
from tests.agent.memory_network import Air
from tests.sidecar.helpers import agents

HEADERS = {b"host": b"127.0.0.1:8500"}


class Consul:
    """What one agent answers."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        self.catalog = Catalog(agent)
        self.application = application(agent, self.catalog)

    async def ask(self, target: str, method: str = "GET", **headers: str) -> Response:
        given = HEADERS | {name.encode(): value.encode() for name, value in headers.items()}
        answer = self.application(Request(method, target.encode(), given, tcp=True))
        if isinstance(answer, Held):
            answer = await answer.run()
        assert isinstance(answer, Response)
        return answer

    async def get(self, target: str) -> tuple[Any, int]:
        """Ask for what is there: (body, index)."""
        answer = await self.ask(target)
        assert answer.status == 200, answer.body
        assert answer.content_type == "application/json"
        return json.loads(answer.body), int(dict(answer.headers).get("x-consul-index", 0))


@asynccontextmanager
async def cluster(*names: str, **fields: Any) -> AsyncGenerator[list[Consul], None]:
    async with (
        Air() as air,
        agents(air, *names, **fields) as running,
        trio.open_nursery() as nursery,
    ):
        found = [Consul(agent) for agent in running]
        for each in found:
            nursery.start_soon(each.catalog.run)
        yield found
        nursery.cancel_scope.cancel()


async def test_the_hosts_of_a_service(autojump_clock):
    async with cluster("a", "b") as (a, b):
        b.agent.register(
            "web", metadata={"port": 8080, "tags": "v1, blue", "zone": "eu", "ok": True}
        )
        b.agent.register("web", "x.example", draining=True)
        await trio.sleep(1)
        found, index = await a.get("/v1/health/service/web")
        assert 2**40 < index < 2**53
        assert [each["Service"]["ID"] for each in found] == ["web:b", "web:x.example"]
        address = b.agent.addresses[0][0]
        assert found[0]["Node"] == {
            "ID": "",
            "Node": "b",
            "Address": address,
            "Datacenter": "gossipmm",
            "TaggedAddresses": {"lan": address, "wan": address},
            "Meta": {},
        }
        assert found[0]["Service"] == {
            "ID": "web:b",
            "Service": "web",
            "Tags": ["v1", "blue"],
            "Address": address,
            "Port": 8080,
            "Meta": {"port": "8080", "tags": "v1, blue", "zone": "eu", "ok": "true"},
            "Weights": {"Passing": 100, "Warning": 1},
        }
        checks = {check["CheckID"]: check["Status"] for check in found[0]["Checks"]}
        assert checks == {"serfHealth": "passing", "service:web:b": "passing"}
        # A draining host is critical, and the node that registers it is where it is.
        assert found[1]["Checks"][-1]["Status"] == "critical"
        assert found[1]["Node"]["Node"] == "b"
        flat, other = await a.get("/v1/catalog/service/web")
        assert other == index
        assert flat[0]["ServiceID"] == "web:b"
        assert flat[0]["ServicePort"] == 8080
        assert flat[0]["NodeMeta"] == {}
        assert (await a.get("/v1/catalog/services"))[0] == {"web": ["blue", "v1"]}


async def test_what_is_unknown_is_an_empty_list_with_an_index(autojump_clock):
    """Without an index py-consul raises, and consul-template asks ten times a second."""
    async with cluster("a") as (a,):
        for target in (
            *("/v1/health/service/none", "/v1/catalog/service/none", "/v1/health/checks/none"),
            *("/v1/health/node/none", "/v1/health/state/critical"),
        ):
            found, index = await a.get(target)
            assert (found, index > 0) == ([], True)
        answer = await a.ask("/v1/kv/some/key")
        assert (answer.status, answer.content_type) == (404, "text/plain; charset=utf-8")
        assert "x-consul-index" not in dict(answer.headers)


async def test_parameters_that_mean_nothing_here_are_ignored_and_filter_is_refused(autojump_clock):
    async with cluster("a") as (a,):
        a.agent.register("web", metadata={"tags": "v1,v2"})
        await trio.sleep(1)
        target = "/v1/health/service/web?stale=&cached&ns=x&partition=y&dc=z&token=t&consistent"
        assert len((await a.get(target))[0]) == 1
        assert len((await a.get("/v1/health/service/web?tag=v1&tag=v2"))[0]) == 1
        assert (await a.get("/v1/health/service/web?tag=v1&tag=v3"))[0] == []
        answer = await a.ask("/v1/health/service/web?filter=Service.Port+==+1")
        assert (answer.status, answer.body.decode().partition(":")[0]) == (
            400,
            "filter is not supported here",
        )
        for wrong in ("wait=soon", "wait=5", "index=x"):
            assert (await a.ask(f"/v1/health/service/web?{wrong}")).status == 400


@pytest.mark.parametrize("passing", ["passing", "passing=", "passing=1", "passing=true"])
async def test_passing_is_set_however_it_is_written(autojump_clock, passing):
    async with cluster("a", metadata={"zone": "eu"}) as (a,):
        a.agent.register("web")
        a.agent.register("web", "b", draining=True)
        await trio.sleep(1)
        found, _ = await a.get(f"/v1/health/service/web?{passing}&node-meta=zone:eu")
        assert [each["Service"]["ID"] for each in found] == ["web:a"]
        assert (await a.get("/v1/health/service/web?node-meta=zone:us"))[0] == []
        assert len((await a.get("/v1/health/service/web?passing=false"))[0]) == 2


async def test_an_index_changes_exactly_when_its_body_does(autojump_clock):
    """One index for all wakes every watcher at each change; one that stands still hides them."""
    async with cluster("a", "b") as (a, b):
        b.agent.register("web", metadata={"port": 1})
        await trio.sleep(1)
        web, index = await a.get("/v1/health/service/web")
        db, of_db = await a.get("/v1/health/service/db")
        await trio.sleep(120)  # heartbeats, ages
        assert await a.get("/v1/health/service/web") == (web, index)
        b.agent.register("other")
        await trio.sleep(1)
        assert await a.get("/v1/health/service/web") == (web, index)
        assert await a.get("/v1/health/service/db") == (db, of_db)
        b.agent.register("web", metadata={"port": 2})  # a change of which no event tells
        await trio.sleep(1)
        changed, higher = await a.get("/v1/health/service/web")
        assert changed[0]["Service"]["Port"] == 2
        assert higher > index
        assert (await a.get("/v1/catalog/services"))[0] == {"other": [], "web": []}


async def test_a_request_waits_until_the_index_is_another(autojump_clock):
    async with cluster("a", "b") as (a, b):
        _, index = await a.get("/v1/health/service/web")
        began = trio.current_time()
        # An old and a future index are answered at once: it holds while they are equal.
        assert await a.get(f"/v1/health/service/web?index={index - 5}&wait=60s") == ([], index)
        assert await a.get(f"/v1/health/service/web?index={index + 5}&wait=60s") == ([], index)
        assert await a.get("/v1/health/service/web?index=0&wait=60s") == ([], index)
        assert trio.current_time() == began
        # It ends by its wait, and a little more at random.
        assert await a.get(f"/v1/health/service/web?index={index}&wait=10s") == ([], index)
        assert 10 <= trio.current_time() - began <= 10 * (1 + 1 / 16) + 0.1
        async with trio.open_nursery() as nursery:
            found: list[Any] = []

            async def wait(target: str) -> None:
                found.append((await a.get(target), trio.current_time()))

            nursery.start_soon(wait, f"/v1/health/service/web?index={index}&wait=5m")
            await trio.sleep(30)
            assert not found
            assert a.catalog.waiting == 1
            b.agent.register("web")
            registered = trio.current_time()
        (body, higher), at = found[0]
        assert [each["Service"]["ID"] for each in body] == ["web:b"]
        assert higher > index
        assert at - registered < 1
        assert a.catalog.waiting == 0


async def test_a_change_that_has_no_event_is_told_to_who_waits(autojump_clock):
    async with cluster("a") as (a,):
        a.agent.register("web", metadata={"port": 1})
        await trio.sleep(1)
        _, index = await a.get("/v1/health/service/web")
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(a.get, f"/v1/health/service/web?index={index}&wait=5m")
                await trio.sleep(1)
                a.agent.register("web", metadata={"port": 2})


async def test_suspects_pass_while_nobody_else_does(autojump_clock, monkeypatch):
    """The promise of our picks: while somebody may live, the answer is not nobody."""
    async with cluster("a", "b") as (a, b):
        a.agent.register("web", draining=True)
        b.agent.register("web")
        await trio.sleep(1)
        monkeypatch.setitem(shapes._CHECKED, HostState.LIVE, "warning")
        found, _ = await a.get("/v1/health/service/web?passing")
        assert [each["Service"]["ID"] for each in found] == ["web:b"]
        assert {check["Status"] for check in found[0]["Checks"]} == {"passing"}


def test_what_a_state_is_to_consul():
    assert {state.label: shapes.checked(state) for state in HostState}.items() >= {
        ("live", "passing"),
        ("doubted", "passing"),
        ("suspect", "warning"),
        ("stale", "warning"),
        ("draining", "critical"),
        ("unknown", "critical"),
    }


async def test_an_agent_that_has_not_joined_has_no_leader(autojump_clock):
    """An empty map would have Prometheus drop every target."""
    async with cluster("a") as (a,):
        a.agent.table.joined = False
        answer = await a.ask("/v1/catalog/services")
        assert (answer.status, answer.body) == (500, b"No cluster leader")


async def test_what_clients_ask_to_see_that_somebody_is_there(autojump_clock):
    async with cluster("a") as (a,):
        found, _ = await a.get("/v1/agent/self")
        assert found["Config"]["NodeName"] == found["Member"]["Name"] == "a"
        assert found["Config"]["Datacenter"] == "gossipmm"
        assert (await a.get("/v1/catalog/datacenters"))[0] == ["gossipmm"]
        assert (await a.get("/v1/status/leader"))[0] == "127.0.0.1:8300"
        assert (await a.get("/v1/status/peers"))[0] == ["127.0.0.1:8300"]
        nodes, _ = await a.get("/v1/catalog/nodes")
        assert [node["Node"] for node in nodes] == ["a"]
        checks, _ = await a.get("/v1/health/state/any")
        assert [check["CheckID"] for check in checks] == ["serfHealth"]


async def test_it_can_only_be_read(autojump_clock):
    async with cluster("a") as (a,):
        for method in ("PUT", "POST", "DELETE"):
            assert (await a.ask("/v1/catalog/services", method)).status == 405
            assert (await a.ask("/v1/agent/service/register", method)).status == 404


async def test_too_many_that_wait_are_told(autojump_clock, monkeypatch):
    monkeypatch.setattr(catalogs, "MOST_WAITING", 2)
    async with cluster("a") as (a,), trio.open_nursery() as nursery:
        _, index = await a.get("/v1/catalog/services")
        for _ in range(2):
            nursery.start_soon(a.ask, f"/v1/catalog/services?index={index}&wait=5m")
        await trio.sleep(1)
        answer = await a.ask(f"/v1/catalog/services?index={index}&wait=5m")
        assert answer.status == 429
        a.catalog.close()  # an end of the agent answers all
        with trio.fail_after(1):
            while a.catalog.waiting:
                await trio.sleep(0.01)


async def test_own_zone_first(autojump_clock):
    async with cluster("a", "b", "c") as (a, _, c):
        for each in (a, c):
            each.agent.register("web")
        await trio.sleep(1)
        found, _ = await a.get("/v1/health/service/web?near=_agent")
        assert [each["Node"]["Node"] for each in found] == ["a", "c"]


async def test_a_page_of_another_name_may_not_ask(autojump_clock):
    async with cluster("a") as (a,):
        assert (await a.ask("/v1/catalog/services", host="evil.example")).status == 403


def test_where_it_is_served_is_checked():
    with pytest.raises(ConfigError, match="'a:1' is not an IP address"):
        Config(consul_bind="a:1", consul_port=8500)
    with pytest.raises(ConfigError, match="consul_port says no port"):
        Config(consul_bind="10.0.0.1")


async def test_weights_are_those_of_the_registrations() -> None:
    """Each was 1, whatever the metadata said. Consul has 16 bits for one."""
    async with cluster("a") as (a,):
        for host, weight in {"h1": 50, "h2": 1_000_000, "h3": 0}.items():
            a.agent.register("web", host, {"weight": weight})
        a.agent.register("web", "h4")
        entries, index = await a.get("/v1/health/service/web")
        assert [entry["Service"]["Weights"]["Passing"] for entry in entries] == [50, 65535, 0, 100]
        flat, _ = await a.get("/v1/catalog/service/web")
        assert [one["ServiceWeights"]["Passing"] for one in flat] == [50, 65535, 0, 100]
        a.agent.set_metadata({"weight": 51}, "web", "h1")
        entries, later = await a.get("/v1/health/service/web")
        assert entries[0]["Service"]["Weights"] == {"Passing": 51, "Warning": 1}
        assert later > index, "who waits is told"


async def test_topics_that_ended_are_forgotten(autojump_clock):
    """Three hundred that came and went left 300 entries, while a client asked for all checks."""
    async with cluster("a") as (a,):
        for number in range(20):
            a.agent.register(f"job-{number}")
            await trio.sleep(1)
            checks, _ = await a.get("/v1/health/state/any")
            assert any(check["ServiceName"] == f"job-{number}" for check in checks)
            a.agent.unregister(f"job-{number}")
        await trio.sleep(1)
        await a.get("/v1/health/state/any")
        assert a.catalog._hosts == {}


async def test_names_that_no_topic_can_have_are_remembered_once(autojump_clock):
    """One client had 4,096 names of 15 kB kept: 61 MB."""
    async with cluster("a") as (a,):
        for number in range(20):
            assert (await a.get(f"/v1/health/service/{number}{'x' * 500}"))[0] == []
        assert (await a.get("/v1/health/service/nobody"))[0] == []
        assert len(a.catalog._resources) == 2


async def test_what_is_asked_for_nine_hundred_times_is_looked_at_once(autojump_clock):
    """Copies of one ``node-meta`` held an agent of 5,000 hosts for 0.7 s."""
    looked = 0

    class Meta(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            nonlocal looked
            looked += 1
            return super().get(key, default)

    async with cluster("a") as (a,):
        a.agent.register("web")
        await trio.sleep(1)
        (made,) = (await a.catalog.service("web")).value
        made.entry.node.meta = Meta(rack="7")
        asked = "&".join(["node-meta=rack:7"] * 900)
        assert len((await a.get(f"/v1/catalog/service/web?{asked}"))[0]) == 1
        assert looked == 1
