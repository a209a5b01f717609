"""What becomes of a service by the outcomes of its checks: thresholds, removal, damped flapping."""

from __future__ import annotations

from math import inf

import pytest

from gossipmm.config import Config
from gossipmm.config_services import Service
from gossipmm.services.health import CheckHealth, Outcome, ServiceHealth

GOOD, BAD = Outcome(passes=True), Outcome(passes=False, reason="HTTP 503")


def service(*checks: dict[str, object], **fields: object) -> Service:
    """Read a service as from a file."""
    config = Config(service=[{"topic": "t", "check": list(checks), **fields}])
    (found,) = config.service
    return found


def health(*checks: dict[str, object], now: float = 0.0) -> ServiceHealth:
    found = service(*(checks or ({"tcp": "127.0.0.1:1"},)))
    return ServiceHealth(found, [CheckHealth(check, now) for check in found.check], now)


def feed(one: ServiceHealth, outcome: Outcome, now: float, check: int = 0) -> str:
    """Give a check an outcome; returns the state of the service then."""
    one.checks[check].take(outcome, now, 0.001)
    one.judge(now)
    return one.state


def test_it_is_not_listed_until_all_checks_passed_once() -> None:
    """Consul lists a service as critical from its start, and people ask for it at once."""
    one = health({"tcp": "127.0.0.1:1"}, {"ttl": 15})
    assert feed(one, BAD, 1.0) == "starting"
    assert feed(one, GOOD, 2.0) == "starting"
    assert one.reason(2.0) == "ttl: was not told yet"
    assert feed(one, GOOD, 3.0, check=1) == "up"
    assert one.reason(3.0) == ""


def test_one_failure_is_not_enough_and_one_pass_is_not_either() -> None:
    one = health()
    feed(one, GOOD, 0.0)
    assert [feed(one, BAD, 20.0 + n) for n in range(3)] == ["up", "up", "unhealthy"]
    assert one.reason(22.0) == "HTTP 503"
    assert [feed(one, outcome, 30.0 + n) for n, outcome in enumerate((GOOD, BAD, GOOD))] == [
        "unhealthy"
    ] * 3
    assert feed(one, GOOD, 40.0) == "up"


def test_failing_for_long_removes_it_until_it_passes_again() -> None:
    one = health({"tcp": "127.0.0.1:1", "remove_after": 60})
    feed(one, GOOD, 0.0)
    for now in (100.0, 101.0, 102.0):
        feed(one, BAD, now)
    assert (one.state, one.next_look()) == ("unhealthy", 162.0)
    assert one.judge(161.9) is None
    assert (one.judge(162.0), one.state) == ("unhealthy", "removed")
    assert feed(one, GOOD, 170.0) == "removed"
    assert feed(one, GOOD, 180.0) == "up"


def test_never_removing_is_a_choice() -> None:
    one = health({"tcp": "127.0.0.1:1", "remove_after": 0})
    feed(one, GOOD, 0.0)
    for now in (100.0, 101.0, 102.0, 1e6):
        feed(one, BAD, now)
    assert (one.state, one.next_look()) == ("unhealthy", inf)


def test_it_goes_down_at_once_and_up_at_most_every_ten_seconds() -> None:
    """A change is a page to every member."""
    one = health({"tcp": "127.0.0.1:1", "fall": 1, "rise": 1})
    assert feed(one, GOOD, 0.0) == "up"
    assert feed(one, BAD, 1.0) == "unhealthy"
    assert feed(one, GOOD, 2.0) == "unhealthy"
    assert one.reason(2.0) == "its checks pass again: listed in 8 s"
    assert one.next_look() == 10.0
    assert (one.judge(10.0), one.state) == ("unhealthy", "up")


def flap(one: ServiceHealth, now: float) -> float:
    """Let it change until it is held; returns when."""
    before = one.flaps
    while one.flaps == before:
        now = max(now, one.held_until) + 11.0
        feed(one, GOOD, now)
        now += 1.0
        feed(one, BAD, now)
    return now


def test_what_changes_too_often_is_held_down_for_longer_each_time() -> None:
    one = health({"tcp": "127.0.0.1:1", "fall": 1, "rise": 1})
    feed(one, GOOD, 0.0)
    now, holds = 0.0, []
    for _ in range(6):
        now = flap(one, now)
        feed(one, GOOD, now + 0.5)
        holds.append(one.next_look() - now)
    assert holds == [60.0, 120.0, 240.0, 480.0, 600.0, 600.0]
    assert "but it changed too often: listed in 600 s" in one.reason(now)
    assert one.flaps == 6
    now = one.next_look()
    one.judge(now)
    assert one.state == "up"
    now += 1000.0  # calm for so long: it begins anew
    feed(one, BAD, now)
    now = flap(one, now)
    feed(one, GOOD, now + 0.5)
    assert one.next_look() - now == 60.0


@pytest.mark.parametrize(
    ("state", "removed", "pauses"),
    [
        ("starting", False, [2.0, 4.0, 8.0, 10.0, 10.0]),
        ("passing", False, [10.0] * 5),
        ("failing", True, [20.0, 40.0, 60.0, 60.0, 60.0]),
    ],
)
def test_a_start_is_seen_soon_and_what_is_gone_costs_little(
    state: str, removed: bool, pauses: list[float]
) -> None:
    one = CheckHealth(service({"tcp": "127.0.0.1:1"}).check[0], 0.0, state)
    found = []
    for now in range(5):
        if state != "passing":
            one.take(BAD, now, 0.0)
        found.append(one.pause(removed=removed))
    assert found == pauses


def test_all_is_counted() -> None:
    one = health()
    for now, outcome in enumerate((GOOD, BAD, Outcome(True, "warns", "nearly full"))):
        feed(one, outcome, float(now))
    status = one.checks[0].status()
    assert (status.runs, status.failures, status.at, status.took) == (3, 1, 2.0, 0.001)
    assert (status.state, status.reason, status.output) == ("passing", "warns", "nearly full")
