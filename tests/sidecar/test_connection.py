"""Connections over socket pairs, under Trio's autojump clock: no client can stay for ever."""

import errno
import json
import os
import socket
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from gossipmm.sidecar.http import connection as limits
from gossipmm.sidecar.http.messages import Response, Stream
from gossipmm.sidecar.http.problems import refuse
from gossipmm.sidecar.http.server import PER_ROUND, Server

GET = b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n"


class Listener:
    """What the server needs of a listening socket; ``connect`` gives a client's end."""

    family = socket.AF_UNIX

    def __init__(self, path):
        self.path = str(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(self.path)
        self.sock.listen(128)
        self.sock.setblocking(False)
        self.clients = []

    async def connect(self):
        client = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.clients.append(client)
        await client.connect(self.path)
        return trio.SocketStream(client)

    def close(self):
        for each in (self.sock, *self.clients):
            each.close()


@pytest.fixture
def serve(tmp_path):
    @asynccontextmanager
    async def serve(application, **options):
        listener = Listener(tmp_path / "s")
        server = Server(application, refuse, **options)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run, [listener.sock])
            yield listener, server
            nursery.cancel_scope.cancel()
        listener.close()

    return serve


def echo(request):
    seen = {"method": request.method, "target": request.target.decode(), "size": len(request.body)}
    return Response(json.dumps(seen).encode())


