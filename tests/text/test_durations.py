"""Durations as people say them."""

import pytest

from gossipmm.text.durations import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.0004, "0 ms"),
        (0.34, "340 ms"),
        (0.9996, "1.0 s"),
        (12.51, "12.5 s"),
        (99.96, "1 min 40 s"),
        (3599.6, "1 h 0 min"),
        (18_720, "5 h 12 min"),
        (200_000, "2 days 7 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
