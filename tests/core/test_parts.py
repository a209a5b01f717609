"""Frames cut into parts, and put together again within bounds [P128]."""

from __future__ import annotations

import random

import cbor2
import pytest

from gossipmm.core.sending.parts import _KEPT, _MOST, _OF_ONE, Parts, cut
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.slim import is_slim
from tests.helpers import Mesh, dropped, key_of, picks

#: What is left of 548 bytes with keys.
ROOM = 548 - 48


def parts_of(frame: bytes, room: int = ROOM, number: int = 7) -> list[list[object]]:
    return [cbor2.loads(options)[wire.OPT_PART] for options in cut(frame, room, number)]


@pytest.mark.parametrize("size", [1, 430, 501, 1152, 1200, wire.MAX_RECEIVE])
def test_any_order_gives_the_frame_once(size: int) -> None:
    rng = random.Random(size)
    frame = rng.randbytes(size)
    for options in cut(frame, ROOM, (1 << 32) - 1):
        assert wire.FRAME_SIZE + len(options) <= ROOM
    told = parts_of(frame)
    assert len(told) <= _MOST // 2
    for _ in range(10):
        rng.shuffle(told)
        parts = Parts()
        results = [parts.take(5, part) for part in told]
        assert results == [*[None] * (len(told) - 1), frame]
        assert not parts._wholes
        assert not parts._of


def test_of_two_senders_with_one_number_each_gets_its_own() -> None:
    one, other = bytes(1000), bytes([1]) * 1000
    parts = Parts()
    for mine, theirs in zip(parts_of(one)[:-1], parts_of(other)[:-1], strict=True):
        assert parts.take(1, mine) is parts.take(2, theirs) is None
    assert parts.take(2, parts_of(other)[-1]) == other
    assert parts.take(1, parts_of(one)[-1]) == one


def test_parts_that_do_not_fit_together_are_given_up() -> None:
    parts = Parts()
    assert parts.take(1, [7, 20, 0, bytes(12)]) is None
    assert parts.take(1, [7, 20, 10, bytes(10)]) == b""  # they overlap
    assert parts.take(1, [7, 20, 0, bytes(12)]) is None
    assert parts.take(1, [7, 21, 12, bytes(9)]) == b""  # of another size
    assert [parts.take(1, [7, 1500, place, b"x"]) for place in range(_MOST + 1)][-1] == b""
    assert not parts._wholes


def test_memory_is_bounded_and_one_sender_takes_the_room_of_nobody_else() -> None:
    """384 kB: what is not complete within a round trip never will be."""
    parts = Parts()
    assert parts.take(1, [0, 1500, 0, bytes(700)]) is None
    for number in range(1000):
        parts.take(2, [number, 1500, 0, bytes(1400)])
    assert len(parts._wholes) == 1 + _OF_ONE
    assert parts.take(1, [0, 1500, 700, bytes(800)]) == bytes(1500)
    for sender in range(1000):
        parts.take(sender, [0, 1500, 0, bytes(1400)])
    assert len(parts._wholes) == _KEPT
    assert sum(parts._of.values()) == _KEPT


def big_page(mesh: Mesh) -> bytes:
    x = mesh.puppet("x").introduce("a")
    page = x.page(1, *(Registration(f"topic-{index}", "h" * 50) for index in range(12)))
    return x.frame(wire.NEWS, key_of(mesh["a"]), options={wire.OPT_PAGES: [page.raw]})


def deliver_parts(mesh: Mesh, told: list[list[object]], by: str = "x") -> None:
    for part in told:
        mesh._members[by].say("a", options={wire.OPT_PART: part})


def test_a_whole_is_read_as_if_it_had_come_at_once() -> None:
    mesh = Mesh("a")
    whole = big_page(mesh)
    deliver_parts(mesh, parts_of(whole))
    assert picks(mesh["a"], "topic-3") == ("h" * 50,)


def test_a_whole_of_another_sender_or_in_parts_itself_or_damaged_changes_nothing() -> None:
    """Nobody speaks for another one, and nothing loops."""
    mesh = Mesh("a")
    whole = big_page(mesh)
    mesh.puppet("y").introduce("a")
    deliver_parts(mesh, parts_of(whole), by="y")
    x = mesh._members["x"]
    nested = x.frame(wire.NEWS, key_of(mesh["a"]), options={wire.OPT_PART: [1, 3, 0, b"abc"]})
    deliver_parts(mesh, parts_of(nested, number=8))
    deliver_parts(mesh, parts_of(bytes(900), number=9))
    assert dropped(mesh["a"], Drop.MALFORMED) == 3
    assert picks(mesh["a"], "topic-3") == ()


def test_no_slim_frame_is_cut() -> None:
    """They are read by other rules; all of them fit."""
    mesh = Mesh("a", "b")
    mesh.rules["size"] = lambda packet: len(packet.data) > 600
    for number in range(60):
        mesh["a"].register(f"topic-{number:03d}-of-a", "a", now=mesh.now)
    mesh.settle()
    told: dict[tuple[object, int], bytes] = {}
    for packet in mesh.sent:
        part = None if is_slim(packet.data) else packet.frame.options.get(wire.OPT_PART)
        if part is not None:
            name = (packet.source, part[0])
            told[name] = told.get(name, b"") + part[3]
    assert told
    assert not any(is_slim(whole) for whole in told.values())
