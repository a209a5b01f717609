"""Events out of bytes: what is none is an error that programs catch."""

import pytest

from gossipmm.client.events import Following
from gossipmm.errors import ControlError


def following(status, body):
    head = f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    return list(Following((), (), (), None).feed(head + body))


def test_events_are_what_was_sent():
    body = b'event: hello\ndata: {"event_id":"x-1"}\n\n: a comment\n\nevent: e\ndata: {"a":1}\n\n'
    assert following(200, body) == [
        {"event": "hello", "event_id": "x-1"},
        {"event": "e", "a": 1},
    ]


@pytest.mark.parametrize(
    "body",
    [
        *(b"data: {\n\n", b"data: [1]\n\n", b"data: 5\n\n", b"data: \xff\n\n", b"\xff\xfe: x\n"),
        *(b"event: hello\ndata: {}\n\n", b"data: " + b"[" * 100_000 + b"\n\n"),
        b'event: hello\ndata: {"event_id":1}\n\n',  # it was asked for when the watch went on
    ],
)
def test_what_is_no_event_is_said(body):
    """ValueError, TypeError, UnicodeDecodeError, KeyError or RecursionError ended a watch."""
    with pytest.raises(ControlError, match="not an agent"):
        following(200, body)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b"{" * 9, b""])
def test_a_refusal_that_is_not_json_is_a_refusal_all_the_same(body):
    """What stands in between (a proxy) answers with a page of its own: it raised ValueError."""
    with pytest.raises(ControlError) as raised:
        following(502, body)
    assert raised.value.status == 502
