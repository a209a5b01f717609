"""User events of a member that lies: what others keep of them, look through, and tell onwards."""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.messages.event_memory import MOST_BYTES, Stored
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import NodeState
from gossipmm.core.values.user_events import EventText, UserEvent, UserEventsLost
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.event_text import encode_event
from gossipmm.core.wire.option_checks import LAST_EVENT_NUMBER
from gossipmm.core.wire.pages import encode_page_zero
from tests.helpers import Mesh, key_of
from tests.puppets import Puppet


def event(key: int, number: int, base: int = 0, payload: bytes = b"") -> list[Any]:
    """Return an event as a datagram has it."""
    return [key, number, 0, encode_event(EventText(base or number, "x", payload)), b""]


def invented(mesh: Mesh, liar: Puppet, count: int) -> list[int]:
    """Have node ``a`` know so many members that there are not; return their record keys."""
    address = (("127.0.0.9", 7946),)
    pages = [encode_page_zero(f"i{n}", 1, 1, NodeState.UP, address, {}) for n in range(count)]
    for at in range(0, count, 10):
        liar.say("a", pages=pages[at : at + 10])
        mesh.now += 0.01
    return [wire.record_key(mesh.config.cluster, f"i{n}", 1) for n in range(count)]


def memory_of(mesh: Mesh) -> Any:
    """Return what node ``a`` remembers of events."""
    return mesh["a"]._parts.user_events._memory


@pytest.mark.parametrize("number", [LAST_EVENT_NUMBER, LAST_EVENT_NUMBER + 1])
def test_the_last_number_makes_nobody_say_what_nobody_takes(number: int) -> None:
    """One event with the last number had all members send datagrams that all refused [P195].

    Each told as the next one a number beyond what the option may have, so whatever else it said of
    events was lost with it: nothing that a push had missed was ever fetched again.
    """
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    liar = mesh.puppet("liar").introduce()
    mesh.run(1)
    liar.say("a", options={wire.OPT_EVENTS: [event(liar.key, number)]})
    mesh.run(3)
    told = [one for name in "abc" for one in mesh.told(name, UserEvent)]
    assert len(told) == (3 if number <= LAST_EVENT_NUMBER else 0)
    refused = [mesh[name].stats.dropped.get(Drop.BAD_OPTION, 0) for name in "abc"]
    assert refused == ([0, 0, 0] if told else [1, 0, 0])


def test_one_event_does_not_take_all_numbers_of_a_life() -> None:
    """A member's next event after one that somebody forged was refused for good [P195].

    Of a sender of which none was heard of, any number was taken. With the last one the member that
    it named went on above it: "this node has sent all events that one life can have: restart it".
    """
    mesh = Mesh("a", "b", wall=True)
    mesh.settle()
    liar = mesh.puppet("liar").introduce()
    mesh.run(1)
    key = key_of(mesh["b"])
    for name in ("b", "a"):
        liar.say(name, options={wire.OPT_EVENTS: [event(key, LAST_EVENT_NUMBER)]})
        assert mesh[name].stats.dropped[Drop.EVENT_JUMP] == 1
    assert mesh["b"].send_event("mine", now=mesh.now) == 1
    mesh.run(1)
    assert [one.event_name for one in mesh.told("a", UserEvent)] == ["mine"]


def test_events_that_wait_may_be_forgotten_to_make_room() -> None:
    """A node ended with ``min() arg is an empty sequence`` [P195].

    An event waited for an earlier one, and was forgotten meanwhile: 9,500 members of an insider's
    invention, each with two events, were more than what is remembered.
    """
    mesh = Mesh("a")
    mesh.settle()
    liar = mesh.puppet("liar").introduce()
    mesh.run(1)
    memory = memory_of(mesh)
    for number in (1, 3):
        liar.say("a", options={wire.OPT_EVENTS: [event(liar.key, number, 1, bytes(512))]})
    mine = memory.senders[liar.key]
    assert mine.waits_since is not None
    text = EventText(1, "x", b"")
    for other in range(9_000):
        memory.put(memory.of(other, "n", mesh.now), Stored(1, bytes(500), text, b"", mesh.now))
    assert not mine.held
    mesh.run(5)
    (lost,) = mesh.told("a", UserEventsLost)
    assert (lost.first, lost.lost) == (2, 2)
    liar.say("a", options={wire.OPT_EVENTS: [event(liar.key, 4, base=4)]})
    assert len(mesh.told("a", UserEvent)) == 2


class Counted(dict[int, Any]):
    """Counts how often all of it is gone through."""

    times = 0

    def items(self) -> Any:
        self.times += 1
        return super().items()

    def values(self) -> Any:
        self.times += 1
        return super().values()


def test_room_is_made_for_many_events_at_once() -> None:
    """At the limit each event had all senders looked through [P195].

    2 ms with 9,500 of them, of which 60 us were charged: 23 events in a datagram took 40 ms.
    """
    mesh = Mesh("a", "b")
    memory = memory_of(mesh)
    text = EventText(1, "x", bytes(512))
    for key in range(9_000):
        memory.put(memory.of(key, f"n{key}", 0.0), Stored(1, bytes(512), text, b"", 0.0))
    memory.senders = Counted(memory.senders)
    forgotten = 0
    for key in range(1_000):
        forgotten += memory.put(memory.senders[key], Stored(2, bytes(512), text, b"", 0.0))
        assert memory.bytes <= MOST_BYTES
        assert memory.bytes == sum(one.size for one in dict.values(memory.senders))
    assert forgotten > 1_000
    assert memory.senders.times <= 1 + forgotten // 100
    assert all(len(memory.senders[key].held) <= 2 for key in range(9_000))


def test_what_one_address_says_to_hold_does_not_fill_all_that_is_asked_for() -> None:
    """An insider had a node ask for 1,024 events of each member, all at once [P195].

    Of 500 senders those were half a million numbers: 65 MB, and all were sorted every 60 ms, which
    took 200 ms, so that the node did nothing else. None of 2,000 datagrams was refused.
    """
    mesh = Mesh("a", "b")
    mesh.settle()
    liar, other = mesh.puppets("liar", "other")
    for puppet in (liar, other):
        puppet.introduce()
    mesh.run(1)
    memory = memory_of(mesh)
    keys = invented(mesh, liar, 40)
    for first in range(1, 2_000, 256):
        for key in keys:
            row = [key, first, first + 256, 0, b""]
            liar.say("a", probe=9, options={wire.OPT_HELD: [False, [row]]})
    assert memory.asked <= 1_024
    assert memory.asked == sum(len(one.asked) for one in memory.senders.values())
    # Another one is heard all the same.
    row = [key_of(mesh["b"]), 1, 3, 0, b""]
    (packet,) = other.say("a", probe=8, options={wire.OPT_HELD: [False, [row]]})
    assert packet.frame.options[wire.OPT_MISSED] == [[key_of(mesh["b"]), 1, 2]]
    mesh.run(30)
    assert memory.asked == 0 == len(memory.asked_by)


def test_a_sender_that_is_named_often_is_looked_at_once() -> None:
    """One datagram with 24 rows of one sender had its events looked through 24 times [P195]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    liar = mesh.puppet("liar").introduce()
    mesh.run(1)
    rows = [[key_of(mesh["b"]), 1, 2 + n, 0, b""] for n in range(24)]
    (packet,) = liar.say("a", probe=9, options={wire.OPT_HELD: [False, rows]})
    assert packet.frame.options[wire.OPT_MISSED] == [[key_of(mesh["b"]), 1, 24]]
