"""Zones and weights over the control API, and what an agent says of its own zone."""

import trio

from gossipmm.client import answers
from tests.sidecar.api import apis


async def register(api, host, **metadata):
    body = {"metadata": metadata}
    assert (await api.ask("PUT", f"/v1/registrations/web/{host}", body))[0] == 201


async def test_keys_are_answered_by_zone_and_weight(autojump_clock):
    async with apis("a", "b", metadata={"zone": "eu"}) as (a, b):
        await register(a, "a", weight=300)
        await register(b, "b")
        await register(b, "far", zone="us")
        await trio.sleep(1)
        picked = [(await b.get("/v1/queues/web?prefer=zone"))["queues"][0][1] for _ in range(8)]
        assert sorted(picked) == ["a"] * 6 + ["b"] * 2
        found = await b.get("/v1/lookup/web?prefer=zone")
        assert found["zones"] == "only zone eu, this node's own, is picked from"
        assert [(one["host"], one["zone"], one["weight"]) for one in found["hosts"]] == [
            ("a", "eu", 300),
            ("b", "eu", 100),
        ]
        (far,) = found["others"]
        assert (far["zone"], far["why"]) == ("us", "in zone us: this node prefers its own, eu")
        assert len((await b.get("/v1/lookup/web"))["hosts"]) == 3
        read = answers.lookup(found)
        assert read.zones == found["zones"]
        assert [(one.zone, one.weight, one.why) for one in read.others] == [
            ("us", 100, "in zone us: this node prefers its own, eu")
        ]
        topic = answers.topic(await b.get("/v1/topics/web"))
        assert {host: entry.zone for host, entry in topic.entries.items()} == {
            "a": "eu",
            "b": "eu",
            "far": "us",
        }
        assert topic.weighted


async def test_a_preference_and_a_weight_that_mean_nothing_are_refused(autojump_clock):
    async with apis("a") as (a,):
        for key in ("web", "web.a", "fanout~web"):
            for what in ("queues", "lookup"):
                status, problem = await a.ask("GET", f"/v1/{what}/{key}?prefer=zne")
                assert (status, problem["type"]) == (400, "urn:gossipmm:invalid-key")
                assert (
                    problem["detail"]
                    == "prefer 'zne' is not none or zone or near; did you mean zone?"
                )
        for weight in ("abc", -1, 10**9):
            body = {"metadata": {"weight": weight}}
            status, problem = await a.ask("PUT", "/v1/registrations/web/a", body)
            assert status == 422
            assert (
                f"weight {weight!r} is not a whole number from 0 to 1,000,000" in problem["detail"]
            )


async def test_an_agent_that_prefers_a_zone_it_does_not_have_says_so(autojump_clock):
    """All zones were picked from, and nothing told why."""
    async with apis("a", prefer="zone") as (a,):
        words = (await a.get("/v1/status"))["faults"]["no_zone"]
        assert "gossipmm metadata set zone=NAME gives it one" in words
        assert a.agent.status().verdict.reasons == (words,)
        a.agent.set_metadata({"zone": "eu"})
        assert (await a.get("/v1/status"))["faults"] == {}
