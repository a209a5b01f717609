"""Queries over the control API."""

from __future__ import annotations

from base64 import b64decode, b64encode

import trio

from gossipmm.core.values.queries import QueryAsked
from tests.sidecar.api import apis


async def test_everybody_is_asked_and_each_answer_is_shown(autojump_clock):
    async with apis("a", "b", "c", register=("compute",)) as (a, b, _):
        await trio.sleep(2)

        async def echo(asked: QueryAsked) -> bytes:
            return asked.payload[::-1]

        b.agent.on_query("echo", echo)
        payload = b64encode(b"\xffabc").decode()
        status, found = await a.ask(
            "POST", "/v1/query", {"name": "echo", "payload_base64": payload, "topic": "compute"}
        )
        assert (status, found["name"], found["node"], found["done"]) == (200, "echo", "a", 1)
        told = {one["name"]: one for one in found["answers"]}
        assert list(told) == ["a", "b", "c"]
        assert told["a"]["outcome"] == told["c"]["outcome"] == "no_handler"
        assert told["a"]["why"] == "nothing answers queries of that name there"
        assert told["b"]["payload"] == "cba\N{REPLACEMENT CHARACTER}"
        assert b64decode(told["b"]["payload_base64"]) == b"cba\xff"
        assert told["b"]["heard"]
        _, found = await a.ask("POST", "/v1/query", {"name": "ping", "metadata": {"x": 1}})
        assert found["answers"] == []


async def test_what_cannot_be_asked_is_refused_with_the_number(autojump_clock):
    async with apis("a") as (a,):
        for body, wanted in (
            ({"name": "x\n"}, 422),
            ({"name": "x", "payload": "y" * 513}, 422),
            ({"name": "x", "payload_base64": "?"}, 400),
            ({"name": "x", "payload_base64": "eA==", "payload": "x"}, 400),
            ({"name": "x", "timeout": 0}, 400),
            ({"name": "x", "timeout": 31}, 400),
            ({}, 400),
        ):
            status, found = await a.ask("POST", "/v1/query", body)
            assert status == wanted, found
        assert "refused" in (await a.ask("POST", "/v1/query", {"name": ""}))[1]["type"]


async def test_a_loop_is_told_when_to_come_again(autojump_clock):
    async with apis("a") as (a,):
        answers = [await a.answer("POST", "/v1/query", b'{"name": "ping"}') for _ in range(17)]
        assert [one.status for one in answers] == [200] * 16 + [429]
        assert dict(answers[-1].headers)["retry-after"] == "1"
        status, found = await a.ask("POST", "/v1/query", {"name": "ping"})
        assert (status, found["type"], found["retry_after"]) == (
            429,
            "urn:gossipmm:query-rate",
            0.5,
        )
        assert found["detail"].startswith("more than 2 queries a second, after 16 at once")
        await trio.sleep(0.5)
        assert (await a.ask("POST", "/v1/query", {"name": "ping"}))[0] == 200
