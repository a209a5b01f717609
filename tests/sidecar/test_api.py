"""The endpoints: what they answer, over agents in memory."""

import logging

import pytest
import trio

from tests.sidecar.api import apis


@pytest.fixture
def log_level():
    """The level of the package's log, as it was before."""
    log = logging.getLogger("gossipmm")
    before = log.level
    yield
    log.setLevel(before)


async def test_members_are_shown_by_each_for_itself(autojump_clock):
    async with apis("a", "b", metadata={"zone": "z1"}) as (a, b):
        await trio.sleep(1)
        found = await a.get("/v1/members")
        assert found["node"] == "a"
        assert [member["name"] for member in found["members"]] == ["a", "b"]
        mine, other = found["members"]
        assert (mine["self"], other["self"]) == (True, False)
        assert other["status"] == "alive"
        assert other["addresses"] == ["127.0.0.1:2"]
        assert other["metadata"] == {"zone": "z1"}
        assert 0 <= other["heard_ago"] < 2
        assert other["generation"] == str(b.agent.generation)
        assert await a.get("/v1/members/b") == {**other, **_ages(await a.get("/v1/members/b"))}
        assert (await b.get("/v1/members/a"))["self"] is False


def _ages(member):
    return {name: member[name] for name in ("heard_ago", "since_ago", "heartbeat")}


async def test_a_key_is_answered_as_in_the_agents_own_process(autojump_clock):
    async with apis("a", "b", register=("compute",)) as (a, b):
        await trio.sleep(1)
        first = await a.get("/v1/queues/compute")
        second = await a.get("/v1/queues/compute")
        assert first["status"] == second["status"] == "ok"
        assert sorted(first["queues"] + second["queues"]) == [
            ["compute.a", "a"],
            ["compute.b", "b"],
        ]
        fanout = await a.get("/v1/queues/fanout~compute")
        assert fanout["queues"] == [["fanout~compute.a", "a"], ["fanout~compute.b", "b"]]
        assert (await a.get("/v1/queues/compute.b"))["queues"] == [["compute.b", "b"]]
        routed = {
            (await api.get("/v1/queues/compute?routing_key=tenant%207"))["queues"][0][1]
            for api in (a, b, a)
        }
        assert len(routed) == 1


async def test_the_kinds_of_nobody(autojump_clock):
    async with apis("a", register=("compute",)) as (a,):
        assert (await a.get("/v1/queues/nothing")) == {
            "key": "nothing",
            "status": "unknown_topic",
            "queues": [],
        }
        await a.ask("POST", "/v1/registrations/compute/a/drain")
        assert (await a.get("/v1/queues/compute"))["status"] == "nobody_alive"
        # By its name it can still be called.
        assert (await a.get("/v1/queues/compute.a"))["queues"] == [["compute.a", "a"]]


async def test_a_lookup_says_of_each_host_what_is_known(autojump_clock):
    async with apis("a", "b", register=("compute",)) as (a, b):
        await b.ask("POST", "/v1/registrations/compute/b/drain", {"draining": True})
        await trio.sleep(1)
        found = await a.get("/v1/lookup/compute")
        assert [host["host"] for host in found["hosts"]] == ["a"]
        (other,) = found["others"]
        assert (other["host"], other["state"], other["nodes"]) == ("b", "draining", ["b"])
        assert other["heard_ago"] < 2


async def test_topics_and_the_ring(autojump_clock):
    async with apis("a", "b", register=("compute", "volume=disk-1")) as (a, _):
        await trio.sleep(1)
        topics = {topic["topic"]: topic for topic in (await a.get("/v1/topics"))["topics"]}
        assert topics["compute"]["picks"] == ["a", "b"]
        (disk,) = topics["volume"]["hosts"]
        assert (disk["host"], disk["nodes"]) == ("disk-1", ["a", "b"])
        assert (await a.get("/v1/topics/volume"))["fanout"] == ["disk-1"]
        assert await a.get("/v1/ring") == {"compute": ["a", "b"], "volume": ["disk-1"]}
        status, problem = await a.ask("GET", "/v1/topics/nothing")
        assert (status, problem["type"]) == (404, "urn:gossipmm:unknown-topic")
        assert problem["detail"] == "no member registers the topic 'nothing'"