async def read_answer(stream, *, body=True):
    """Read one answer of known length: (status, headers, body)."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some()
        assert more, f"the end after {data!r}"
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    size = int(headers.get("content-length", 0)) if body else 0
    while len(rest) < size:
        rest += await stream.receive_some()
    return int(first.split()[1]), headers, rest


async def test_requests_on_one_connection(serve):
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        for method in ("GET", "DELETE"):
            await stream.send_all(GET.replace(b"GET", method.encode()))
            status, headers, body = await read_answer(stream)
            assert (status, json.loads(body)["method"]) == (200, method)
            assert headers["content-type"] == "application/json"
            assert headers["cache-control"] == "no-store"
        await stream.send_all(GET.replace(b"GET", b"HEAD"))
        status, headers, body = await read_answer(stream, body=False)
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 0
        await stream.aclose()


async def test_pipelined_requests_are_answered_in_order(serve):
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        await stream.send_all(GET + GET.replace(b"/x", b"/y"))
        data = b""
        while data.count(b"target") < 2:
            data += await stream.receive_some()
        assert data.index(b"/x") < data.index(b"/y")


async def test_a_body_in_pieces_arrives_whole(serve):
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        await stream.send_all(b"PUT /x HTTP/1.1\r\nhost: a\r\ncontent-le")
        await trio.testing.wait_all_tasks_blocked()
        await stream.send_all(b"ngth: 6\r\n\r\nabc")
        await trio.testing.wait_all_tasks_blocked()
        await stream.send_all(b"def")
        assert json.loads((await read_answer(stream))[2])["size"] == 6
        await stream.send_all(
            b"PUT /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        assert json.loads((await read_answer(stream))[2])["size"] == 3


async def test_a_client_that_waits_for_100_continue_is_told(serve):
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        await stream.send_all(
            b"PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
        )
        assert (await read_answer(stream))[0] == 100
        await stream.send_all(b"{}")
        assert (await read_answer(stream))[0] == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\n\r\n", 400),  # no host
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
        (b"GET /x HTTP/1.1\r\nhost: a\r\nx: " + b"y" * limits.MAX_HEAD, 431),
        (b"PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 65537\r\n\r\n", 413),
        (b"PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        (
            b"PUT /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            + b"8000\r\n" + b"x" * 0x8000 + b"\r\n8001\r\n" + b"x" * 0x8001,
            413,
        ),
    ],
)  # fmt: skip
async def test_what_is_no_request_is_a_problem_and_the_end(autojump_clock, serve, sent, status):
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        await stream.send_all(sent)
        found, headers, body = await read_answer(stream)
        assert found == status
        assert headers["content-type"] == "application/problem+json"
        assert headers["connection"] == "close"
        assert json.loads(body)["status"] == status
        assert await stream.receive_some() == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"content-length: 65537\r\n\r\n", 413), (b"content-length: 5\r\n\r\nab", 400)],
)
async def test_a_refused_head_has_no_body_and_ends_nothing(autojump_clock, serve, sent, status):
    """One HEAD with too long a body, or half of one, ended the agent: its refusal had a body.

    Anybody who reached health_bind could send it.
    """
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        await stream.send_all(b"HEAD /x HTTP/1.1\r\nhost: a\r\n" + sent)
        await stream.send_eof()
        told, headers, body = await read_answer(stream, body=False)
        assert (told, headers["connection"], body) == (status, "close", b"")
        assert await stream.receive_some() == b""
        other = await listener.connect()
        await other.send_all(GET)
        assert (await read_answer(other))[0] == 200


async def test_a_mistake_of_the_server_costs_one_connection(serve, caplog, monkeypatch):
    """Whatever else was raised for one client ended the nursery, and with it the agent."""

    async def fail(self, *_):
        raise RuntimeError("a mistake")

    async with serve(echo) as (listener, server):
        with monkeypatch.context() as patched:
            patched.setattr(limits.Connection, "_respond", fail)
            stream = await listener.connect()
            await stream.send_all(GET)
            with suppress(trio.BrokenResourceError):
                assert await stream.receive_some() == b""
        assert "a mistake" in caplog.text
        stream = await listener.connect()
        await stream.send_all(GET)
        assert (await read_answer(stream))[0] == 200
        assert server.connections == 1


async def test_a_refused_client_that_goes_on_sending_can_still_read_why(autojump_clock, serve):
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        await stream.send_all(b"PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 500000\r\n\r\n")
        await stream.send_all(b"x" * 500_000)
        assert (await read_answer(stream))[0] == 413


@pytest.mark.parametrize(
    "sent", [b"GET /x HT", GET[:-2], b"PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{"]
)
async def test_half_a_request_is_waited_for_so_long_and_no_longer(autojump_clock, serve, sent):
    async with serve(echo) as (listener, server):
        stream = await listener.connect()
        began = trio.current_time()
        await stream.send_all(sent)
        status, _, body = await read_answer(stream)
        assert status == 408
        assert b"no complete request within 10 s" in body
        assert trio.current_time() - began == pytest.approx(limits.REQUEST_TIMEOUT)
        assert await stream.receive_some() == b""
        await stream.aclose()
        await trio.sleep(2)
        assert server.connections == 0


async def test_a_request_byte_by_byte_does_not_extend_its_time(autojump_clock, serve):
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError):
            for _ in range(100):
                await stream.send_all(b"G")
                await trio.sleep(1)
        assert trio.current_time() - began < limits.REQUEST_TIMEOUT + 3


async def test_an_idle_connection_is_closed_without_a_word(autojump_clock, serve):
    async with serve(echo) as (listener, server):
        silent = await listener.connect()
        stream = await listener.connect()
        await stream.send_all(GET)
        await read_answer(stream)
        assert await stream.receive_some() == b""
        assert await silent.receive_some() == b""
        assert trio.current_time() == pytest.approx(limits.IDLE_TIMEOUT, abs=1)
        assert server.connections == 0


async def test_a_client_that_does_not_read_its_answer_is_cut_off(autojump_clock, serve):
    async with serve(lambda request: Response(b"x" * 10_000_000)) as (listener, server):
        stream = await listener.connect()
        await stream.send_all(GET)
        await trio.sleep(limits.SEND_TIMEOUT - 1)
        assert server.connections == 1
        await trio.sleep(2)
        assert server.connections == 0


async def test_a_client_that_stops_reading_a_stream_is_cut_off(autojump_clock, serve, caplog):
    ended = trio.Event()

    async def run(send):
        try:
            while True:
                await send(b"x" * 10_000)
        finally:
            ended.set()

    async with serve(lambda request: Stream(run, "text/plain")) as (listener, server):
        stream = await listener.connect()
        await stream.send_all(GET)
        await trio.sleep(limits.SEND_TIMEOUT + 1)
        assert ended.is_set()
        assert server.connections == 0
    assert "a watcher was dropped: it read nothing for 10 s" in caplog.text


async def test_a_stream_ends_when_its_client_goes(serve):
    ended = trio.Event()

    async def run(send):
        try:
            await send(b"hello")
            await trio.sleep_forever()
        finally:
            ended.set()

    async with serve(lambda request: Stream(run, "text/plain")) as (listener, _):
        stream = await listener.connect()
        await stream.send_all(GET)
        data = b""
        while b"hello" not in data:
            data += await stream.receive_some()
        await stream.aclose()
        with trio.fail_after(5):
            await ended.wait()


async def test_an_error_of_the_application_is_a_500_and_goes_on(serve, caplog):
    def fail(request):
        raise ZeroDivisionError

    async with serve(fail) as (listener, _):
        stream = await listener.connect()
        for _ in range(2):
            await stream.send_all(GET)
            status, _, body = await read_answer(stream)
            assert status == 500
            assert b"an error of gossipmm itself" in body
    assert "ZeroDivisionError" in caplog.text


async def test_the_end_lets_a_running_request_finish_and_closes_idle_ones(autojump_clock, tmp_path):
    release = trio.Event()

    async def slow(request):
        await release.wait()
        return Response(b"{}")

    listener = Listener(tmp_path / "s")
    server = Server(slow, refuse)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, [listener.sock])
        idle, busy = await listener.connect(), await listener.connect()
        await busy.send_all(GET)
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
        nursery.start_soon(_later, release)
    # Cancelled above; the answer was still sent, and said that it is the last.
    status, headers, _ = await read_answer(busy)
    assert (status, headers["connection"]) == (200, "close")
    assert await idle.receive_some() == b""
    listener.close()


async def test_a_server_that_is_cancelled_before_it_begins_ends(tmp_path):
    """A program whose block raised at once once hung for ever."""
    listener = Listener(tmp_path / "s")
    with trio.fail_after(5), trio.CancelScope() as scope:
        scope.cancel()
        await Server(echo, refuse).run([listener.sock])
    assert scope.cancelled_caught
    listener.close()


async def _later(release):
    with trio.CancelScope(shield=True):
        await trio.sleep(0.5)
    release.set()


async def test_the_end_waits_a_second_and_not_for_a_client_that_is_stuck(autojump_clock, tmp_path):
    async def run(send):
        while True:
            await send(b"x" * 10_000)

    listener = Listener(tmp_path / "s")
    server = Server(lambda request: Stream(run, "text/plain"), refuse)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, [listener.sock])
        stuck = await listener.connect()
        await stuck.send_all(GET)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began == pytest.approx(2, abs=0.1)
    assert server.connections == 0
    listener.close()


async def test_beyond_the_most_connections_a_client_is_told(serve):
    answer = trio.Event()

    async def slow(request):
        await answer.wait()
        return Response(b"{}")

    async with serve(slow, most=2) as (listener, _):
        first, second = await listener.connect(), await listener.connect()
        await first.send_all(GET)
        await second.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        third = await listener.connect()
        status, _, body = await read_answer(third)
        assert status == 503
        assert b"2 connections are open" in body
        assert await third.receive_some() == b""
        answer.set()
        assert (await read_answer(second))[0] == 200


@pytest.mark.parametrize("sent", [b"", GET[:9], GET])
async def test_clients_that_ask_for_nothing_keep_nobody_out(serve, sent):
    """64 idle connections once made an orchestrator's probe a 503, and it killed the pod.

    Whether they sent nothing, part of a request, or were answered and stay.
    """
    async with serve(echo, most=64) as (listener, server):
        idle = [await listener.connect() for _ in range(64)]
        for stream in idle:
            if sent:
                await stream.send_all(sent)
        await trio.testing.wait_all_tasks_blocked()
        for n in range(3):
            probe = await listener.connect()
            await probe.send_all(GET)
            assert (await read_answer(probe))[0] == 200
            # The one that waited longest went.
            with trio.fail_after(5):
                while await idle[n].receive_some():
                    pass
        assert server.connections <= 64


async def test_the_first_request_has_to_come_soon(serve, autojump_clock):
    """A connection that was used may wait for the next request, a new one may not for the first."""
    async with serve(echo) as (listener, _):
        new, used = await listener.connect(), await listener.connect()
        await used.send_all(GET)
        await read_answer(used)
        began = trio.current_time()
        assert await new.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(limits.REQUEST_TIMEOUT, abs=0.1)
        assert await used.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(limits.IDLE_TIMEOUT, abs=0.1)


async def test_requests_in_one_go_let_other_tasks_run_between(serve):
    """One client that sent 900 requests in one go once made the agent's timers 4.8 s late."""
    answered = 0

    def count(request):
        nonlocal answered
        answered += 1
        return Response(b"{}")

    worst = 0
    async with serve(count) as (listener, _):
        stream = await listener.connect()
        await trio.testing.wait_all_tasks_blocked()
        stream.socket._sock.send(GET * 200)
        before = answered
        while answered < 200:
            await trio.lowlevel.cancel_shielded_checkpoint()
            worst = max(worst, answered - before)
            before = answered
    assert worst <= 2


