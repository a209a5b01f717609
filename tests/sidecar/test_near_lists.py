"""Lists in the order of distance: Consul's ``near``, and the same of targets for Prometheus."""

import json

import pytest

from gossipmm.core.distances.coordinate import Coordinate, pack
from tests.sidecar.api import apis
from tests.sidecar.test_consul import cluster
from tests.sidecar.test_prometheus_sd import found

ORDER = "x-gossipmm-order"
#: Milliseconds from a, on a line.
PLACES = {"a": 0, "b": 80, "c": 20, "d": 50}


def placed(agent, **places):
    """Have an agent hold that members are so many milliseconds from a point, on a line."""
    distances, table = agent._node.distances, agent._node.table
    distances._told.clear()
    for name, far in places.items():
        place = Coordinate(far / 1000, 0.0, 0.0, 1e-5, 0.1)
        if name == agent.name:
            distances._vivaldi.own, distances._vivaldi.met = place, 1
        else:
            distances.told(table.by_name[name].key, pack(place), agent.now())


async def nodes(consul, target):
    answer = await consul.ask(target)
    assert answer.status == 200, answer.body
    rows = json.loads(answer.body)
    shown = [
        each["Node"] if isinstance(each["Node"], str) else each["Node"]["Node"] for each in rows
    ]
    return shown, dict(answer.headers).get(ORDER)


@pytest.mark.parametrize("path", ["catalog/nodes", "catalog/service/web", "health/service/web"])
async def test_consuls_lists_are_ordered_by_estimated_round_trips(autojump_clock, path):
    """Consul's ``near`` is a node to order from; here any value put the agent's zone first."""
    async with cluster(*PLACES, distances=True) as consuls:
        for each in consuls:
            each.agent.register("web")
        a = consuls[0]
        while len(a.agent.topic("web").entries) < 4:
            await a.catalog.nodes()
            await _moment()
        placed(a.agent, **PLACES)
        assert await nodes(a, f"/v1/{path}") == (["a", "b", "c", "d"], None)
        assert await nodes(a, f"/v1/{path}?near=") == (["a", "b", "c", "d"], None)
        by_a = (["a", "c", "d", "b"], "by the estimated round trip from 'a'")
        assert await nodes(a, f"/v1/{path}?near=_agent") == by_a
        assert await nodes(a, f"/v1/{path}?near=a") == by_a
        by_b = (["b", "d", "c", "a"], "by the estimated round trip from 'b'")
        assert await nodes(a, f"/v1/{path}?near=b&passing") == by_b
        placed(a.agent, a=0, c=20, b=10)
        words = "by the estimated round trip from 'a'; 1 of unknown distance last"
        assert await nodes(a, f"/v1/{path}?near=_agent") == (["a", "b", "c", "d"], words)


async def _moment():
    import trio

    await trio.sleep(0.05)


async def test_checks_are_ordered_as_their_nodes(autojump_clock):
    async with cluster(*PLACES, distances=True) as (a, *_):
        placed(a.agent, **PLACES)
        shown, words = await nodes(a, "/v1/health/state/any?near=_agent")
        assert shown == ["a", "c", "d", "b"]
        assert words == "by the estimated round trip from 'a'"


async def test_what_cannot_be_ordered_by_distance_is_answered_and_said(autojump_clock):
    """Consul answers such a list as if nobody had asked for an order, and says nothing."""
    async with cluster("a", "b", "c", distances=True) as (a, *_):
        for near, name in (
            ("nobody", "'nobody'"),
            ("n%0d%0aset-cookie:%20x", r"'n\r\nset-cookie: x'"),
        ):
            words = f"not by distance: no member is called {name}"
            assert await nodes(a, f"/v1/catalog/nodes?near={near}") == (["a", "b", "c"], words)
        placed(a.agent, a=0, c=10)
        words = "not by distance: none from 'b' is known here"
        assert await nodes(a, "/v1/catalog/nodes?near=b") == (["a", "b", "c"], words)
    async with cluster("a", "b", "c", metadata={"zone": "eu"}) as (a, *_):
        a.agent.set_metadata({"zone": "us"})
        words = "not by distance: this agent estimates none (distances = false); zone 'eu' first"
        assert await nodes(a, "/v1/catalog/nodes?near=c") == (["b", "c", "a"], words)
        words = words.replace("eu", "us")
        assert await nodes(a, "/v1/catalog/nodes?near=_agent") == (["a", "b", "c"], words)


async def test_targets_for_prometheus_are_ordered_the_same_way(autojump_clock):
    async with apis(*PLACES, distances=True) as running:
        for each in running:
            each.agent.register("web", metadata={"port": 9100})
        a = running[0]
        while len(a.agent.topic("web").entries) < 4:
            await _moment()
        placed(a.agent, **PLACES)

        async def hosts(query):
            groups, headers = await found(a, f"/v1/prometheus/sd/web{query}")
            return [one["labels"]["__meta_gossipmm_host"] for one in groups], headers.get(ORDER)

        assert await hosts("") == (["a", "b", "c", "d"], None)
        by_a = (["a", "c", "d", "b"], "by the estimated round trip from 'a'")
        assert await hosts("?near=_agent") == by_a
        assert (await hosts("?near=b"))[0] == ["b", "d", "c", "a"]
        words = "not by distance: no member is called 'nobody'"
        assert await hosts("?near=nobody") == (["a", "b", "c", "d"], words)
    async with apis("a", "b") as (a, _):
        a.agent.register("web", metadata={"port": 9100})
        words = "not by distance: this agent estimates none (distances = false)"
        assert await hosts("?near=_agent") == (["a"], words)
