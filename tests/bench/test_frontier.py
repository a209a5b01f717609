"""What the picture of the frontier is made of, without the runs."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from tests.bench.frontier import Seed, Setting, draw, kept, measured, summed_up

SETTING = Setting(1.25, True, 24, (0, 2))
SEEDS = [
    Seed(130.0, 2.0, [1.0, 3.0, 2.0], 0, 4.0),
    Seed(132.0, 2.1, [5.0, 1.5, 1.0], 1, 5.0),
]


def test_a_point_has_the_crashes_of_all_seeds_and_the_spread_between_them():
    point = summed_up(SETTING, SEEDS)
    assert (point.bytes, point.datagrams) == (131.0, 2.05)
    assert (point.median, point.p99, point.slowest) == (2.0, 5.0, 5.0)
    assert (point.crashes, point.never, point.cpu_seconds) == (6, 1, 9.0)
    assert point.bytes_of_seeds == (130.0, 132.0)
    assert (point.median_of_seeds, point.slowest_of_seeds) == ((1.5, 2.0), (3.0, 5.0))
    assert point.setting == SETTING


def test_without_a_crash_that_all_saw_there_is_no_point():
    with pytest.raises(ValueError, match="more hosts"):
        summed_up(SETTING, [Seed(130.0, 2.0, [], 3, 4.0)])


def test_points_that_are_kept_are_not_measured_again(tmp_path, monkeypatch):
    """A line that was cut off in the middle counts for nothing, and harms none."""
    point = summed_up(SETTING, SEEDS)
    data = tmp_path / "frontier.jsonl"
    data.write_text(json.dumps(asdict(point)) + "\n" + json.dumps(asdict(point))[:50])
    assert kept(data) == {SETTING: point}
    assert list(measured([SETTING], data, jobs=1)) == [point]
    monkeypatch.setattr("tests.bench.frontier.get_context", lambda _: _Here())
    monkeypatch.setattr("tests.bench.frontier.measure", lambda job: SEEDS[job[1]])
    other = SETTING._replace(expected=False)
    both = list(measured([other, SETTING], data, jobs=1))
    assert [one.setting for one in both] == [SETTING, other]
    assert kept(data) == {one.setting: one for one in both}


def test_the_picture_has_a_line_for_each_kind():
    points = [summed_up(SETTING._replace(expected=one), SEEDS) for one in (True, False)]
    picture = draw(points, "a title")
    assert picture.startswith("<svg")
    assert all(word in picture for word in ("a title", "SYN expected", "not expected"))


def test_the_picture_can_be_read_as_a_file_of_its_own():
    """Its colours were those of a page that it was not on: a browser showed black on black."""
    picture = draw([summed_up(SETTING, SEEDS)], "a title")
    assert "#1f2937" in picture
    assert "var(" not in picture


class _Here:
    """A context of processes, and a pool of them, that is this process."""

    def Pool(self, _):  # noqa: N802
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def imap(self, work, todo):
        return map(work, todo)
