"""Whatever is asked: a problem that says what was wrong, and an agent that did not notice."""

import json
from collections.abc import Awaitable

import pytest

from gossipmm.sidecar.api.app import application
from gossipmm.sidecar.http.messages import Request
from tests.sidecar.api import apis


async def _answer(application, request):
    answer = application(request)
    return await answer if isinstance(answer, Awaitable) else answer


PUT = ("PUT", "/v1/registrations/web/h")


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "words"),
    [
        ("GET", "/v1/nothing", None, 404, "there is nothing at '/v1/nothing': see /v1/"),
        ("GET", "/v1/members/", None, 404, "there is nothing at"),
        ("GET", "/v1/queues", None, 404, "there is nothing at"),
        ("GET", "*", None, 400, "path '*' must begin with '/'"),
        ("POST", "/v1/members", None, 405, "'/v1/members' does not take POST, only GET, HEAD"),
        ("BREW", "/v1/leave", None, 405, "'/v1/leave' does not take BREW, only POST"),
        ("GET", "/v1/queues/%ff", None, 400, "the path is not UTF-8"),
        ("GET", "/v1/queues/a%00b", None, 400, "contains control characters"),
        ("GET", "/v1/queues/fanout~", None, 400, "has no topic after its prefix"),
        ("GET", "/v1/queues/x?key=y", None, 400, "'key' is not a query parameter here; known: r"),
        ("GET", "/v1/queues/x?routing_key=a&routing_key=b", None, 400, "appears twice"),
        ("GET", "/v1/queues/x?routing_key=%ff", None, 400, "the query cannot be read"),
        ("GET", "/v1/members?all", None, 400, "'all' is not a query parameter here; known: none"),
        ("GET", "/v1/watch?kind=member_died,birth", None, 400, "'birth' is not a kind of event"),
        (*PUT, b"{", 400, "the body is not JSON"),
        (*PUT, b"\xff\xfe", 400, "the body is not JSON"),
        (*PUT, b"[" * 60_000, 400, "the body"),
        (*PUT, [], 400, "the body: expected `object`, got `array`"),
        (*PUT, {"tll": 3}, 400, "the body: object contains unknown field `tll`"),
        (*PUT, {"ttl": "3"}, 400, "the body: expected `float | null`, got `str` - at `$.ttl`"),
        (*PUT, {"ttl": 0}, 400, "expected `float` > 0.0 - at `$.ttl`"),
        (*PUT, {"ttl": -1}, 400, "expected `float` > 0.0"),
        (*PUT, b'{"ttl": 1e999}', 400, "the body"),
        (*PUT, {"metadata": {"a": []}}, 400, "at `$.metadata[...]`"),
        (*PUT, {"metadata": {"a": 1.5}}, 422, "'a': 1.5 is not a string, an integer or a boolean"),
        (*PUT, {"metadata": {"a": 1e300}}, 422, "does not fit into 64 bits"),
        (*PUT, {"metadata": {"a": 1 << 64}}, 422, "does not fit into 64 bits"),
        (*PUT, {"metadata": {"a": "x" * 900}}, 422, "more than the 800 allowed"),
        (*PUT, b'{"metadata": {"a": "\\ud800"}}', 400, "the body"),
        ("PUT", "/v1/registrations/we.b/h", None, 422, "topic 'we.b' contains a dot"),
        ("PUT", "/v1/registrations/fanout/h", None, 422, "topic 'fanout' is reserved"),
        ("PUT", "/v1/registrations/web/a%0Ab", None, 422, "contains control characters"),
        ("POST", "/v1/registrations/web/h/ack", {"x": 1}, 400, "POST takes no body here"),
        ("POST", "/v1/join", {}, 400, "object missing required field `seeds`"),
        ("POST", "/v1/join", {"seeds": []}, 400, "length >= 1"),
        ("POST", "/v1/join", {"seeds": ["a:1"], "wait": 31}, 400, "expected `float` <= 30.0"),
        ("PUT", "/v1/log-level", {"level": "loud"}, 400, "matching regex"),
        ("GET", "/v1/members/nobody", None, 404, "no member is called 'nobody'"),
    ],
)  # fmt: skip
async def test_a_problem(autojump_clock, method, target, body, status, words):
    async with apis("a") as (a,):
        answer = await a.answer(method, target, body)
        assert (answer.status, answer.content_type) == (status, "application/problem+json")
        problem = json.loads(answer.body)
        assert words in problem["detail"]
        assert problem["status"] == status
        assert problem["type"].startswith("urn:gossipmm:")
        assert problem["title"]
        if status == 405:
            assert dict(answer.headers)["allow"]
        assert await a.get("/v1/registrations") == {"node": "a", "registrations": []}


async def test_an_empty_body_is_one_without_fields(autojump_clock):
    async with apis("a") as (a,):
        for body in (None, b"", b" ", b"{}"):
            assert (await a.ask(*PUT, body))[0] in (200, 201)
            assert (await a.ask("POST", "/v1/registrations/web/h/ack", body))[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({b"host": b"127.0.0.1:7980"}, 200),
        ({b"host": b"localhost"}, 200),
        ({b"host": b"[::1]:7980"}, 200),
        ({b"host": b"127.0.0.1:7980", b"origin": b"http://127.0.0.1:7980"}, 200),
        ({b"host": b"127.0.0.1:7980", b"sec-fetch-site": b"same-origin"}, 200),
        ({}, 403),
        ({b"host": b"rebound.example"}, 403),
        ({b"host": b"["}, 403),  # was a 500 with a traceback
        ({b"host": b"127.0.0.1.rebound.example:7980"}, 403),
        ({b"host": b"localhost:7980@rebound.example"}, 403),
        ({b"host": b"127.0.0.1:7980", b"origin": b"http://other.example"}, 403),
        ({b"host": b"127.0.0.1:7980", b"origin": b"http://127.0.0.1:9999"}, 403),
        ({b"host": b"127.0.0.1:7980", b"origin": b"null"}, 403),
        ({b"host": b"127.0.0.1:7980", b"sec-fetch-site": b"cross-site"}, 403),
        ({b"host": b"127.0.0.1:7980", b"sec-fetch-site": b"same-site"}, 403),
    ],
)
async def test_over_tcp_no_foreign_page_gets_in(autojump_clock, headers, status):
    async with apis("a") as (a,):
        request = Request("GET", b"/v1/members", headers, tcp=True)
        assert (await _answer(a.application, request)).status == status
        # Who can open the socket is trusted, and names the host as he likes.
        trusted = Request("GET", b"/v1/members", headers)
        assert (await _answer(a.application, trusted)).status == 200


async def test_other_machines_see_health_and_nothing_else(autojump_clock):
    async with apis("a") as (a,):
        health = application(a.state, only_health=True)
        headers = {b"host": b"10.0.0.1:7981"}
        for path, status in (
            ("/livez", 200),
            ("/readyz", 200),
            ("/metrics", 200),
            ("/v1/members", 404),
            ("/", 404),
        ):
            assert health(Request("GET", path.encode(), headers, tcp=True)).status == status
        assert health(Request("POST", b"/v1/leave", headers, tcp=True)).status == 404
        # Nor does it name this node or its seeds when it is not ready.
        await a.agent.leave()
        answer = health(Request("GET", b"/readyz", headers, tcp=True))
        problem = json.loads(answer.body)
        assert (answer.status, problem["type"]) == (503, "urn:gossipmm:leaving")
        assert problem["detail"].startswith("this agent is not ready; its log")
