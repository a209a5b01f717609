"""Fuzzing of the doors of an agent beside gossip: HTTP, DNS, dial-back.

Each of them reads what any local user, or anybody at all, can send.
"""

from __future__ import annotations

import logging
import random
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any

import dns.flags
import dns.message
import trio
import trio.testing

from gossipmm.agent import open_agent
from gossipmm.agent.dialback import MAGIC, DialBack, _Asked
from gossipmm.config import Config
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address
from gossipmm.sidecar.api.app import application
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.dns.zone import MAX_PAYLOAD, Zone
from gossipmm.sidecar.http.connection import Connection, GoneError
from gossipmm.sidecar.http.messages import Answer, Request
from gossipmm.sidecar.http.problems import refuse
from tests.agent.memory_network import Air
from tests.helpers import Mesh

# -- HTTP ------------------------------------------------------------------------------------------

#: Virtual seconds after which a client goes away: longer than a request may take.
_PATIENCE = 11.0
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [ -~]*\Z")


class Watchful(logging.Handler):
    """Fails at an error in the log: what was caught and logged is a mistake all the same."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.found.append(self.format(record))

    def __enter__(self) -> Watchful:
        logging.getLogger("gossipmm").addHandler(self)
        return self

    def __exit__(self, *raised: object) -> None:
        logging.getLogger("gossipmm").removeHandler(self)
        assert not self.found, self.found[0]


def http(data: bytes) -> None:
    """Send the bytes to the control API of an agent, in pieces; what comes back is HTTP.

    The first byte says how: over TCP or a Unix socket, closed or left open at the end, and the size
    of the pieces.
    """
    how, stream = data[0] if data else 0, data[1:]
    with Watchful():
        trio.run(_converse, how, stream, clock=trio.testing.MockClock(autojump_threshold=0))


async def _converse(how: int, stream: bytes) -> None:
    config = Config(name="a", bind="127.0.0.1:1", register=("compute",))
    async with Air() as air, open_agent(config, network=air.host()) as agent:
        state = State(agent, lambda: None)
        asked: list[str] = []
        serve = application(state)

        def heard(request: Request) -> Answer | Awaitable[Answer]:
            asked.append(request.method)
            return serve(request)

        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        client = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        connection = Connection(theirs, trio.Semaphore(16), {}, tcp=bool(how & 1))
        back = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(state.hub.run)
            nursery.start_soon(_speak, client, stream, how)
            nursery.start_soon(_listen, client, back)
            with suppress(GoneError, OSError):
                await connection.run(heard, refuse)
            connection.close()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        ours.close()
        _check_answers(bytes(back), asked)


async def _speak(client: trio.SocketStream, stream: bytes, how: int) -> None:
    size = (1, 3, 50, 1 << 16)[how >> 2 & 3]
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        # Each byte in a piece of its own would take seconds; the interesting ones come first.
        for piece in [*pieces[:64], b"".join(pieces[64:])]:
            await client.send_all(piece)
        if how & 2:
            await client.send_eof()
        await trio.sleep(_PATIENCE)
        await client.aclose()


async def _listen(client: trio.SocketStream, back: bytearray) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for part in client:
            back += part


def _check_answers(data: bytes, asked: list[str]) -> None:
    """Read all answers: one a request, and at most one for what was refused before it was one."""
    number = 0
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, f"half a head: {head!r}"
        first, *lines = head.split(b"\r\n")
        match = _STATUS_LINE.match(first)
        assert match, f"no status line: {first!r}"
        status = int(match[1])
        headers = dict(line.lower().split(b": ", 1) for line in lines)
        if status == 100:
            continue
        assert status != 500, f"an error of its own: {data!r}"
        method = asked[number] if number < len(asked) else "GET"
        number += 1
        if b"transfer-encoding" in headers or headers.get(b"connection") == b"close":
            # It may have been a HEAD that was refused, which is answered without a body.
            size = int(headers.get(b"content-length", b"0")) or len(data)
            assert len(data) in (0, size), f"{len(data)} of {size} bytes"
            break
        size = int(headers.get(b"content-length", b"0"))
        if method != "HEAD":
            assert len(data) >= size, f"{len(data)} of {size} bytes"
            data = data[size:]
    assert number <= len(asked) + 1


# -- DNS -------------------------------------------------------------------------------------------


class OfMesh:
    """The reading side of an agent, for a node of a mesh (virtual time, no Trio)."""

    def __init__(self, mesh: Mesh, name: str) -> None:
        self._mesh = mesh
        node = mesh[name]
        self.config = node.config
        self.table = node.table
        self.member = node.member
        self.members = node.members

    def now(self) -> float:
        """Tell the time."""
        return self._mesh.now


@cache
def _mesh() -> Mesh:
    mesh = Mesh("a", "b", "host.with.dots")
    mesh.settle()
    mesh["a"].register("compute", "a", {"port": 5672}, now=mesh.now)
    mesh["b"].register("compute", "b", now=mesh.now)
    mesh["b"].register("UPPER", "b", {"port": 1}, now=mesh.now)
    for number in range(60):
        mesh["a"].register("many", f"host-{number}", {"port": 9}, now=mesh.now)
    mesh.run(3)
    return mesh


def dns_query(data: bytes) -> None:
    """Ask the zone; what it answers is DNS, is for this query, and fits.

    The first byte says whether it came over TCP.
    """
    tcp, query = bool(data[:1] and data[0] & 1), data[1:]
    agent: Any = OfMesh(_mesh(), "a")
    with Watchful():
        answer = Zone(agent, "gossipmm.", random.Random(1)).answer_untrusted(
            query, tcp=tcp, client="127.0.0.1"
        )
    if answer is None:
        return
    assert len(answer) <= MAX_PAYLOAD or tcp
    read = dns.message.from_wire(answer)
    assert answer[:2] == query[:2]
    assert read.flags & dns.flags.QR
    assert tcp or len(answer) <= 512 or read.edns >= 0, "more than 512 bytes for who has no EDNS"


# -- dial-back -------------------------------------------------------------------------------------

_SEED: Address = ("10.0.0.9", 7946)
_SOURCES: tuple[Address, ...] = (
    *(("10.0.0.2", 7946), ("10.0.0.3", 1), _SEED),
    *(("192.0.2.1", 9), ("2001:db8::1", 7946)),
)


class _Wires:
    """A network on which nothing travels, and time passes when it is told to."""

    def __init__(self) -> None:
        self.time = 0.0
        self.sent: list[tuple[bytes, Address]] = []

    def now(self) -> float:
        return self.time

    def random(self) -> random.Random:
        return random.Random(1)

    def bind(self, host: str, port: int) -> _Wires:
        return self

    def send(self, data: bytes, address: Address) -> None:
        self.sent.append((data, address))

    def close(self) -> None:
        """Do nothing."""


def dial_back(data: bytes) -> None:
    """Play datagrams at a node that asks a seed: nobody gains, and words come of it.

    A step is a head of two bytes (who sends and whether the nonce is that of the question; how
    many bytes follow), and those behind the magic.
    """
    wires: Any = _Wires()
    refused: list[Drop] = []
    dialer = DialBack(
        wires,
        bound=("10.0.0.1", 7946),
        send=wires.send,
        cluster="gossipmm",
        announced=lambda: (("10.0.0.1", 7946), ("2001:db8::7", 7946)),
        keys=lambda: None,
        alone=lambda: True,
        allows=lambda host: host.startswith(("10.", "2001:db8:")),
        refused=refused.append,
    )
    nonce = bytes(range(16))
    asked = dialer._asked[nonce] = _Asked(_SEED)
    answers = at = 0
    while len(head := data[at : at + 2]) == 2:
        body = data[at + 2 : at + 2 + head[1]]
        at += 2 + head[1]
        if head[0] & 64:
            body = body[:1] + nonce + body[1:]
        datagram = MAGIC + body
        if head[0] & 128:
            wires.time += 0.05
        source = _SOURCES[(head[0] & 63) % len(_SOURCES)]
        wires.sent.clear()
        dialer.take(datagram, source)
        out = sum(len(sent) for sent, _ in wires.sent)
        assert out <= len(datagram), f"{out} bytes for {len(datagram)}"
        assert all(to[0].startswith(("10.", "2001:db8:")) and to[1] for _, to in wires.sent)
        answers += bool(wires.sent)
    assert answers <= 20 + 10 * wires.time + 1, f"{answers} answers in {wires.time} s"
    assert isinstance(dialer._words(asked), str)
    dialer._words(asked).encode()


DOORS: dict[str, Callable[[bytes], None]] = {
    "http": http,
    "dns": dns_query,
    "dialback": dial_back,
}
