"""User events over the control API: text or base64, who is told, and what is refused."""

from __future__ import annotations

import trio

from gossipmm.agent.event_json import as_json
from gossipmm.core.values.user_events import UserEvent
from tests.sidecar.api import apis


async def test_an_event_is_sent_and_told_with_its_payload_as_text_and_as_bytes(autojump_clock):
    async with apis("a", "b") as (a, b):
        await trio.sleep(2)
        with b.agent.watch(UserEvent) as watch:
            body = {"name": "deploy", "payload": "v1.2", "topic": None}
            status, found = await a.ask("POST", "/v1/events", body)
            assert (status, found) == (200, {"node": "a", "number": 1})
            body = {"name": "renew", "payload_base64": "AP8="}
            assert (await a.ask("POST", "/v1/events", body))[1]["number"] == 2
            text, raw = [as_json(await anext(watch)) for _ in range(2)]
        assert (text["event"], text["name"], text["event_name"]) == ("user_event", "a", "deploy")
        assert (text["payload"], text["payload_text"]) == ("djEuMg==", "v1.2")
        assert (raw["payload"], raw["payload_text"], raw["number"]) == ("AP8=", None, 2)


async def test_the_status_says_what_became_of_events_and_what_may_still_be_sent(autojump_clock):
    """Only metrics said that a program had sent more than it may."""
    async with apis("a", "b") as (a, b):
        await trio.sleep(2)
        fresh = (await a.get("/v1/status"))["user_events"]
        assert (fresh["sent"], fresh["room"], fresh["room_bytes"]) == (0, 256, 65536)
        for number in range(258):
            answer, _ = await a.ask("POST", "/v1/events", {"name": "flood"})
            assert answer == (200 if number < 256 else 429)
        found = (await a.get("/v1/status"))["user_events"]
        expected = {"sent": 256, "delivered": 256, "refused": 0, "over_budget": 2, "room": 0}
        assert expected.items() <= found.items()
        await trio.sleep(2)
        found = (await a.get("/v1/status"))["user_events"]
        assert (found["room"], found["room_bytes"]) == (256, 65536)
        assert a.agent.status().user_events._asdict() == found
        there = (await b.get("/v1/status"))["user_events"]
        assert (there["delivered"], there["lost"], there["over_budget"]) == (256, 0, 0)


async def test_what_is_refused_says_why_and_a_flood_when_to_try_again(autojump_clock):
    async with apis("a", "b") as (a, _):
        for body, words in (
            ({"name": "x" * 65}, "takes 65 bytes, more than the 64 allowed"),
            ({"name": "e", "payload": "x" * 513}, "513 bytes, more than the 512 allowed"),
            ({"name": "e", "payload_base64": "?"}, "is not base64"),
            ({"name": "e", "payload": "x", "payload_base64": "AA=="}, "give one of them"),
        ):
            status, found = await a.ask("POST", "/v1/events", body)
            assert (status, found["type"]) == (422, "urn:gossipmm:event-refused")
            assert words in found["detail"]
        for _ in range(256):
            assert (await a.ask("POST", "/v1/events", {"name": "flood"}))[0] == 200
        status, found = await a.ask("POST", "/v1/events", {"name": "flood"})
        assert (status, found["type"]) == (429, "urn:gossipmm:event-rate")
        assert 0.0 < found["retry_after"] <= 0.0079
