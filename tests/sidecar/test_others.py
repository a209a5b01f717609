"""All members are asked how they are, and others are drained, over the control API."""

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.core.values.questions import Outcome
from gossipmm.errors import AgentClosedError, BindError
from gossipmm.text.questions import OUTCOMES, REASONS, reason
from tests.agent.memory_network import Air
from tests.sidecar.api import apis


async def test_every_member_says_how_it_is(autojump_clock):
    async with apis("a", "b", "c") as (a, b, _):
        await trio.sleep(3)
        b.agent._faults.set("state_file", "the state file /x cannot be written", log=False)
        found = await a.get("/v1/status/all")
        assert found["node"] == "a"
        told = {one["name"]: one for one in found["members"]}
        assert [one["name"] for one in found["members"]] == ["a", "b", "c"]
        assert (told["a"]["verdict"], told["a"]["agreement"]) == ("ok", "")
        assert (told["c"]["verdict"], told["c"]["agreement"]) == ("ok", "agrees")
        assert told["c"]["version"] == a.agent.status().version
        assert told["c"]["uptime"] >= 3
        assert told["b"]["verdict"] == "degraded"
        assert told["b"]["reasons"] == ["state_file"]
        assert told["b"]["reasons_text"] == ["its state file cannot be written"]
        status = await b.get("/v1/status")
        assert status["reason_codes"] == ["state_file"]
        assert status["reasons"] == ["the state file /x cannot be written"]


async def test_who_does_not_say_is_listed_with_the_reason(autojump_clock):
    async with apis("a", "b", "c") as (a, b, c):
        await trio.sleep(2)
        await c.agent.leave()
        b.agent._driver.port._air.lost = lambda source, target: ("127.0.0.1", 2) in (source, target)
        (found,) = (await a.get("/v1/status/all?timeout=0.3"))["members"][1:]
        assert (found["name"], found["verdict"], found["outcome"]) == ("b", "", "no_answer")
        assert found["why"] == "it did not answer"
        await trio.sleep(20)
        (found,) = (await a.get("/v1/status/all?timeout=0.3"))["members"][1:]
        assert (found["outcome"], found["status"]) == ("not_live", "dead")
        for text in ("0", "x", "31", "nan", "-1"):
            assert (await a.ask("GET", f"/v1/status/all?timeout={text}"))[0] == 400


async def test_another_member_is_drained_where_it_allows_that(autojump_clock):
    async with apis("a", "b", accept_drain=True, register=("compute",)) as (a, b):
        await trio.sleep(2)
        path = "/v1/members/b/drain"
        status, found = await a.ask("POST", path, {"topic": "compute"})
        assert (status, found["outcome"], found["changed"]) == (200, "done", 1)
        await trio.sleep(0.1)
        assert a.agent.queues("compute") == [("compute.a", "a")]
        evidence = await b.get("/v1/members/b/why")
        assert evidence["evidence"][-1]["text"] == (
            "a asked this node to take topic compute out of new picks: done"
        )
        evidence = await a.get("/v1/members/b/why")
        assert evidence["evidence"][-1]["text"] == (
            "this node asked it to take topic compute out of new picks: done"
        )
        assert (await a.ask("POST", path, {"topic": "x"}))[1]["outcome"] == "not_registered"
        back = await a.ask("POST", path, {"topic": "compute", "draining": False})
        assert back[1]["changed"] == 1
        own = await a.ask("POST", "/v1/members/a/drain")
        assert own[1]["changed"] == 1
        assert a.agent.status().name == "a"
        unknown = await a.ask("POST", "/v1/members/zz/drain")
        assert unknown[1] == {
            "outcome": "unknown_member",
            "why": "no other member has that name",
            "changed": 0,
            "took": 0.0,
        }


async def test_orders_for_others_are_taken_over_the_unix_socket_only(autojump_clock):
    async with apis("a", "b", accept_drain=True) as (a, _):
        answer = await a.answer("POST", "/v1/members/b/drain", b"", tcp=True)
        assert answer.status == 403


async def test_a_host_that_anybody_reaches_takes_no_drains_without_a_key():
    """Whoever could send a datagram there could take it out of service."""
    async with Air() as air:
        for insecure in (False, True):
            config = Config(name="a", bind="10.0.0.1:1", accept_drain=True, insecure=insecure)
            with pytest.raises(BindError, match="accept_drain"):
                async with open_agent(config, network=air.host()):
                    raise AssertionError


async def test_an_agent_that_has_ended_asks_nobody(autojump_clock):
    async with apis("a", "b") as (a, _):
        await a.agent.leave()
        with pytest.raises(AgentClosedError):
            await a.agent.status_all()
        with pytest.raises(AgentClosedError):
            await a.agent.drain_member("b")


def test_every_outcome_and_reason_has_words():
    from gossipmm.agent.faults import CODES
    from gossipmm.agent.verdict import VERDICTS

    assert set(OUTCOMES) == set(Outcome)
    assert set(REASONS) >= {*CODES, *VERDICTS} - {"ok", "degraded"}
    assert reason("of_a_later_version") == "of_a_later_version"
