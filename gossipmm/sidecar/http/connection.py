"""One HTTP/1.1 connection: requests in, answers out, and a limit to every wait.

A connection holds a *turn* (one of the server's few) only while something is worked out, never
while it waits for its client. Reading and sending go straight to the non-blocking socket: half the
cost of a stream, and a client that does not read can be cut off at any byte.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from wsgiref.handlers import format_date_time

import h11
import trio

from gossipmm.sidecar.http.messages import Application, Held, Refuse, Request, Response, Stream

__all__ = ("Connection", "GoneError")

#: Largest head of a request, and largest body, in bytes.
MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024
#: Seconds for a whole request, the first one from when the connection was taken, others from their
#: first byte on; for another one to begin; for a client to accept what is sent.
REQUEST_TIMEOUT = 10.0
IDLE_TIMEOUT = 75.0
SEND_TIMEOUT = 10.0
#: Seconds and bytes granted to a refused client to stop sending and read why.
_LINGER, _LINGER_BYTES = 1.0, 1 << 20
_READ = 65536
_REASONS = {int(status): status.phrase.encode() for status in HTTPStatus}

_log = logging.getLogger(__name__)


class GoneError(Exception):
    """The client went away, or is too slow."""


class RefusedError(Exception):
    """The request cannot be served; ``status`` says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Connection:
    """Serves one client. Owns the socket, which is non-blocking."""

    def __init__(
        self,
        sock: socket.socket,
        turns: trio.Semaphore,
        waiting: dict[Connection, None],
        *,
        tcp: bool,
    ) -> None:
        self._sock = sock
        self._tcp = tcp
        self._turns = turns
        #: All connections that wait for their client to ask, the one that waits longest first.
        self._waiting = waiting
        waiting[self] = None
        self._receiving: trio.CancelScope | None = None
        self._gave_way = False
        self._asked = False
        self._holding = False
        self._ending = False
        self._idle: trio.CancelScope | None = None
        #: Of the request that is read or answered: to HEAD even a refusal has no body.
        self._method = "GET"
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    def end(self) -> None:
        """End after the request that runs now; at once if there is none."""
        self._ending = True
        if self._idle is not None:
            self._idle.cancel()

    def give_way(self) -> None:
        """Close, in favour of another client: this one asks for nothing."""
        self._waiting.pop(self, None)
        self._gave_way = True
        if self._receiving is not None:
            self._receiving.cancel()

    def close(self) -> None:
        """Close the socket."""
        self._waiting.pop(self, None)
        self._yield_turn()
        self._sock.close()

    async def run(self, application: Application, refuse: Refuse) -> None:
        """Answer requests until the client ends, or has to. Raises GoneError, OSError."""
        http = self._http
        while not self._ending:
            if self._gave_way:
                raise GoneError
            self._waiting[self] = None
            try:
                request = await self._request()
            except (RefusedError, h11.RemoteProtocolError) as exc:
                hint = exc.status if isinstance(exc, RefusedError) else exc.error_status_hint
                await self._respond(refuse(hint, str(exc)), last=True)
                return await self._linger()
            finally:
                self._waiting.pop(self, None)
            if request is None:
                return None
            self._asked = True
            answer = await self._answer(request, application, refuse)
            if _log.isEnabledFor(logging.DEBUG):
                _log_request(request, answer)
            if isinstance(answer, Stream):
                return await self._stream(answer)
            try:
                await self._respond(answer)
            finally:
                if answer.after is not None:
                    answer.after()
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return None
            http.start_next_cycle()
        return None

    async def _answer(
        self, request: Request, application: Application, refuse: Refuse
    ) -> Response | Stream:
        try:
            answer = application(request)
            if isinstance(answer, Awaitable):
                self._yield_turn()
                answer = await answer
            if isinstance(answer, Held):
                answer = await self._held(answer)
        except GoneError:
            raise
        except Exception:
            _log.exception("the control API failed at %s %r", request.method, request.target)
            return refuse(500, "an error of gossipmm itself: its log has the details")
        return answer

    async def _held(self, held: Held) -> Response:
        """Wait for an answer for as long as its client does. Raises GoneError."""
        self._yield_turn()
        answers: list[Response] = []

        async def work() -> None:
            answers.append(await held.run())
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_gone, nursery.cancel_scope, self._http.receive_data)
            nursery.start_soon(work)
        if not answers:
            raise GoneError
        return answers[0]

    # -- in ------------------------------------------------------------------------------------

    async def _request(self) -> Request | None:
        """Read one request; None: the client is done. Raises what it is to be told."""
        http = self._http
        head: h11.Request | None = None
        body = bytearray()
        self._method = "GET"
        begun = bool(http.trailing_data[0])
        if begun:
            await self._next_turn()
        idle = self._asked and not begun
        deadline = trio.current_time() + (IDLE_TIMEOUT if idle else REQUEST_TIMEOUT)
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                if http.they_are_waiting_for_100_continue:
                    await self._send(
                        http.send(h11.InformationalResponse(status_code=100, headers=[]))
                    )
                data = await self._receive(deadline, idle=not begun)
                if self._gave_way:
                    raise GoneError
                if data is None:
                    if not begun:
                        return None
                    raise RefusedError(408, f"no complete request within {REQUEST_TIMEOUT:g} s")
                if not begun:
                    begun = True
                    deadline = trio.current_time() + REQUEST_TIMEOUT
                http.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
                self._method = head.method.decode("ascii")
                _check_framing(dict(event.headers))
            elif isinstance(event, h11.Data):
                body += event.data
                _check_size(len(body))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return Request(
                    self._method, head.target, dict(head.headers), bytes(body), self._tcp
                )
            else:  # the client closed its side between requests
                return None

    async def _receive(self, deadline: float, *, idle: bool) -> bytes | None:
        """Wait for bytes and for a turn; None: none arrived before the deadline."""
        self._yield_turn()
        with trio.move_on_at(deadline) as self._receiving:
            if idle:
                self._idle = self._receiving
            try:
                while True:
                    await trio.lowlevel.wait_readable(self._sock)
                    self._idle = None
                    await self._turns.acquire()
                    self._holding = True
                    try:
                        return self._sock.recv(_READ)
                    except (BlockingIOError, InterruptedError):
                        self._yield_turn()
            finally:
                self._idle = self._receiving = None
        return None

    async def _next_turn(self) -> None:
        """Wait for another turn: requests sent in one go are not answered in one go.

        Else the hundreds that fit into one read would hold up the agent's timers for seconds.
        """
        self._yield_turn()
        await trio.lowlevel.checkpoint()
        await self._turns.acquire()
        self._holding = True

    def _yield_turn(self) -> None:
        if self._holding:
            self._holding = False
            self._turns.release()

    # -- out -----------------------------------------------------------------------------------

    async def _respond(self, answer: Response, *, last: bool = False) -> None:
        http = self._http
        if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            raise GoneError
        headers = _headers(answer)
        if answer.status != 204:
            headers.append(("content-length", str(len(answer.body))))
        if last or self._ending:
            headers.append(("connection", "close"))
        reason = _REASONS.get(answer.status, b"")
        data = http.send(h11.Response(status_code=answer.status, headers=headers, reason=reason))
        if self._method != "HEAD" and answer.status != 204:
            data += http.send(h11.Data(data=answer.body))
        data += http.send(h11.EndOfMessage())
        await self._send(data)

    async def _stream(self, stream: Stream) -> None:
        http = self._http
        headers = [*_headers(stream), ("connection", "close")]
        await self._send(http.send(h11.Response(status_code=200, headers=headers, reason=b"OK")))
        self._yield_turn()
        if self._method != "HEAD":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_reader, nursery.cancel_scope)
                nursery.start_soon(self._run_stream, stream, nursery.cancel_scope)
        if http.our_state is h11.SEND_BODY:
            await self._send(http.send(h11.EndOfMessage()))

    async def _run_stream(self, stream: Stream, scope: trio.CancelScope) -> None:
        async def send(data: bytes) -> None:
            await self._send(self._http.send(h11.Data(data=data)))

        try:
            await stream.run(send)
        except GoneError:
            self._http.send_failed()
            _log.warning("a watcher was dropped: it read nothing for %g s", SEND_TIMEOUT)
        except OSError:
            self._http.send_failed()
        except Exception:
            self._http.send_failed()
            _log.exception("a stream of the control API failed")
        scope.cancel()

    async def _watch_reader(self, scope: trio.CancelScope) -> None:
        """Notice that the client of a stream closes; what it sends meanwhile is ignored."""
        await self._until_gone(scope, lambda _: None)

    async def _until_gone(
        self, scope: trio.CancelScope, take: Callable[[bytes], None], most: int = _LINGER_BYTES
    ) -> None:
        """Cancel a scope once the client closes or has sent too much; ``take`` gets its bytes."""
        taken = 0
        while taken <= most:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                data = self._sock.recv(_READ)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError:
                break
            if not data:
                break
            taken += len(data)
            take(data)
        self._http.send_failed()
        scope.cancel()

    async def _send(self, data: bytes) -> None:
        """Send everything. Raises GoneError for a client that does not read it in time, OSError."""
        sent = self._send_now(data)
        if sent == len(data):
            return
        self._yield_turn()
        with trio.move_on_after(SEND_TIMEOUT) as scope:
            while sent < len(data):
                await trio.lowlevel.wait_writable(self._sock)
                sent += self._send_now(data[sent:])
        if scope.cancelled_caught:
            raise GoneError

    def _send_now(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    async def _linger(self) -> None:
        """Let a client that still sends read why it was refused: closing now could destroy that."""
        self._yield_turn()
        self._sock.shutdown(socket.SHUT_WR)
        taken = 0
        with trio.move_on_after(_LINGER):
            while taken < _LINGER_BYTES:
                await trio.lowlevel.wait_readable(self._sock)
                data = self._sock.recv(_READ)
                if not data:
                    return
                taken += len(data)


def _check_framing(headers: dict[bytes, bytes]) -> None:
    if b"transfer-encoding" in headers and b"content-length" in headers:
        # A proxy that goes by the other one sees other requests than this server (RFC 9112, 6.1).
        raise RefusedError(400, "content-length and transfer-encoding in one request")
    _check_size(int(headers.get(b"content-length", b"0")))


def _check_size(size: int) -> None:
    if size > MAX_BODY:
        raise RefusedError(413, f"a body of {size} bytes; no more than {MAX_BODY} are allowed")


def _log_request(request: Request, answer: Response | Stream) -> None:
    status = answer.status if isinstance(answer, Response) else "a stream"
    target = request.target.decode("ascii", "backslashreplace")
    _log.debug("the control API was asked: %s %s: %s", request.method, target, status)


def _headers(answer: Response | Stream) -> list[tuple[str, str]]:
    return [
        ("date", _date(int(time.time()))),
        ("content-type", answer.content_type),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        *answer.headers,
    ]


_last_date = (0, "")


def _date(second: int) -> str:
    """The date header, made once a second (RFC 9110 section 6.6.1 wants one)."""
    global _last_date
    if _last_date[0] != second:
        _last_date = (second, format_date_time(second))
    return _last_date[1]