async def test_a_registration_and_its_end(autojump_clock):
    async with apis("a", "b") as (a, b):
        path = "/v1/registrations/web/host-1"
        body = {"ttl": 5, "metadata": {"port": 80}}
        status, own = await a.ask("PUT", path, body)
        assert (status, own["ttl"], own["expires_in"]) == (201, 5, 5)
        assert (await a.ask("PUT", path, body))[0] == 200
        await trio.sleep(1)
        (host,) = (await b.get("/v1/topics/web"))["hosts"]
        assert host["metadata"] == {"port": 80}
        assert (await a.get("/v1/registrations"))["registrations"][0]["expires_in"] == 4
        status, said = await a.ask("POST", f"{path}/ack")
        assert (status, said["own"], said["nodes"]) == (200, True, ["a"])
        assert await a.ask("DELETE", path) == (204, None)
        status, problem = await a.ask("DELETE", path)
        assert (status, problem["detail"]) == (
            404,
            "web of host-1 is not registered, or has expired",
        )


async def test_what_is_not_acknowledged_ends_and_only_that(autojump_clock):
    async with apis("a", "b") as (a, b):
        await a.ask("PUT", "/v1/registrations/web/dies", {"ttl": 3})
        await a.ask("PUT", "/v1/registrations/web/kept", {"ttl": 3})
        await a.ask("PUT", "/v1/registrations/web/stays")
        for _ in range(4):
            await trio.sleep(1)
            assert (await a.ask("POST", "/v1/registrations/web/kept/ack"))[0] == 200
        assert (await b.get("/v1/queues/fanout~web"))["queues"] == [
            ["fanout~web.kept", "kept"],
            ["fanout~web.stays", "stays"],
        ]
        assert (await a.ask("POST", "/v1/registrations/web/dies/ack"))[0] == 404


async def test_whole_numbers_may_be_written_with_a_point(autojump_clock):
    async with apis("a") as (a,):
        body = b'{"metadata": {"port": 454.0, "flag": true}}'
        _, own = await a.ask("PUT", "/v1/registrations/web/h", body)
        assert own["metadata"] == {"flag": True, "port": 454}
        assert type(own["metadata"]["port"]) is int


async def test_a_host_may_have_any_name(autojump_clock):
    async with apis("a") as (a,):
        for host, quoted in (
            ("10.0.0.1:8080", "10.0.0.1:8080"),
            ("rack/7", "rack%2F7"),
            ("größe 1", "gr%C3%B6%C3%9Fe%201"),
            ("ack", "ack"),
            ("..", "%2e%2e"),
        ):
            assert (await a.ask("PUT", f"/v1/registrations/web/{quoted}"))[0] == 201
            assert (await a.get(f"/v1/queues/web.{quoted}"))["queues"] == [[f"web.{host}", host]]
            assert (await a.ask("POST", f"/v1/registrations/web/{quoted}/ack"))[0] == 200
            assert (await a.ask("DELETE", f"/v1/registrations/web/{quoted}"))[0] == 204


async def test_a_reported_failure_has_the_owner_probed(autojump_clock):
    async with apis("a", "b", register=("compute",)) as (a, _):
        await trio.sleep(1)
        status, said = await a.ask("POST", "/v1/registrations/compute/b/failure")
        assert (status, said["own"], said["nodes"]) == (200, False, ["b"])
        status, problem = await a.ask("POST", "/v1/registrations/compute/a/failure")
        assert (status, problem["status"]) == (409, 409)
        assert "registered with this agent itself" in problem["detail"]
        assert (await a.ask("POST", "/v1/registrations/compute/zz/failure"))[0] == 404
        kinds = [line["kind"] for line in (await a.get("/v1/members/b/why"))["evidence"]]
        assert kinds[-1] == "failure_reported"


