"""Every event has a line for people and fields for programs."""

import dataclasses
import json
import typing

import pytest

from gossipmm.agent.event_json import as_json
from gossipmm.core.values import events
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import HostState, PathFault, Refusal
from gossipmm.core.values.user_events import UserEvent
from gossipmm.text.events import EVENTS, as_line

KINDS = typing.get_args(events.Event)


def example(kind):
    """Build an event with a value for each field, by its annotation."""
    values = {
        int: 3,
        float: 1.5,
        bool: True,
        str: "host-b",
        bytes: b"v1.2",
        Drop: Drop.UNKNOWN_KEY,
        PathFault: PathFault.NO_PATH,
        Refusal: Refusal.AHEAD,
        RenewalReason: RenewalReason.CLOSED,
        tuple[tuple[str, int], ...]: (("127.0.0.1", 1), ("::1", 2)),
        tuple[str, int]: ("127.0.0.1", 1),
        tuple[str, ...]: ("host-a", "host-c"),
        HostState | None: HostState.SUSPECT,
    }
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: values[hints[field.name]] for field in dataclasses.fields(kind)})


def test_the_table_of_lines_is_total():
    assert set(EVENTS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_has_a_line_and_is_json(kind):
    event = example(kind)
    line = as_line(event, "host-a")
    assert line
    assert "\n" not in line
    assert "<" not in line
    found = json.loads(json.dumps(as_json(event)))
    beside = {"payload_text"} if kind is UserEvent else set()  # of bytes, as a person reads them
    assert set(found) == {"event", *beside, *(field.name for field in dataclasses.fields(kind))}


def test_names_are_in_lower_case_and_addresses_are_text():
    event = events.MemberJoined(1.0, "b", 5, (("127.0.0.1", 1), ("::1", 2)))
    assert as_json(event) == {
        "event": "member_joined",
        "at": 1.0,
        "name": "b",
        "generation": "5",  # JavaScript rounds numbers above 2^53
        "addresses": ["127.0.0.1:1", "[::1]:2"],
    }
    changed = events.HostChanged(1.0, "compute", "b", None, HostState.LIVE)
    assert as_json(changed)["state"] is None
    assert as_json(changed)["previous"] == "live"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            events.MemberDied(0, "b", 1, 2, ("a", "c")),
            "member b is dead: it did not answer this node, c",
        ),
        (events.MemberDied(0, "b", 1, 2, ()), "member b is dead: it did not answer this node"),
        (
            events.MemberSuspected(0, "b", "a", 2),
            "member b is suspected: it did not answer this node",
        ),
        (events.HostChanged(0, "t", "b", None, HostState.LIVE), "topic t: b is gone"),
        (
            events.LeaveFinished(0, 2, 3),
            "left: 2 of 3 live members confirmed (67 %)",
        ),
        (events.LeaveFinished(0, 0, 0), "left; there was nobody else to tell"),
        (events.MemberReturned(0, "b", 1, 1, 0.0), "member b is back"),
        (
            events.MemberReturned(0, "b", 1, 3, 8.0),
            "member b has returned 3 times: on probation, in no answer until it has been steady "
            "for 8 s",
        ),
    ],
)
def test_the_words(event, line):
    assert as_line(event, "a") == line
