"""The plugin as a user has it: in a test run of its own."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "gossipmm/docs/simulation.md"


def examples() -> list[str]:
    """Return the tests that the page on simulation shows."""
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)


@pytest.fixture
def run(pytester: pytest.Pytester):
    def run(text: str, *args: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:benchmark"]
        if not any(
            one.value == "gossipmm_sim.pytest_plugin" for one in entry_points(group="pytest11")
        ):
            options += [
                "-p",
                "gossipmm_sim.pytest_plugin",
            ]  # this installation was made before it was one
        return pytester.runpytest_inprocess(*options, *args)

    return run


def test_a_routing_client_is_tested_against_a_partition(run):
    run(examples()[0]).assert_outcomes(passed=1)


def test_programs_of_event_loops_are_tested_in_the_time_of_a_cluster(run):
    run(examples()[1]).assert_outcomes(passed=2)


def test_a_failing_test_says_which_seed_it_had(run):
    result = run("def test_it(sim_cluster):\n    sim_cluster(2)\n    assert False\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*gossipmm simulation*", "seed *; repeat: pytest *--sim-seed *"])


def test_the_seed_can_be_given(run):
    text = "def test_it(sim_cluster):\n    assert sim_cluster(2, boot=False).seed == 7\n"
    run(text, "--sim-seed", "7").assert_outcomes(passed=1)


def test_the_same_test_has_the_same_seed_each_time(run):
    text = (
        "seeds = []\n"
        "import pytest\n"
        "def test_it(sim_cluster):\n"
        "    assert sim_cluster(2, boot=False).seed == sim_cluster(3, boot=False).seed\n"
    )
    run(text).assert_outcomes(passed=1)