async def test_an_expired_registration_is_hidden_until_its_owner_insists(autojump_clock):
    async with apis("a", "b", register=("compute",)) as (a, _):
        await trio.sleep(1)
        assert (await a.ask("POST", "/v1/registrations/compute/b/expire"))[0] == 200
        assert (await a.get("/v1/queues/compute.b"))["queues"] == []
        await trio.sleep(2)
        assert (await a.get("/v1/queues/compute.b"))["queues"] == [["compute.b", "b"]]


async def test_what_is_registered_for_a_topic_drains_together(autojump_clock):
    """``drain(topic)`` was refused over the API, and drained every host on the other faces."""
    async with apis("a", register=("web", "web=h", "volume")) as (a,):
        assert await a.ask("POST", "/v1/drain", {"topic": "web"}) == (200, {"changed": 2})
        assert (await a.get("/v1/queues/web"))["queues"] == []
        assert len((await a.get("/v1/queues/volume"))["queues"]) == 1
        body = {"topic": "web", "host": "h", "draining": False}
        assert await a.ask("POST", "/v1/drain", body) == (200, {"changed": 1})
        assert (await a.get("/v1/queues/web"))["queues"] == [["web.h", "h"]]
        assert await a.ask("POST", "/v1/drain", {"topic": "zz"}) == (200, {"changed": 0})


async def test_without_a_host_it_is_the_node_that_is_registered(autojump_clock):
    async with apis("a") as (a,):
        status, own = await a.ask("PUT", "/v1/registrations/web", {"ttl": 30})
        assert (status, own["host"], own["ttl"]) == (201, "a", 30)
        assert await a.ask("DELETE", "/v1/registrations/web") == (204, None)
        assert (await a.ask("DELETE", "/v1/registrations/web"))[0] == 404


@pytest.mark.parametrize(("new", "old"), [("ack_alive", "ack"), ("report_failure", "failure")])
async def test_what_was_renamed_answers_under_its_old_name_too(autojump_clock, new, old):
    async with apis("a", "b", register=("compute",)) as (a, _):
        await trio.sleep(1)
        path = "/v1/registrations/compute"
        assert await a.ask("POST", f"{path}/b/{new}") == await a.ask("POST", f"{path}/b/{old}")
        paths = (await a.get("/v1/openapi.json"))["paths"]
        at = "/v1/registrations/{topic}/{host}"
        assert paths[f"{at}/{old}"]["post"]["deprecated"] is True
        assert "deprecated" not in paths[f"{at}/{new}"]["post"]


async def test_a_routing_key_may_be_bytes(autojump_clock):
    """Text in a query is UTF-8: bytes that are not had no way in."""
    async with apis("a", "b", "c", register=("compute",)) as (a, _, _):
        await trio.sleep(1)
        ask = "/v1/queues/compute?routing_key"
        assert (await a.get(f"{ask}=x"))["queues"] == (await a.get(f"{ask}_hex=78"))["queues"]
        keys = [bytes([number, 0xFF]) for number in range(20)]
        found = [(await a.get(f"{ask}_hex={key.hex()}"))["queues"] for key in keys]
        assert found == [
            [list(one) for one in a.agent.queues("compute", routing_key=key)] for key in keys
        ]
        assert (await a.ask("GET", f"{ask}_hex=7"))[0] == 400
        assert (await a.ask("GET", f"{ask}_hex=78&routing_key=x"))[0] == 400


async def test_the_state_of_the_node_itself(autojump_clock):
    async with apis("a", "b") as (a, b):
        await trio.sleep(1)
        health = (await a.get("/v1/status"))["health"]
        assert (health["slow"], health["deaf"], health["impaired"]) == (False, False, False)
        assert (await a.get("/v1/stats"))["sent_datagrams"] == a.agent.stats.sent_datagrams > 0
        await b.ask("POST", "/v1/drain")
        await trio.sleep(1)
        found = await a.get("/v1/members/b")
        assert (found["node_state"], found["draining"]) == ("draining", True)


