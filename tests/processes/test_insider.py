"""A member with the key sends what it can, for a moment; ``tests/bench/insider.py`` has more."""

from __future__ import annotations

import pytest

from tests.bench.insider import measure


@pytest.mark.parametrize(
    ("attack", "encrypted", "rate", "count"),
    [("burst", True, 10e6, 0), ("lies", False, 0.0, 3000), ("lies", True, 0.0, 3000)],
)
def test_an_agent_goes_on_while_an_insider_sends_what_it_can(
    attack: str, encrypted: bool, rate: float, count: int
) -> None:
    """One burst once ended an agent; nothing here depends on how fast this machine is."""
    found = measure(attack, seconds=1.5, rate=rate, count=count, encrypted=encrypted, every=0.2)
    print(found)
    assert found["sent"] > 100
    assert found["received"] > 10  # of a burst, a busy machine reads few
    assert found["errors"] == 0
    assert found["members"]["a"] == found["members"]["x"] == "alive"
    assert set(found["members"]) == {"a", "b", "c", "x"}
    assert len(found["keys"]) == int(encrypted)  # forged registers once removed it
    assert len(found["keys"]) == int(encrypted)
    assert found["rss_last_mb"] - found["rss_first_mb"] < 5
    if attack == "burst":  # for leaves that they never said, owners wait to take new generations
        assert set(found["members"].values()) == {"alive"}
        assert (found["deaths"], found["generations"]) == (0, "kept")
