"""The experiments of the literature as commands: grids, lines, resuming, wrong input."""

import json
from pathlib import Path

import pytest

from gossipmm_sim.search.experiments import Cell, interval_grid, threshold_grid
from tests.sim.command import end


@pytest.mark.parametrize(
    ("grid", "cells"),
    [
        (interval_grid(), 432),
        (interval_grid(quick=True), 27),
        (threshold_grid(), 54),
        (threshold_grid(quick=True), 9),
    ],
)
def test_the_grids_are_those_of_the_paper(grid, cells):
    assert len({tuple(one.items()) for one in grid}) == cells


CELL = ["lifeguard", "--nodes", "5", "--c", "1", "--d", "0.512", "--i", "16.384"]


def test_a_line_for_each_cell_and_resume_goes_on_behind_them(tmp_path, capsys):
    """A grid of hours that was interrupted began again with its first cell."""
    out = tmp_path / "cells.jsonl"
    assert end(*CELL, "--out", str(out)) == 0
    first = out.read_text()
    row = json.loads(first)
    assert row["job"] == "lifeguard_interval[c=1,d=0.512,i=16.384,nodes=5]#0"
    assert row["ok"]
    assert len(row["trace_hash"]) == 32
    with out.open("a") as file:
        file.write('{"job": "lifeguard_interval[cut off in the mid')
    capsys.readouterr()
    assert end(*CELL, "--d", "0.128", "--out", str(out), "--resume") == 0
    lines = out.read_text().splitlines()
    assert lines[0] == first.strip()
    assert json.loads(lines[1])["job"] == "lifeguard_interval[c=1,d=0.128,i=16.384,nodes=5]#0"
    assert len(lines) == 2
    said = capsys.readouterr().out
    assert said.startswith("2 cells of 5 hosts, 1 of them done before: 0 false deaths by healthy")


def test_what_is_told_counts_the_cells_that_were_asked_for_alone(tmp_path, capsys):
    out = tmp_path / "cells.jsonl"
    other = {"job": "lifeguard_interval[another]#0", "false_deaths_by_well": 7, "false_deaths": 7}
    out.write_text(json.dumps(other) + "\n")
    assert end(*CELL, "--out", str(out), "--resume") == 0
    assert capsys.readouterr().out.startswith("1 cells of 5 hosts, 0 of them done before: 0 false")


def test_a_cell_with_a_false_death_is_named_and_ends_with_status_1(tmp_path, capsys):
    out = tmp_path / "cells.jsonl"
    job = "lifeguard_interval[c=1,d=0.512,i=16.384,nodes=5]#0"
    row = {"job": job, "false_deaths_by_well": 2, "false_deaths": 3, "deaths_seen": 1}
    out.write_text(json.dumps(row) + "\n")
    assert end(*CELL, "--out", str(out), "--resume") == 1
    assert f"  {job}: 2" in capsys.readouterr().out


def test_the_threshold_experiment_runs_a_cell(tmp_path):
    out = tmp_path / "cells.jsonl"
    cell = ["--nodes", "5", "--c", "1", "--d", "0.512", "--out", str(out)]
    assert end("lifeguard", "--experiment", "threshold", *cell) == 0
    assert json.loads(out.read_text())["job"] == "lifeguard_threshold[c=1,d=0.512,nodes=5]#0"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--c", "3"], "no cell of the grid has these values of --c, --d and --i"),
        (["--resume"], "--resume needs --out FILE"),
        (["--shard", "0/2"], "shard '0/2' is out of range"),
        (["--out", "missing/cells.jsonl"], "missing/cells.jsonl: No such file or directory"),
    ],
)
def test_wrong_input_is_one_clear_line_and_status_2(args, message, capsys):
    assert end("lifeguard", *args) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said


def test_each_cell_of_the_grid_was_measured_and_none_has_a_false_death_by_the_well():
    """``sim/results`` is what RESULTS.md sums up, and what ``lifeguard --resume`` leaves out."""
    file = Path(__file__).parents[2] / "sim" / "results" / "lifeguard_interval.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    grid = {Cell("lifeguard_interval", cell, 0, 128).job for cell in interval_grid()}
    jobs = [row["job"] for row in rows]
    assert len(set(jobs)) == len(jobs)
    assert set(jobs) == grid
    assert all(row["ok"] and not row["false_deaths_by_well"] for row in rows)
