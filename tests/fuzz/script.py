"""Bytes as a script: what several peers send to one node, and how much time passes between.

Each step is a head of four bytes (who, what, how long after, how many bytes follow x 4) and that
many bytes. ``what`` below 180 puts the bytes as rows, options or pages into a frame that is well
formed so far; below 200 into a slim frame; from 200 on the bytes are the datagram.
"""

from __future__ import annotations

import random
from itertools import chain
from struct import Struct
from typing import Any

import cbor2

from gossipmm.config import Config
from gossipmm.core.node import Node
from gossipmm.core.values.types import Address, NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_page_zero
from gossipmm.core.wire.slim import COORDINATE, COORDINATES, is_slim
from gossipmm.core.wire.slim import encode as encode_slim
from tests.invariants import check_node

TAG = wire.cluster_tag("gossipmm")
GENERATION = 1_700_000_000_000 << 16
_STEPS = 40
#: The least ``what`` of a slim frame, and of bytes as they are.
FIRST_SLIM, FIRST_RAW = 180, 200
#: The least ``what`` of a slim frame with a coordinate.
FIRST_WHERE = 192
#: What the body of a slim frame begins with: probe, fingerprint, heartbeat, known heartbeat.
_NUMBERS = Struct(">IQII")


class _Peer:
    """Somebody who speaks to the node."""

    def __init__(self, name: str, host: str) -> None:
        self.address: Address = (host, 7946)
        self.key = wire.record_key("gossipmm", name, GENERATION)
        self.page = encode_page_zero(
            name, GENERATION, 1, NodeState.UP, (self.address,), {}, reads=wire.WIRE_VERSION
        ).raw

    def say(self, kind: int, target: int, rows: bytes = b"", options: bytes = b"") -> bytes:
        """A datagram of its own."""
        return wire.encode(TAG, kind, self.key, target, 5, 6, 7, 0, rows, options)


def scene() -> tuple[Node, list[_Peer]]:
    """A node that knows three members; the last two peers are strangers."""
    config = Config(
        join=("seed:1",), max_members=20, max_registrations=50, max_record=20_000, distances=True
    )
    node = Node(
        config,
        name="a",
        addresses=(("10.0.0.1", 7946),),
        generation=GENERATION,
        rng=random.Random(1),
        now=0.0,
    )
    node.register("t", "h", {"m": 1}, now=0.0)
    peers = [_Peer(f"p{n}", f"10.0.0.{n + 2}") for n in range(5)]
    for peer in peers[:3]:
        options = b"\xa1\x01\x81" + wire.bytes_head(len(peer.page)) + peer.page
        node.receive_datagram(peer.say(wire.NEWS, 0, options=options), peer.address, 0.0)
    for peer in peers[:2]:
        node._admission.prove(peer.address, 0.0)
    node.datagrams_to_send()
    return node, peers


def play(data: bytes) -> Node:
    """Run a script; raises AssertionError when a promise is broken."""
    node, peers = scene()
    me = wire.record_key("gossipmm", "a", node.generation)
    now, at = 0.0, 0
    for _ in range(_STEPS):
        head = data[at : at + 4]
        if len(head) < 4:
            break
        body = data[at + 4 : at + 4 + 4 * head[3]]
        at += 4 + len(body)
        peer = peers[head[0] % len(peers)]
        now += (0.0, 0.001, 0.1, 0.6, 3.0, 40.0)[head[2] % 6]
        _pass(node, now)
        if FIRST_SLIM <= head[1] < FIRST_RAW:
            datagram = _slim(head[1], body, peer, me, node)
        else:
            datagram = _datagram(head[1], body, peer, me)
        proved = peer.address in node._admission.proved
        node.receive_datagram(datagram, peer.address, now)
        back = sum(len(out) for out, to in node.datagrams_to_send() if to == peer.address)
        assert proved or back <= 3 * len(datagram), f"{back} bytes for {len(datagram)}"
        while node.next_event() is not None:
            pass
    _pass(node, now + 1.0)
    check_node(node)
    return node


def options_of(given: dict[int, Any]) -> bytes:
    """Return options of a size that steps can have: with so much padding as it takes."""
    for size in range(4):
        data = cbor2.dumps(dict(sorted({**given, wire.OPT_PADDING: bytes(size)}.items())))
        if len(data) % 4 == 0:
            return data
    raise AssertionError("one of four sizes in a row can be divided by four")


def _pass(node: Node, now: float) -> None:
    for _ in range(500):
        when = node.next_timer()
        if when > now:
            break
        node.handle_timer(now)
    node.datagrams_to_send()
    while node.next_event() is not None:
        pass


def _datagram(what: int, body: bytes, peer: _Peer, me: int) -> bytes:
    if what >= FIRST_RAW:
        # Bytes come in fours; a slim frame has exactly its size.
        return (
            body[: body[1] + 2]
            if is_slim(body[:-1]) and len(body) - body[1] - 2 in (1, 2, 3)
            else body
        )
    kind = 1 + what % 5
    target = (me, 0, peer.key)[what // 5 % 3]
    shape = what // 15 % 3
    if shape == 0:
        return peer.say(kind, target, rows=body[: len(body) - len(body) % wire.ROW_SIZE])
    if shape == 1:
        return peer.say(kind, target, options=body)
    return peer.say(kind, target, options=b"\xa1\x01\x81" + wire.bytes_head(len(body)) + body)


def _slim(what: int, body: bytes, peer: _Peer, me: int, node: Node) -> bytes:
    """Return a slim SYN to the node or another one, or an ACK to what it may have asked.

    From 192 on it asks for a coordinate, or brings one: the eight bytes behind its numbers.
    """
    body = body.ljust(_NUMBERS.size, b"\0")
    probe, fingerprint, *beats = _NUMBERS.unpack_from(body)
    probes = node._parts.probes
    if what // 2 % 2:  # no fuzzer guesses 32 bits
        probe = next(chain(probes._short, probes._open), probe)
    kind = (wire.SYN, wire.ACK)[what % 2]
    first = _NUMBERS.size
    where = b""
    if what >= FIRST_WHERE:
        where = (
            body[first : first + COORDINATE].ljust(COORDINATE, b"\0") if kind == wire.ACK else b""
        )
        kind, first = COORDINATES[kind], first + len(where)
    to = (me, peer.key)[what // 4 % 2]
    count = min(max(0, len(body) - first), 15 * wire.ROW_SIZE) // wire.ROW_SIZE
    rows = where + body[first:][: count * wire.ROW_SIZE]
    return encode_slim(kind, (peer.key, to), probe, fingerprint, (beats[0], beats[1]), rows)
