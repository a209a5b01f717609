"""HTTP and TCP checks against real sockets of this machine; nothing here waits for a clock."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

from gossipmm.config import Config
from gossipmm.config_services import Check
from gossipmm.services.health import Outcome
from gossipmm.services.network import check_http, check_tcp


def check(**fields: Any) -> Check:
    """Read a check as from a file."""
    (service,) = Config(service=[{"topic": "t", "check": [fields]}]).service
    return service.check[0]


@asynccontextmanager
async def server(
    answer: bytes, *, host: str = "127.0.0.1", close: bool = True
) -> AsyncGenerator[tuple[int, list[bytes]], None]:
    """Answer every connection with these bytes; gives the port, and what was asked."""
    asked: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        asked.append(await stream.receive_some(65_536))
        try:
            await stream.send_all(answer)
            if not close:
                await trio.sleep_forever()
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host=host))
        yield listeners[0].socket.getsockname()[1], asked
        nursery.cancel_scope.cancel()


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_http_is_asked_once_and_its_status_counts() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
    async with server(answer, close=False) as (port, asked):
        url = f"http://127.0.0.1:{port}/health?deep=1"
        found = await check_http(check(http=url, header={"X-Token": "t"}))
        assert found == Outcome(True, "", "fine")
    assert asked == [
        b"GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: gossipmm\r\n"
        b"X-Token: t\r\nConnection: close\r\n\r\n" % port
    ]


@pytest.mark.parametrize(
    ("answer", "more", "passes", "reason", "output"),
    [
        (b"HTTP/1.1 503 No\r\n\r\ndisk full", {}, False, "HTTP 503", "disk full"),
        (b"HTTP/1.0 204 \r\n\r\n", {}, True, "", ""),
        (b"HTTP/1.1 204\r\n\r\n", {"status": [200, 204]}, True, "", ""),
        (b"HTTP/1.1 204\r\n\r\n", {"status": 200}, False, "HTTP 204", ""),
        # Followed, it would ask whatever the checked program names (CVE-2022-29153).
        (b"HTTP/1.1 302 F\r\nLocation: http://10.0.0.1/\r\n\r\n", {}, False, "HTTP 302", ""),
        (b"SSH-2.0-x\r\n", {}, False, "what answers there is no HTTP server", "SSH-2.0-x"),
        (b"", {}, False, "what answers there is no HTTP server", ""),
        (b"HTTP/1.1 500 x\r\n\r\n\x1b[2J\xff", {}, False, "HTTP 500", "\\x1b[2J\ufffd"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 1_000_000, {}, True, "", "y" * 1024),
    ],
)
async def test_an_answer_is_taken_for_what_it_is(
    answer: bytes, more: dict[str, Any], passes: bool, reason: str, output: str
) -> None:
    async with server(answer) as (port, _):
        found = await check_http(check(http=f"http://127.0.0.1:{port}/", **more))
        assert found == Outcome(passes, reason, output)


async def test_a_head_asks_for_no_body_and_a_host_may_be_given() -> None:
    async with server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") as (port, asked):
        one = check(http=f"http://127.0.0.1:{port}", method="HEAD", header={"Host": "x.org"})
        assert (await check_http(one)).passes
    assert asked[0].startswith(b"HEAD / HTTP/1.1\r\nUser-Agent: gossipmm\r\nHost: x.org\r\n")


@pytest.mark.parametrize("run", [check_http, check_tcp])
async def test_a_port_that_is_closed_is_said(run: Callable[[Check], Any]) -> None:
    port = closed_port()
    where = f"127.0.0.1:{port}"
    found = await run(check(http=f"http://{where}/") if run is check_http else check(tcp=where))
    assert found == Outcome(passes=False, reason=f"connection refused by {where}")


async def test_a_connection_is_enough_for_tcp() -> None:
    async with server(b"", close=False) as (port, _):
        assert await check_tcp(check(tcp=f"127.0.0.1:{port}")) == Outcome(passes=True)
        assert await check_tcp(check(tcp=f"localhost:{port}")) == Outcome(passes=True)


async def test_a_name_that_nobody_knows_is_said() -> None:
    found = await check_tcp(check(tcp="nobody.invalid:80"))
    assert not found.passes
    assert found.reason.startswith("nobody.invalid cannot be resolved: ")


async def test_ipv6_is_asked_too() -> None:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    async with server(b"HTTP/1.1 200 OK\r\n\r\n", host="::1") as (port, asked):
        assert (await check_http(check(http=f"http://[::1]:{port}/"))).passes
        assert (await check_tcp(check(tcp=f"[::1]:{port}"))).passes
    assert b"Host: [::1]:%d\r\n" % port in asked[0]


async def test_a_check_that_is_given_up_leaves_no_socket_open() -> None:
    """Its connection would stay, and the server would count it as a client."""
    async with server(b"", close=False) as (port, asked):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(check_http, check(http=f"http://127.0.0.1:{port}/"))
                while not asked:
                    await trio.lowlevel.checkpoint()
                scope.cancel()
        # ResourceWarnings are errors here: a socket that nobody closed would fail this test.
        assert scope.cancelled_caught
