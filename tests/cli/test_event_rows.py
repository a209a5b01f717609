"""What ``gossipmm status`` says of user events."""

from gossipmm.cli.event_rows import event_rows
from gossipmm.core.values.event_status import UserEventsStatus


def rows(**counts):
    return event_rows({"user_events": UserEventsStatus(**counts)._asdict()})


def test_nothing_is_said_where_there_were_no_events():
    """Nor by an agent of an older version."""
    assert event_rows({}) == rows(room=256, room_bytes=65_536) == []


def test_what_was_told_what_was_not_and_what_may_be_sent():
    """Serf drops events in silence; here each that was not told has its reason."""
    left = ("", "this node may send 255 events or 65,000 bytes of them at once now")
    assert rows(sent=1, delivered=3, room=255, room_bytes=65_000) == [
        ("user events", "1 sent, 3 told here"),
        left,
    ]
    assert rows(
        sent=1200,
        delivered=3,
        lost=2,
        forgotten=1,
        filtered=4,
        refused=2,
        over_budget=5,
        room=255,
        room_bytes=65_000,
    ) == [
        (
            "user events",
            "1,200 sent, 3 told here, 2 lost (did not come in time), 1 forgotten for want of "
            "memory, 4 for other members",
        ),
        ("", "5 of programs here refused: over the budget"),
        ("", "2 of other members refused: see refused, or metrics"),
        left,
    ]