async def test_a_whole_node_drains(autojump_clock):
    async with apis("a", "b", register=("compute",)) as (a, b):
        assert await a.ask("POST", "/v1/drain") == (200, {"changed": 1})
        assert await a.ask("POST", "/v1/drain", {"draining": True}) == (200, {"changed": 0})
        await trio.sleep(1)
        assert (await b.get("/v1/queues/compute"))["queues"] == [["compute.b", "b"]]
        assert (await b.get("/v1/members/a"))["draining"] is True
        assert await a.ask("POST", "/v1/drain", {"draining": False}) == (200, {"changed": 1})


async def test_metadata_changes_while_a_node_runs(autojump_clock):
    """A new version or zone took a restart of the agent, on every face."""
    async with apis("a", "b", register=("compute",)) as (a, b):
        body = {"changes": {"zone": "eu", "gpus": 4, "spare": None}}
        assert await a.ask("POST", "/v1/metadata", body) == (200, {"changed": 1})
        of_host = {"changes": {"weight": 50}, "topic": "compute"}
        assert await a.ask("POST", "/v1/metadata", of_host) == (200, {"changed": 1})
        assert await a.ask("POST", "/v1/metadata", of_host) == (200, {"changed": 0})
        await trio.sleep(1)
        assert (await b.get("/v1/members/a"))["metadata"] == {"gpus": 4, "zone": "eu"}
        hosts = (await b.get("/v1/topics/compute"))["hosts"]
        assert [host["metadata"] for host in hosts] == [{"weight": 50}, {}]
        status, problem = await a.ask("POST", "/v1/metadata", {"changes": {"k": "x" * 500}})
        assert (status, problem["type"]) == (422, "urn:gossipmm:limit")
        assert (await a.get("/v1/members/a"))["metadata"] == {"gpus": 4, "zone": "eu"}


async def test_another_agents_registration_is_not_ones_own_to_end(autojump_clock):
    async with apis("a", "b", register=("compute",)) as (a, _):
        await trio.sleep(1)
        status, problem = await a.ask("DELETE", "/v1/registrations/compute/b")
        assert status == 404
        assert problem["detail"] == "compute of b is registered with b, not with this agent"


async def test_the_status_says_who_agrees(autojump_clock):
    async with apis("a", "b", "c", register=("compute",)) as (a, b, _):
        await trio.sleep(3)
        found = await a.get("/v1/status")
        assert (found["name"], found["joined"], found["leaving"]) == ("a", True, False)
        assert (found["agree"], found["unheard"], found["differ"]) == (2, 0, [])
        assert found["members"] == {"alive": 3}
        assert (found["topics"], found["registrations"]) == (1, 1)
        assert found["fingerprint"] == (await b.get("/v1/status"))["fingerprint"]
        assert found["traffic"]["sent_bytes"] > 0


async def test_why_tells_the_story_of_a_death_in_words(autojump_clock):
    async with apis("a", "b", "c", register=("compute",)) as (a, b, _):
        await trio.sleep(2)
        b.agent._driver.port._air.lost = lambda source, target: ("127.0.0.1", 2) in (source, target)
        await trio.sleep(12)
        found = await a.get("/v1/members/b/why")
        assert found["status"] == "dead"
        assert found["summary"].startswith("b has been dead for ")
        texts = [line["text"] for line in found["evidence"]]
        assert any("it did not answer" in text for text in texts)
        assert texts[-1].startswith("it did not answer in time: dead here")
        assert (await a.get("/v1/members/b"))["reason"] == texts[-1]
        assert (await a.get("/v1/members/a/why"))["summary"] == "a is this node itself"
        status, problem = await a.ask("GET", "/v1/members/zz/why")
        assert (status, problem["type"]) == (404, "urn:gossipmm:unknown-member")

        assert await a.ask("DELETE", "/v1/members/b") == (204, None)
        assert (await a.ask("DELETE", "/v1/members/b"))[0] == 404
        status, problem = await a.ask("DELETE", "/v1/members/c")
        assert (status, problem["detail"]) == (
            409,
            "c is alive: only a dead or left member, or one that was never alive here, can be "
            "forgotten",
        )


