"""Near hosts over the control API, by distances that agents found themselves."""

import trio

from tests.sidecar.api import apis


async def register(api, host):
    assert (await api.ask("PUT", f"/v1/registrations/web/{host}", {}))[0] == 201


async def test_near_hosts_are_picked_by_what_agents_measured(autojump_clock):
    """[P183]: an agent's own host is at 0; one that was not measured comes last."""
    async with apis("a", "b", "c", distances=True) as (a, b, c):
        await register(b, "b")
        await trio.sleep(1)
        await register(c, "c")
        await trio.sleep(20)
        found = await a.get("/v1/lookup/web?prefer=near")
        assert sorted(one["host"] for one in found["hosts"]) == ["b", "c"]
        assert found["zones"].startswith("only hosts within ")
        picked = [(await a.get("/v1/queues/web?prefer=near"))["queues"][0][1] for _ in range(4)]
        assert sorted(picked) == ["b", "b", "c", "c"]
        fanout = await b.get("/v1/queues/fanout~web?prefer=near")
        assert fanout["queues"][0] == ["fanout~web.b", "b"]
        assert (await a.get("/v1/lookup/web"))["zones"] == ""
        away = a.agent.table.by_name["c"].key
        assert a.agent._node.distances._told.pop(away)
        a.agent._node.distances.changed_at += 60
        found = await a.get("/v1/lookup/web?prefer=near")
        assert [one["host"] for one in found["hosts"]] == ["b"]
        assert found["others"][0]["why"] == "how far it is is not known here: others are near"


async def test_an_agent_that_prefers_near_hosts_without_coordinates_says_so(autojump_clock):
    async with apis("a", "b", prefer="near") as (a, b):
        await register(a, "a")
        await register(b, "b")
        await trio.sleep(5)
        words = (await a.get("/v1/status"))["faults"]["no_distances"]
        assert "distances = true" in words
        found = await a.get("/v1/lookup/web")
        assert found["zones"] == words
        assert len(found["hosts"]) == 2
