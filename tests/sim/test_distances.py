"""Coordinates on three continents, and what liars do to them."""

from __future__ import annotations

import pytest

from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import find


def test_hosts_on_three_continents_know_their_distances_after_a_minute() -> None:
    """[P178]."""
    result = run(find("three_continents").with_settings({"nodes": 30}), seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)


@pytest.mark.parametrize("what", ["random", "elsewhere"])
def test_five_liars_of_twenty_do_not_move_honest_hosts(what: str) -> None:
    """[P181]."""
    scenario = find("liars_of_distance").with_settings({"what": what})
    result = run(scenario, seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)
