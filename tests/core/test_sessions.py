"""The replay window against a plain set, and cookies."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.sealing.sessions import WINDOW, Cookies, Session, Sessions
from gossipmm.core.values.stats import Drop

BOOT = b"12345678"
HERE = ("10.0.0.1", 7946)


def fresh(counter: int = 0) -> Session:
    return Session(counter)


@given(
    start=st.integers(0, 10_000),
    steps=st.lists(
        st.one_of(
            st.integers(-10, 10),
            st.integers(-WINDOW - 3, WINDOW + 3),
            st.sampled_from([-WINDOW, -WINDOW + 1, WINDOW - 1, WINDOW, WINDOW + 1, 10**6]),
        ),
        max_size=60,
    ),
)
def test_the_window_does_what_a_set_would(start: int, steps: list[int]) -> None:
    """[P112]."""
    session = Session(start)
    top, accepted = start, set()
    for step in steps:
        counter = top + step
        if counter < 0:
            continue
        refused = session.refuses(counter)
        if counter <= top - WINDOW:
            assert refused is Drop.BEHIND_WINDOW
        elif counter <= start or counter in accepted:
            assert refused is Drop.REPLAYED
        else:
            assert refused is None
            session.mark(counter)
            accepted.add(counter)
            top = max(top, counter)
        assert session.top == top
        assert session.seen < 1 << WINDOW


def test_what_came_before_the_proof_counts_as_received() -> None:
    """[P112]."""
    session = Session(5000)
    assert session.refuses(5000) is Drop.REPLAYED
    assert session.refuses(4999) is Drop.REPLAYED
    assert session.refuses(904) is Drop.BEHIND_WINDOW
    assert session.refuses(5001) is None


def test_the_window_holds_at_the_end_of_the_counter() -> None:
    last = (1 << 32) - 1
    session = Session(last - 2)
    for counter in (last, last - 1):
        assert session.refuses(counter) is None
        session.mark(counter)
        assert session.refuses(counter) is Drop.REPLAYED


def test_addresses_are_few_and_the_last_one_stays() -> None:
    session = Session(0)
    for port in range(10):
        session.proved((HERE[0], port))
        session.proved((HERE[0], 0))
    assert len(session.addresses) == 4
    assert session.addresses[0] == (HERE[0], 0)


def test_sessions_long_silent_go_first_and_the_number_is_bounded() -> None:
    """[P112]."""
    sessions = Sessions(100)
    for number in range(64):
        assert sessions.add(number.to_bytes(8, "big"), 0, 0.0)[1] is False
    assert sessions.add(b"a" * 8, 0, 4000.0)[1] is False
    assert list(sessions.by_boot) == [b"a" * 8], "unused for an hour"
    crowded = [
        sessions.add(number.to_bytes(8, "big"), 0, 4000.0 + number)[1] for number in range(300)
    ]
    assert any(crowded)
    assert len(sessions.by_boot) <= 100
    assert (299).to_bytes(8, "big") in sessions.by_boot
    assert sessions.get((299).to_bytes(8, "big")) is not None


def test_one_session_is_the_least_that_can_be_kept() -> None:
    sessions = Sessions(1)
    for number in range(10):
        sessions.add(number.to_bytes(8, "big"), 0, 0.0)
        assert list(sessions.by_boot) == [number.to_bytes(8, "big")]


def test_a_cookie_is_for_one_boot_id_one_address_and_a_while() -> None:
    """[P111]."""
    cookies = Cookies(random.Random(1))
    cookie = cookies.make(BOOT, HERE, 100.0)
    assert len(cookie) == 8
    assert cookies.is_good(cookie, BOOT, HERE, 100.0)
    assert cookies.is_good(cookie, BOOT, HERE, 108.0)
    assert not cookies.is_good(cookie, BOOT, HERE, 117.0)
    assert not cookies.is_good(cookie, b"87654321", HERE, 100.0)
    assert not cookies.is_good(cookie, BOOT, ("10.0.0.2", 7946), 100.0)
    assert not cookies.is_good(cookie, BOOT, ("10.0.0.1", 7947), 100.0)
    assert not cookies.is_good(cookie[:7], BOOT, HERE, 100.0)
    assert not Cookies(random.Random(2)).is_good(cookie, BOOT, HERE, 100.0)
    cookies.renew()
    assert not cookies.is_good(cookie, BOOT, HERE, 100.0)


@given(st.text(), st.integers(0, 65535), st.floats(-1e12, 1e12))
def test_no_address_or_time_breaks_a_cookie(host: str, port: int, now: float) -> None:
    cookies = Cookies(random.Random(1))
    assert cookies.is_good(cookies.make(BOOT, (host, port), now), BOOT, (host, port), now)
