"""Services over the control API: what is shown of them, and what cannot be asked for there."""

from __future__ import annotations

from dataclasses import replace

import trio

from gossipmm.config import Config
from gossipmm.sidecar.ops import metrics
from gossipmm.sidecar.ops.reload import Reloader
from tests.sidecar.api import apis

WEB = {"topic": "web", "check": [{"ttl": 15}]}


async def test_the_reason_is_on_every_face_of_the_owner_and_others_say_who_knows(autojump_clock):
    """What failed was known to the program that was checked, and to nobody who looked."""
    service = {**WEB, "host": "h"}
    async with apis("a", "b", service=[service]) as (a, b):
        status, _ = await a.ask("PUT", "/v1/services/web/h/check", {"result": "pass"})
        assert status == 204
        await trio.sleep(1)
        body = {"result": "fail", "output": "the disk is full"}
        await a.ask("PUT", "/v1/services/web/h/check", body)
        await trio.sleep(2)

        (found,) = (await a.get("/v1/services"))["services"]
        assert (found["state"], found["reason"]) == ("unhealthy", "says that it fails")
        (check,) = found["checks"]
        assert (check["kind"], check["state"], check["output"]) == (
            *("ttl", "failing"),
            "the disk is full",
        )
        (host,) = (await a.get("/v1/topics/web"))["hosts"]
        assert (host["state"], host["reason"]) == ("unhealthy", "says that it fails")
        why = await a.get("/v1/members/a/why")
        assert why["unhealthy"] == [["web", "h", "says that it fails"]]
        assert "of its 1 registrations 1 fail their checks" in why["summary"]
        (own,) = (await a.get("/v1/registrations"))["registrations"]
        assert (own["unhealthy"], own["draining"]) == (True, False)

        (host,) = (await b.get("/v1/topics/web"))["hosts"]
        # b runs the same configuration, and waits for its own program.
        assert host["state"] == "unhealthy"
        assert host["reason"] == "its checks fail: a can say why (gossipmm services)"
        assert (await b.get("/v1/members/a"))["unhealthy"] == 1
        lookup = await b.get("/v1/lookup/web")
        assert (lookup["status"], lookup["hosts"][0]["state"]) == ("unhealthy", "unhealthy")

        text = metrics.render(a.agent).decode()
        for line in (
            "gossipmm_own_registrations_unhealthy 1.0",
            'gossipmm_services{state="unhealthy"} 1.0',
            'gossipmm_checks{state="failing"} 1.0',
            'gossipmm_check_runs_total{kind="ttl",result="fail"} 1.0',
        ):
            assert line in text


async def test_what_is_wrong_with_a_check_is_a_problem(autojump_clock):
    async with apis("a", service=[WEB, {"topic": "plain"}]) as (a,):
        status, problem = await a.ask("PUT", "/v1/services/nothing/check", {"result": "pass"})
        assert (status, problem["type"]) == (404, "urn:gossipmm:unknown-service")
        status, problem = await a.ask("PUT", "/v1/services/plain/check", {"result": "pass"})
        assert (status, problem["type"]) == (422, "urn:gossipmm:registration-refused")
        assert (await a.ask("PUT", "/v1/services/web/check", {"result": "up"}))[0] == 400
        assert (await a.ask("PUT", "/v1/services/web/check", {"result": "pass"}))[0] == 204


async def test_no_command_comes_over_the_api(autojump_clock):
    """Consul's API took scripts of checks from anybody who reached it."""
    command = {"command": ["/bin/sh", "-c", "id"], "interval": 1}
    async with apis("a", service=[WEB]) as (a,):
        for method, path, body in (
            ("PUT", "/v1/services/web/check", {"result": "pass", **command}),
            ("PUT", "/v1/registrations/job", {"check": [command]}),
            ("POST", "/v1/metadata", {"changes": {"x": 1}, "check": [command]}),
        ):
            assert (await a.ask(method, path, body))[0] == 400
        for method in ("PUT", "POST"):
            status, _ = await a.ask(method, "/v1/services", {"service": [{"check": [command]}]})
            assert status == 405


async def test_the_configuration_shows_no_value_of_a_header(autojump_clock):
    """A token that opens the checked program is nobody's affair who may read a configuration."""
    header = {"Authorization": "Bearer secret"}
    service = {"topic": "web", "check": [{"http": "http://127.0.0.1:1/", "header": header}]}
    async with apis("a", service=[service]) as (a,):
        settings = (await a.get("/v1/config"))["settings"]
        (shown,) = [one["value"] for one in settings if one["name"] == "service"]
        assert shown[0]["check"][0]["header"] == {"Authorization": "(hidden)"}
        assert "secret" not in str(settings)


async def test_a_reload_takes_services_and_metadata(autojump_clock):
    async with apis("a", register=("web",), metadata={"zone": "a", "rack": 1}) as (a,):
        old = a.agent.config
        new = replace(old, register=(), service=[WEB], metadata={"zone": "b", "v": 2})
        a.agent.set_metadata({"by-hand": True})
        reloader = Reloader(a.agent, old, lambda: new)
        assert reloader.reload() == [
            "metadata: rack, v, zone changed",
            "register: web ended",
            "service: web of a added",
        ]
        assert (await a.get("/v1/members/a"))["metadata"] == {"by-hand": True, "v": 2, "zone": "b"}
        assert reloader.reload() == ["nothing differs"]
        assert a.agent.config.service == Config(service=[WEB]).service
        new = old
        assert reloader.reload() == [
            "metadata: rack, v, zone changed",
            "service: web of a ended",
            "register: web added",
        ]
        large = replace(old, metadata={"k": "x" * 500})
        (said,) = Reloader(a.agent, old, lambda: large).reload()
        assert said.startswith("metadata: refused: ")