async def test_a_host_that_is_no_member_leads_to_its_members(autojump_clock):
    async with apis("a", "b", register=("volume=disk-1",)) as (a, _):
        await trio.sleep(1)
        _, problem = await a.ask("GET", "/v1/members/disk-1/why")
        assert problem["detail"] == (
            "no member is called 'disk-1'; a host of that name is registered by a, b"
        )


async def test_seeds_are_added_while_it_runs(autojump_clock):
    async with apis("a", "b") as (a, b):
        b.agent._driver.port._air.names["seed.example"] = [("127.0.0.1", 1)]
        status, found = await b.ask("POST", "/v1/join", {"seeds": ["seed.example:1"], "wait": 5})
        assert (status, found["live"], found["joined"]) == (200, 2, True)
        assert found["failures"] == {}
        began = trio.current_time()
        _, found = await a.ask("POST", "/v1/join", {"seeds": ["nowhere:1"], "wait": 2})
        assert "cannot be resolved" in found["failures"]["nowhere:1"]
        assert trio.current_time() - began <= 2.1
        status, problem = await a.ask("POST", "/v1/join", {"seeds": ["a:b:c"]})
        assert (status, problem["type"]) == (422, "urn:gossipmm:invalid-seed")


async def test_a_leave_says_how_many_confirmed_and_then_ends_the_agent(autojump_clock):
    async with apis("a", "b", "c") as (a, b, _):
        await trio.sleep(1)
        assert await b.ask("POST", "/v1/leave") == (
            200,
            {"confirmed": 2, "told": 2, "share": 1.0},
        )
        assert b.left
        assert (await b.get("/v1/status"))["leaving"] is True
        status, problem = await b.ask("PUT", "/v1/registrations/web/x")
        assert (status, problem["type"]) == (503, "urn:gossipmm:leaving")
        assert (await b.ask("GET", "/readyz"))[0] == 503
        assert (await b.ask("GET", "/livez"))[0] == 200
        await trio.sleep(1)
        assert (await a.get("/v1/members/b"))["status"] == "left"


async def test_ready_means_joined(autojump_clock):
    async with apis("a") as (a,):
        assert await a.get("/readyz") == {"status": "ready"}
        a.agent.table.joined = False
        status, problem = await a.ask("GET", "/readyz")
        assert status == 503
        assert problem["type"] == "urn:gossipmm:not-joined"
        assert problem["detail"] == "a: its table has agreed with nobody yet"


async def test_the_configuration_and_the_log_level(autojump_clock, log_level):
    async with apis("a", register=("compute",)) as (a,):
        settings = {each["name"]: each for each in (await a.get("/v1/config"))["settings"]}
        assert settings["register"]["value"] == ["compute"]
        assert settings["register"]["default"] is False
        assert settings["gossip_interval"] == {
            "name": "gossip_interval",
            "value": 1.25,
            "default": True,
        }
        before = await a.get("/v1/log-level")
        assert await a.ask("PUT", "/v1/log-level", {"level": "warning"}) == (
            200,
            {"level": "warning"},
        )
        assert await a.get("/v1/log-level") == {"level": "warning"}
        await a.ask("PUT", "/v1/log-level", before)


async def test_metrics_and_the_page_are_served(autojump_clock):
    async with apis("a") as (a,):
        answer = await a.answer("GET", "/metrics")
        assert answer.content_type.startswith("text/plain; version=0.0.4")
        assert b'gossipmm_members{state="alive"} 1.0' in answer.body
        assert (await a.ask("GET", "/static/%2e%2e%2fapp.py"))[0] == 404
        assert (await a.ask("GET", "/static/nothing.js"))[0] == 404
