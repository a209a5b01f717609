"""The table of insiders in security.md is what runs gave, and each of its rows can be run."""

from __future__ import annotations

import pytest

from gossipmm_sim.runs.scenario import find
from tests.bench.table_of_insiders import ROWS, kept, on_the_page, rendered


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.test)
def test_each_row_is_a_scenario_of_the_family(row):
    """A table of figures whose scenario was renamed could not be repeated."""
    assert find(row.scenario).family == "hostile"
    row.built()  # raises where a setting is not one


def test_the_page_has_the_figures_of_the_results_kept():
    """Written by hand, the table said 19 false deaths long after there were none."""
    assert on_the_page() == rendered(kept())


def test_nobody_healthy_dies_in_any_row_but_the_one_that_says_so():
    for row, one in zip(ROWS, kept(), strict=True):
        assert one["broken"] == []
        if "answers there" not in row.attack:
            assert one["false_deaths_by_well"] == 0
