"""call, cast and fanout_cast over ZeroMQ, addressed by matchmaker keys.

    rpc.call("compute", "work", number=7)         one host of the topic, in turn
    rpc.call("compute.host-a", "counts")          that host
    rpc.cast("compute", "work", number=8)         the same, without an answer
    rpc.fanout_cast("compute", "note", text="x")  all hosts

A host registers where its socket is as metadata. A request is one frame, eight bytes of a number
and JSON; the number 0 is a cast, which nobody answers. One frame, because libzmq aborts the process
(``Assertion failed: !_more``) when a connection with IMMEDIATE ends between two that are read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

import zmq

from gossipmm import MatchMakerGossip

#: Length of a request's number. Bytes.
NUMBER = 8
CAST = bytes(NUMBER)
#: Seconds that a connection on loopback may take.
CONNECT = 0.5


class NobodyError(Exception):
    """No host took the request: nothing was done, and the caller may try again."""


class LostError(Exception):
    """The host took the request and did not answer: it may have been done, or not."""


class Attempt(NamedTuple):
    """What became of one request that was routed to one host. Times: ``time.monotonic()``."""

    began: float  #: before the matchmaker was asked
    ended: float
    key: str
    host: str
    outcome: str  #: "answered", "lost", "cast", or "refused" (nothing was sent)


class Rpc:
    """The calling side. For one thread; any number of them can share the matchmaker."""

    def __init__(
        self,
        matchmaker: MatchMakerGossip,
        context: zmq.Context[Any],
        *,
        timeout: float = 0.5,
        report: bool = True,
    ) -> None:
        self.attempts: list[Attempt] = []
        self._matchmaker = matchmaker
        self._context = context
        self._timeout = timeout
        self._report = report
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        self._numbers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for socket in self._sockets.values():
            socket.close(linger=0)

    def call(self, key: str, method: str, **arguments: Any) -> Any:
        """Have one host do it, and return its answer. Raises NobodyError or LostError."""
        self._numbers += 1
        number = self._numbers.to_bytes(NUMBER)
        began, queue, host, socket = self._deliver(key, number, method, arguments)
        answer = self._answer(socket, number)
        if answer is None:
            self._failed(queue, host)
            self._note(began, key, host, "lost")
            raise LostError(f"{host} did not answer within {self._timeout:g} s")
        self._matchmaker.ack_alive(queue, host)
        self._note(began, key, host, "answered")
        return json.loads(answer)

    def cast(self, key: str, method: str, **arguments: Any) -> str:
        """Have one host do it some time; return which. Raises NobodyError."""
        began, _, host, _ = self._deliver(key, CAST, method, arguments)
        self._note(began, key, host, "cast")
        return host

    def fanout_cast(self, topic: str, method: str, **arguments: Any) -> list[str]:
        """Have all hosts of a topic do it some time; return which took it."""
        key = f"fanout~{topic}"
        body = _body(method, arguments)
        began = time.monotonic()
        told = []
        for queue, host in self._matchmaker.queues(key):
            assert host is not None
            if self._send(queue, host, self._address(queue), CAST, body):
                told.append(host)
                self._note(began, key, host, "cast")
            else:
                self._note(began, key, host, "refused")
        return told

    def _deliver(
        self, key: str, number: bytes, method: str, arguments: Mapping[str, Any]
    ) -> tuple[float, str, str, zmq.Socket[bytes]]:
        """Send to the first host of the key that takes it: one that does not is reported."""
        body = _body(method, arguments)
        # With its address: a host that was restarted meanwhile is another one to try.
        tried = set()
        while True:
            began = time.monotonic()
            queue, host = next(iter(self._matchmaker.queues(key)), ("", None))
            if host is None:
                break
            address = self._address(queue)
            if (host, address) in tried:
                break
            socket = self._send(queue, host, address, number, body)
            if socket is not None:
                return began, queue, host, socket
            self._note(began, key, host, "refused")
            tried.add((host, address))
        raise NobodyError(f"{key}: {self._matchmaker.lookup(key).status}")

    def _send(
        self, queue: str, host: str, address: str | None, number: bytes, body: bytes
    ) -> zmq.Socket[bytes] | None:
        if address is not None:
            socket = self._socket(address)
            # IMMEDIATE: writable is only what is connected: a dead host is known before the send.
            if socket.poll(int(CONNECT * 1000), zmq.POLLOUT):
                # It may die just now: a send that waits would wait until it is there again.
                with suppress(zmq.Again):
                    socket.send(number + body, zmq.NOBLOCK)
                    return socket
        self._failed(queue, host)
        return None

    def _answer(self, socket: zmq.Socket[bytes], number: bytes) -> bytes | None:
        """Wait for one answer; those of earlier calls, which came too late, are dropped."""
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            if socket.poll(int(left * 1000) + 1, zmq.POLLIN):
                # What has come is dropped when the connection ends: not to be waited for, either.
                with suppress(zmq.Again):
                    answer = socket.recv(zmq.NOBLOCK)
                    if answer.startswith(number):
                        return answer[NUMBER:]
        return None

    def _address(self, queue: str) -> str | None:
        """Return where the host says that it is; None: it is gone meanwhile."""
        found = self._matchmaker.lookup(queue.removeprefix("fanout~")).hosts
        return str(found[0].metadata["rpc"]) if found else None

    def _socket(self, address: str) -> zmq.Socket[bytes]:
        """Return the connection to an address, a new one where there is none."""
        socket = self._sockets.get(address)
        if socket is None:
            socket = self._context.socket(zmq.DEALER)
            socket.setsockopt(zmq.IMMEDIATE, 1)
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(address)
            self._sockets[address] = socket
        return socket

    def _failed(self, queue: str, host: str) -> None:
        if self._report:
            self._matchmaker.report_failure(queue, host)

    def _note(self, began: float, key: str, host: str, outcome: str) -> None:
        self.attempts.append(Attempt(began, time.monotonic(), key, host, outcome))


def _body(method: str, arguments: Mapping[str, Any]) -> bytes:
    return json.dumps({"method": method, "arguments": arguments}).encode()


class Server:
    """The serving side: a socket on a free port of loopback. ``address`` is where it is."""

    def __init__(self, context: zmq.Context[Any], methods: Mapping[str, Callable[..., Any]]):
        self._methods = methods
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 1000)
        self.address = f"tcp://127.0.0.1:{self._socket.bind_to_random_port('tcp://127.0.0.1')}"

    def serve(self, seconds: float) -> int:
        """Do what is asked for so many seconds; return how many requests that were."""
        done = 0
        for caller, asked in self._requests(seconds):
            number = asked[:NUMBER]
            request = json.loads(asked[NUMBER:])
            answer = self._methods[request["method"]](**request["arguments"])
            if number != CAST:
                self._socket.send_multipart([caller, number + json.dumps(answer).encode()])
            done += 1
        return done

    def _requests(self, seconds: float) -> Iterator[list[bytes]]:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._socket.poll(int(left * 1000) + 1, zmq.POLLIN):
                yield self._socket.recv_multipart()

    def close(self) -> None:
        """Close the socket; answers that are on their way still go."""
        self._socket.close()
