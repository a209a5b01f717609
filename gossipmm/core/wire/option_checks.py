"""The shapes and ranges of the values of options, as far as they depend on no frame."""

from __future__ import annotations

from typing import Any, Final

from gossipmm.core.values.rotation_state import register_of
from gossipmm.core.wire.strict import is_numbered

#: Datagrams that a PULL may ask for, and questions that one statement of life answers.
MAX_PULL: Final = 12
MAX_QUESTIONS: Final = 8
#: Bytes of a coordinate.
COORDINATE: Final = 8
#: Numbers of user events end below this, and so many bytes tell which of them were overtaken.
MAX_EVENT_NUMBER: Final = 0xFFFF_0000
#: The last one that is taken: whoever has it tells the next one as what it waits for [P195].
LAST_EVENT_NUMBER: Final = MAX_EVENT_NUMBER - 2
MAX_BITS: Final = 64


def is_u64(value: Any) -> bool:
    """Return whether that is a number of 64 bits."""
    return type(value) is int and 0 <= value < 1 << 64


def is_coordinate(value: Any) -> bool:
    """Return whether that is a coordinate, or the question for one."""
    return type(value) is bytes and len(value) in (0, COORDINATE)


def is_pages(value: Any) -> bool:
    """Return whether that is a list of pages, unread."""
    return type(value) is list and all(type(page) is bytes for page in value)


def is_minimums(value: Any) -> bool:
    """Return whether that is a list of closed generations."""
    return type(value) is list and all(
        type(item) is list and len(item) >= 2 and type(item[0]) is str and is_u64(item[1])
        for item in value
    )


def is_cursor(value: Any) -> bool:
    """Return whether that is a place in a transfer."""
    return (
        type(value) is list
        and len(value) >= 2
        and type(value[0]) is int
        and 0 <= value[0] < 1 << 16
        and is_u64(value[1])
    )


def is_pull(value: Any) -> bool:
    """Return whether that is a question for a part of a transfer."""
    if not is_cursor(value) or len(value) < 4:
        return is_cursor(value)
    return type(value[3]) is int and 0 < value[3] <= MAX_PULL


def is_pair_of_text(value: Any) -> bool:
    """Return whether that is a topic and a host."""
    return type(value) is list and len(value) >= 2 and all(type(part) is str for part in value[:2])


def is_key(value: Any) -> bool:
    """Return whether that is a rotation and its new key."""
    return (
        type(value) is list
        and len(value) >= 2
        and register_of(value[0]) is not None
        and type(value[1]) is bytes
    )


def are_questions(value: Any) -> bool:
    """Return whether that is a few random numbers."""
    return (
        type(value) is list
        and 0 < len(value) <= MAX_QUESTIONS
        and all(is_u64(one) for one in value)
    )


def is_relay(value: Any) -> bool:
    """Return whether that is a question, or an answer, that is passed on for another member."""
    return (
        type(value) is list
        and len(value) >= 4
        and all(is_u64(one) for one in value[:3])
        and is_numbered(value[3])
    )


def is_life(value: Any) -> bool:
    """Return whether that is a statement of life, unread."""
    return (
        type(value) is list
        and len(value) >= 6
        and all(is_u64(value[place]) for place in (0, 1, 3, 4))
        and are_questions(value[2])
        and type(value[5]) is bytes
    )


def are_events(value: Any) -> bool:
    """Return whether that is a list of user events, their texts unread."""
    return type(value) is list and all(
        type(item) is list
        and len(item) >= 5
        and is_u64(item[0])
        and is_number(item[1])
        and item[1] <= LAST_EVENT_NUMBER
        and type(item[2]) is int
        and 0 <= item[2] < 1 << 32
        and type(item[3]) is bytes
        and type(item[4]) is bytes
        for item in value
    )


def is_number(value: Any) -> bool:
    """Return whether that can be the number of a user event: from 1, with room to go on."""
    return type(value) is int and 1 <= value < MAX_EVENT_NUMBER


def is_held(value: Any) -> bool:
    """Return whether that says which user events somebody holds."""
    return (
        type(value) is list
        and len(value) >= 2
        and type(value[0]) is bool
        and type(value[1]) is list
        and all(
            type(row) is list
            and len(row) >= 5
            and is_u64(row[0])
            and is_number(row[1])
            and is_number(row[2])
            and type(row[3]) is int
            and 0 <= row[3] < 1 << 32
            and type(row[4]) is bytes
            and len(row[4]) <= MAX_BITS
            for row in value[1]
        )
    )


def are_missed(value: Any) -> bool:
    """Return whether that names user events that somebody wants to have."""
    return type(value) is list and all(
        type(item) is list
        and len(item) >= 3
        and is_u64(item[0])
        and all(is_number(one) for one in item[1:])
        for item in value
    )


def is_part(value: Any, most: int) -> bool:
    """Return whether that is a part of a frame of at most so many bytes."""
    if type(value) is not list or len(value) < 4 or type(value[3]) is not bytes:
        return False
    number, size, start, piece = value[:4]
    return (
        all(type(one) is int for one in (number, size, start))
        and 0 <= number < 1 << 32
        and 0 <= start < start + len(piece) <= size <= most
    )
