"""``max_datagram`` below 1,200, for networks that carry less."""

from __future__ import annotations

import pytest

from gossipmm.config import Config
from gossipmm.core.values.stats import Drop
from gossipmm.errors import ConfigError, LimitError
from tests.helpers import Mesh, dropped

SMALL = 548


def test_a_size_that_not_every_path_needs_is_refused_with_the_reason() -> None:
    """400 was "not between 1200 and 1452", and so was a VPN's 1,000."""
    assert Config(max_datagram=SMALL).max_datagram == SMALL
    with pytest.raises(
        ConfigError, match=r"400 is not between 548 and 1452: every path carries 548"
    ):
        Config(max_datagram=400)


@pytest.mark.parametrize("others", [SMALL, 1200])
def test_many_registrations_reach_everybody_in_small_datagrams(others: int) -> None:
    """A page of 1,000 bytes fits in none of them, and would never have been told [P104].

    Beside members with larger datagrams, whose pages it can hold and not pass on, too.
    """
    mesh = Mesh("a", max_datagram=others)
    mesh.add("b", max_datagram=SMALL)
    mesh.settle()
    for name in "ab":
        for number in range(100):
            mesh[name].register(f"topic-{number:03d}-of-{name}", name, now=mesh.now)
    mesh.until(mesh.agreed, within=20)
    mesh.add("c", max_datagram=SMALL)
    mesh.until(mesh.agreed, within=20)
    assert len(mesh["c"].table.topics) == 200
    small = {mesh[name].addresses[0] for name in "bc"}
    assert max(len(packet.data) for packet in mesh.sent if packet.source in small) <= SMALL


def test_what_does_not_fit_is_refused_with_both_numbers() -> None:
    mesh = Mesh("a", max_datagram=SMALL)
    with pytest.raises(LimitError, match=r"more than the 3\d\d that max_datagram = 548 leaves"):
        mesh["a"].register("t", "h", {"note": "x" * 340}, now=mesh.now)
    assert mesh["a"].registrations(mesh.now) == ()
    with pytest.raises(LimitError, match=r"more than the 348 that max_datagram = 548 leaves"):
        Mesh("b", max_datagram=SMALL, metadata={"note": "x" * 330})


def test_a_datagram_above_the_link_is_counted_apart() -> None:
    """[P70]."""
    mesh = Mesh("a")
    mesh["a"].send_failed(("10.0.0.9", 1), mesh.now, 1200)
    mesh["a"].send_failed(("10.0.0.9", 1), mesh.now)
    assert dropped(mesh["a"], Drop.SEND_TOO_LARGE) == dropped(mesh["a"], Drop.SEND_FAILED) == 1
