"""Exchanges by zones, in simulated sites: what travels between them, and who sees a zone die."""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm_sim.runs.result import Result
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import find


def result_of(name: str, **settings: Any) -> Result:
    return run(find(name).with_settings(settings), seed=1)


def test_little_travels_between_zones_and_all_is_known_as_soon() -> None:
    """[P184]: without it 47 bytes a second and host did, where nothing happened."""
    result = result_of("exchanges_by_zone")
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)


def test_without_the_setting_zones_change_nothing() -> None:
    """Bounds that are kept with it are broken without: the scenario notices."""
    result = result_of("exchanges_by_zone", zone_exchanges=False)
    assert {one.kind for one in result.failures} == {"at_most"}
    assert result.figures["crossing_bytes"] > 40


@pytest.mark.parametrize("old", ["none", "even"])
def test_a_zone_that_is_lost_is_out_of_lookups(old: str) -> None:
    """[P184]: one member alone looks after all of it; others are asked to.

    With half of the hosts on the ring of before it takes no longer.
    """
    result = result_of("a_zone_is_lost", old=old)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)


def test_zones_that_were_apart_agree_again() -> None:
    """[P184]: between zones there is hardly an exchange, and so hardly a difference is seen."""
    result = result_of("zones_are_apart")
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)
