"""Distances over the control API: between any two members, and of each member."""

import pytest
import trio

from gossipmm.sidecar.ops import metrics
from tests.sidecar.api import apis


async def test_the_round_trip_between_two_members_is_estimated(autojump_clock):
    """[P182]."""
    async with apis("a", "b", "c", distances=True) as (a, _, __):
        await trio.sleep(10)
        found = await a.get("/v1/members/b/rtt")
        assert (found["name"], found["to"], found["outcome"], found["of"]) == ("b", "a", "done", "")
        assert 0 < found["seconds"] < 0.05
        assert 0 <= found["error"] <= 1.5
        both = await a.get("/v1/members/b/rtt?to=c&timeout=1")
        assert (both["to"], both["outcome"], both["why"]) == ("c", "done", "")
        same = await a.get("/v1/members/b/rtt?to=b")
        assert same["seconds"] == 0
        members = (await a.get("/v1/members"))["members"]
        told = {one["name"]: (one["rtt"], one["rtt_error"]) for one in members}
        assert told["a"] == (None, None)
        assert 0 < told["b"][0] < 0.05
        assert told["b"][1] == pytest.approx(found["error"], abs=0.2)
        assert told["b"][1] == pytest.approx(a.agent.member("b").rtt_error, abs=1e-4)
        status = (await a.get("/v1/status"))["distances"]
        assert status == {"on": True, "error": pytest.approx(a.agent.coordinate.error, abs=1e-4)}


@pytest.mark.parametrize("target", ["nobody/rtt", "b/rtt?to=nobody"])
async def test_a_member_that_is_not_there_is_named(autojump_clock, target):
    async with apis("a", "b", distances=True) as (a, _):
        await trio.sleep(5)
        found = await a.get(f"/v1/members/{target}")
        assert (found["outcome"], found["of"]) == ("unknown_member", "nobody")
        assert found["seconds"] is None
        assert found["why"] == "no other member has that name"


async def test_where_no_coordinates_are_kept_the_answer_says_whose_is_missing(autojump_clock):
    async with apis("a", "b") as (a, _):
        await trio.sleep(5)
        found = await a.get("/v1/members/b/rtt")
        assert (found["outcome"], found["of"]) == ("not_allowed", "a")
        for text in ("0", "x", "31", "nan"):
            assert (await a.ask("GET", f"/v1/members/b/rtt?timeout={text}"))[0] == 400
        told = (await a.get("/v1/members"))["members"]
        assert {(one["rtt"], one["rtt_error"]) for one in told} == {(None, None)}
        assert (await a.get("/v1/status"))["distances"] == {"on": False, "error": None}


async def test_how_far_an_agent_trusts_its_coordinate_is_a_metric(autojump_clock):
    """An operator saw estimates, and not how good they were; without coordinates there is none."""
    async with apis("a", "b", distances=True) as (a, _):
        await trio.sleep(10)
        own = a.agent.coordinate
        text = metrics.render(a.agent).decode()
        assert f"gossipmm_distance_error_ratio {own.error}\n" in text
        assert f"gossipmm_distance_height_seconds {own.height}\n" in text
    async with apis("a", "b") as (a, _):
        await trio.sleep(10)
        assert "gossipmm_distance" not in metrics.render(a.agent).decode()