async def test_two_lengths_in_one_request_are_refused(serve):
    """A proxy that believes the other one would see another request in the rest."""
    async with serve(echo) as (listener, _):
        stream = await listener.connect()
        await stream.send_all(
            b"PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n"
            b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        status, headers, body = await read_answer(stream)
        assert (status, headers["connection"]) == (400, "close")
        assert b"content-length and transfer-encoding in one request" in body


async def test_many_requests_at_once_leave_room_for_other_tasks(serve):
    """In one round of the scheduler at most PER_ROUND requests are answered.

    Between two steps of another task lie parts of two rounds.
    """
    answered = 0

    def count(request):
        nonlocal answered
        answered += 1
        return Response(b"{}")

    worst = 0

    async with serve(count) as (listener, _):
        streams = [await listener.connect() for _ in range(100)]
        await trio.testing.wait_all_tasks_blocked()
        for stream in streams:
            stream.socket._sock.send(GET)
        before = answered
        while answered < 100:
            await trio.lowlevel.cancel_shielded_checkpoint()
            worst = max(worst, answered - before)
            before = answered
    assert worst <= 2 * PER_ROUND


async def test_when_files_run_out_it_goes_on_once_there_are_some(autojump_clock, tmp_path, caplog):
    class Short:
        """A listener of a process that has no file descriptor left, for a while."""

        family = socket.AF_UNIX

        def __init__(self, listener):
            self.listener = listener
            self.failures = 5

        def fileno(self):
            return self.listener.sock.fileno()

        def accept(self):
            if self.failures:
                self.failures -= 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return self.listener.sock.accept()

    short = Short(Listener(tmp_path / "s"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Server(echo, refuse).run, [short])
        stream = await short.listener.connect()
        await stream.send_all(GET)
        assert (await read_answer(stream))[0] == 200
        assert caplog.text.count("takes no connection just now: Too many open files") == 1
        nursery.cancel_scope.cancel()
    short.listener.close()
