"""User events of a sender that skips numbers: what that costs others."""

from __future__ import annotations

from typing import Any

from gossipmm.core.messages.event_memory import EventSender, Stored
from gossipmm.core.values.types import NodeId
from gossipmm.core.values.user_events import EventText, UserEvent, UserEventsLost
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.event_text import encode_event
from tests.helpers import Mesh

#: As far as one event may be ahead of the last one [P171].
_SKIPPED = 65_000


class Counted(dict[int, Stored]):
    """Counts how often it is looked into."""

    looked = 0

    def get(self, key: int, default: Any = None) -> Any:
        """Count, and look."""
        self.looked += 1
        return super().get(key, default)


def sparse(count: int) -> EventSender:
    """Return a sender of which so many events are remembered, each far ahead of the one before."""
    sender = EventSender(5, NodeId("liar"), 0.0)
    held = Counted()
    for place in range(count):
        number = 1 + place * _SKIPPED
        held[number] = Stored(number, b"", EventText(number, "x", b""), b"", 0.0)
    sender.held, sender.top, sender.next = held, number, number + 1
    return sender


def test_what_is_offered_is_looked_for_among_what_there_is() -> None:
    """An insider that skipped numbers had others count through all of them [P168].

    Sixty events, each 65,000 ahead of the last one, and a member that says to hold none of them:
    each time it said so four million numbers were looked up, 0.4 s in which a node did nothing.
    """
    mesh = Mesh("a")
    exchanges = mesh["a"]._parts.user_events._exchanges
    sender = sparse(60)
    offered = list(exchanges._offers(sender, [5, 1, 1, 0, b""]))
    assert len(offered) == 60
    assert sender.held.looked <= 1_000  # type: ignore[attr-defined]
    # What the other one has is left out, by its bits as well.
    assert len(list(exchanges._offers(sender, [5, 1, 1 + _SKIPPED, 0, b"\x01"]))) == 58


def test_who_skips_numbers_has_only_its_own_events_wait() -> None:
    """[P167] Those of others are told at once, meanwhile; its own at last, and the gap."""
    mesh = Mesh("a", "b")
    mesh.settle()
    liar = mesh.puppet("liar").introduce()
    mesh.run(1)
    for number in (1, 1 + _SKIPPED):
        item = [liar.key, number, 0, encode_event(EventText(1, "skips", b"")), b""]
        liar.say("a", options={wire.OPT_EVENTS: [item]})
    mesh["b"].send_event("honest", now=mesh.now)
    mesh.run(1.5)
    assert [one.event_name for one in mesh.told("a", UserEvent)] == ["skips", "honest"]
    mesh.run(6)
    names = [one.event_name for one in mesh.told("a", UserEvent)]
    assert names == ["skips", "honest", "skips"]
    (lost,) = mesh.told("a", UserEventsLost)
    assert (lost.name, lost.first, lost.lost) == ("liar", 2, _SKIPPED - 1)
