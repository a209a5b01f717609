"""Pictures of coordinates: what they say agrees with the figures, and looking changes nothing."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import matplotlib
import pytest

from gossipmm_sim.report.distances import embedded, errors_over_time
from gossipmm_sim.report.drawing import STYLE
from gossipmm_sim.report.plots import figures
from gossipmm_sim.runs.result import Result
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario, find


def continents(**fields) -> Scenario:
    return replace(find("three_continents").with_settings({"nodes": 12}), **fields)


@pytest.fixture(scope="module")
def result() -> Result:
    return run(continents(), seed=1)


def test_every_pair_and_every_second_are_there(result):
    found = result.series["embeddings"]
    assert set(found) == {"early", "distances"}
    pairs, errors = found["distances"]["pairs"], found["distances"]["errors"]
    assert len(pairs) == 12 * 11 // 2
    shares = [abs(estimate - true) / true for true, estimate in pairs]
    assert median(shares) == result.figures["distances_error"] == errors[-1][1]
    times = [at for at, *_ in errors]
    assert times == sorted(times)
    assert times[0] < 0, "it begins with the boot, not with the end of the warm-up"
    assert times[-1] == pytest.approx(50)
    assert len(times) > 50
    assert found["early"]["errors"][-1][0] == pytest.approx(20)


def test_looking_changes_nothing_in_the_run(result):
    """A look that drew a number, or sent something, would be measured instead of the run."""
    quiet = tuple(text for text in continents().faults if "measure" not in text)
    without = run(continents(faults=quiet, checks=(), duration=50), seed=1)
    assert without.trace_hash == result.trace_hash
    assert without.series["embeddings"] == {}


def test_the_pictures_say_what_the_figures_say(result):
    with matplotlib.rc_context(STYLE):
        title, what, drawn = embedded(result)
        assert title == "Estimated against simulated round trips"
        assert "one of 66 pairs of hosts, 50 s after the warm-up" in what
        assert f"less than {result.figures['distances_error']:.1%} off" in what
        assert drawn.count("<use ") >= 66
        title, what, drawn = errors_over_time([result])
        assert f"{result.figures['distances_error']:.1%} at the end" in what
        assert "one pair in ten is worse" in drawn
        _, _, drawn = errors_over_time([result, replace(result, seed=2)])
        assert "median, seed 2" in drawn
        assert embedded(result) == embedded(result), "equal bytes for equal data"


def test_a_large_cluster_shows_some_of_its_pairs_and_says_so(result):
    found = result.series["embeddings"]["distances"]
    many = {"distances": {**found, "pairs": found["pairs"] * 60}}
    with matplotlib.rc_context(STYLE):
        _, what, drawn = embedded(replace(result, series={**result.series, "embeddings": many}))
    assert "one of 3,960 pairs of hosts (one in 2 is shown)" in what
    assert drawn.count("<use ") < 2100


def test_a_run_without_coordinates_has_no_such_pictures():
    plain = run(Scenario(name="x", nodes=3, warmup=3, duration=2), seed=1)
    assert not [title for title, *_ in figures([plain]) if "stimate" in title]
