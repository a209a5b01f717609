"""Targets for Prometheus: whole answers, labels that are text, no empty list by mistake."""

import json

import trio

from tests.sidecar.api import apis


async def found(api, target="/v1/prometheus/sd/web"):
    answer = await api.answer("GET", target)
    assert answer.status == 200, answer
    assert answer.content_type == "application/json"
    return json.loads(answer.body), dict(answer.headers)


async def test_the_hosts_of_a_topic(autojump_clock):
    async with apis("a", "b") as (a, b):
        metadata = {"port": 9100, "metrics_port": "9200", "zone": "eu", "up-to-date": True}
        a.agent.register("web", metadata=metadata)
        b.agent.register("web", metadata={"port": 9101}, draining=True)
        b.agent.register("web", "portless")
        b.agent.register("other", metadata={"port": 1})
        await trio.sleep(1)
        groups, headers = await found(b)
        address = a.agent.addresses[0][0]
        assert groups[0] == {
            "targets": [f"{address}:9100"],
            "labels": {
                "__meta_gossipmm_topic": "web",
                "__meta_gossipmm_host": "a",
                "__meta_gossipmm_node": "a",
                "__meta_gossipmm_state": "live",
                "__meta_gossipmm_metadata_port": "9100",
                "__meta_gossipmm_metadata_metrics_port": "9200",
                "__meta_gossipmm_metadata_zone": "eu",
                "__meta_gossipmm_metadata_up_to_date": "true",
            },
        }
        # A draining host is still to be scraped; one without a port cannot be.
        assert [group["labels"]["__meta_gossipmm_state"] for group in groups] == [
            "live",
            "draining",
        ]
        assert headers["x-gossipmm-without-port"] == "1"
        groups, _ = await found(b, "/v1/prometheus/sd/web?state=live&port_from=metrics_port")
        assert [group["targets"] for group in groups] == [[f"{address}:9200"]]
        groups, _ = await found(b, "/v1/prometheus/sd")
        assert [group["labels"]["__meta_gossipmm_topic"] for group in groups] == [
            *("other", "web", "web")
        ]


async def test_an_unknown_topic_has_no_targets_and_is_no_error(autojump_clock):
    async with apis("a") as (a,):
        assert (await found(a))[0] == []


async def test_what_is_not_certain_is_not_answered(autojump_clock):
    """Prometheus keeps its last targets then; an empty list would remove them all."""
    async with apis("a") as (a,):
        a.agent.table.joined = False
        status, problem = await a.ask("GET", "/v1/prometheus/sd/web")
        assert (status, problem["type"]) == (503, "urn:gossipmm:not-joined")


async def test_a_state_that_there_is_not(autojump_clock):
    async with apis("a") as (a,):
        status, problem = await a.ask("GET", "/v1/prometheus/sd/web?state=up")
        assert (status, "known: live, doubted" in problem["detail"]) == (400, True)
