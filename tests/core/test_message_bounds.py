"""What the decoder takes as an option of user events, queries and distances, and what it refuses.

Options 24 to 29, at the ends of what each field can be.
"""

from __future__ import annotations

from math import inf, nan
from typing import Any

import cbor2
import pytest

from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.option_checks import LAST_EVENT_NUMBER, MAX_BITS, MAX_EVENT_NUMBER
from gossipmm.core.wire.strict import Refused

TAG = b"tag!"
LAST = MAX_EVENT_NUMBER - 1
KEY = (1 << 64) - 1
NUMBERS = [1, 2**31 - 1, 2**31, LAST]
#: Nothing counts from 0, the last numbers are kept free, and no float, flag or text is a number.
NO_NUMBERS = [0, -1, MAX_EVENT_NUMBER, 2**32, 2**64, True, 1.0, nan, inf, "1", b"1", None]
NO_KEYS = [-1, 1 << 64, 1.5, nan, inf, True, "k", None]
AGES = [0, 2**31, 2**32 - 1]
NO_AGES = [-1, 2**32, 0.5, nan, inf, False, None]


def refused(option: int, value: Any) -> Drop | None:
    """Return why a frame with that option is refused; None: it is read as it was written."""
    data = wire.encode(TAG, wire.NEWS, 5, 7, 8, 0, 1, 1, b"", cbor2.dumps({option: value}))
    try:
        frame = wire.decode_untrusted(data, TAG)
    except Refused as why:
        return why.reason
    assert frame.options == {option: value}
    return None


def event(
    key: Any = 5, number: Any = 1, age: Any = 0, text: Any = b"", signature: Any = b""
) -> Any:
    return [[key, number, age, text, signature]]


def held(key: Any = 5, lowest: Any = 1, behind: Any = 1, age: Any = 0, bits: Any = b"") -> Any:
    return [True, [[key, lowest, behind, age, bits]]]


TAKEN = [
    *((wire.OPT_EVENTS, event(number=one)) for one in [*NUMBERS[:-1], LAST_EVENT_NUMBER]),
    *((wire.OPT_EVENTS, event(age=one)) for one in AGES),
    (wire.OPT_EVENTS, []),
    (wire.OPT_EVENTS, event(0)),
    (wire.OPT_EVENTS, event(KEY)),
    *((wire.OPT_HELD, held(lowest=one)) for one in NUMBERS),
    *((wire.OPT_HELD, held(behind=one)) for one in NUMBERS),
    *((wire.OPT_HELD, held(age=one)) for one in AGES),
    (wire.OPT_HELD, [False, []]),
    (wire.OPT_HELD, held(bits=bytes(MAX_BITS))),
    *((wire.OPT_MISSED, [[5, one, 1, one, LAST]]) for one in NUMBERS),
    (wire.OPT_MISSED, []),
    *((one, [KEY, 0, KEY, [2, "name"]]) for one in (wire.OPT_RELAY, wire.OPT_RELAYED)),
    (wire.OPT_WHERE, b"\xff" * 8),
]
NOT_TAKEN = [
    *((wire.OPT_EVENTS, event(number=one)) for one in [*NO_NUMBERS, LAST]),
    *((wire.OPT_EVENTS, event(key=one)) for one in NO_KEYS),
    *((wire.OPT_EVENTS, event(age=one)) for one in NO_AGES),
    *((wire.OPT_EVENTS, one) for one in ({}, [5], [[5, 1, 0, b""]], None, event(text="text"))),
    (wire.OPT_EVENTS, event(signature=None)),
    *((wire.OPT_HELD, held(lowest=one)) for one in NO_NUMBERS),
    *((wire.OPT_HELD, held(behind=one)) for one in NO_NUMBERS),
    *((wire.OPT_HELD, held(key=one)) for one in NO_KEYS),
    *((wire.OPT_HELD, held(age=one)) for one in NO_AGES),
    *((wire.OPT_HELD, one) for one in ([], [True], [1, []], [True, {}], [True, [[5, 1, 1, 0]]])),
    (wire.OPT_HELD, held(bits=bytes(MAX_BITS + 1))),
    *((wire.OPT_MISSED, [[5, one, 1]]) for one in NO_NUMBERS),
    *((wire.OPT_MISSED, [[5, 1, one]]) for one in NO_NUMBERS),
    *((wire.OPT_MISSED, [[one, 1, 1]]) for one in NO_KEYS),
    *((wire.OPT_MISSED, one) for one in ({}, [[]], [[5, 1]], [5, 1, 1])),
    *((wire.OPT_RELAY, [one, 5, 5, [2]]) for one in NO_KEYS),
    *((wire.OPT_RELAYED, [5, one, 5, [0]]) for one in NO_KEYS),
    *((wire.OPT_RELAY, one) for one in ([], [5, 5, 5], [5, 5, 5, []], [5, 5, 5, ["2"]])),
    *((wire.OPT_WHERE, one) for one in (nan, inf, 9.461e15, bytes(7), bytes(9), [0, 0, 0], "")),
]


@pytest.mark.parametrize(("option", "value"), TAKEN)
def test_what_is_within_the_bounds_is_read_as_it_was_written(option: int, value: Any) -> None:
    """[P166, P168, P174, P179]."""
    assert refused(option, value) is None


@pytest.mark.parametrize(("option", "value"), NOT_TAKEN)
def test_what_is_outside_of_them_is_refused_with_its_reason(option: int, value: Any) -> None:
    """[P166, P168, P174, P179]."""
    assert refused(option, value) in (Drop.BAD_OPTION, Drop.MALFORMED)


def test_each_option_of_messages_is_tried_at_both_ends() -> None:
    options = set(range(wire.OPT_EVENTS, wire.OPT_WHERE + 1))
    assert {option for option, _ in TAKEN} == {option for option, _ in NOT_TAKEN} == options
