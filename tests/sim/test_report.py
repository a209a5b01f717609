"""What a report says: its sentences, figures and pictures agree with each other.

One said "slowest: inf s" beside "reaches 100 %", a busiest host of 2,360 bytes/s beside a maximum
of 3,846, and drew 40 rows of the same marks.
"""

from __future__ import annotations

import html as entities
import re

import matplotlib
import pytest

from gossipmm_sim.report.drawing import STYLE
from gossipmm_sim.report.render import html, text
from gossipmm_sim.report.story import story
from gossipmm_sim.report.timeline import timeline
from gossipmm_sim.runs.result import Result
from gossipmm_sim.runs.run import Run, run
from gossipmm_sim.runs.scenario import Scenario


def played(*faults: str, nodes: int = 6, duration: float = 12.0) -> Result:
    scenario = Scenario(name="x", nodes=nodes, warmup=3, duration=duration, faults=faults)
    return run(scenario, seed=1)


def words(page: str) -> str:
    """The page without its marks; the text of pictures stays."""
    page = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", " ", page)).split())


class TestWhatDoesNotComeAbout:
    @pytest.fixture(scope="class")
    @staticmethod
    def result() -> Result:
        # Host 5 is cut off before something is registered, and a crash is seen by nobody in time.
        return played("cut at=0.5 on=5", "register at=2 on=1 topic=late", "crash at=11.9 on=4")

    def test_it_is_told_as_that(self, result):
        page = words(html([result]))
        assert not re.search(r"\b(inf|nan)\b", page)
        assert "not by the end" in page
        assert "not by the end" in text(result)

    def test_no_line_is_said_to_reach_100_percent(self, result):
        page = words(html([result]))
        told = re.search(r"of (\d+) observations (\d+) did not come about by the end", page)
        assert told is not None
        assert int(told[2]) > 0

    def test_the_json_counts_it(self, result):
        data = result.as_dict()
        assert data["never"] == {"crash_seen_by_all": 1, "registration_known_to_all": 1}
        assert data["figures"]["registration_known_to_all_max"] is None

    def test_figures_do_not_pass_over_it(self, result):
        """At 1 - 1/25 of the hosts "known by 99 %" was the time of the slowest that knew."""
        assert result.figures["registration_known_p99"] == float("inf")


def test_what_was_withdrawn_nobody_has_to_learn():
    """Unregistered before all knew, it counted as never known to all: a slowest of inf."""
    started = Run(Scenario(name="x", nodes=4, warmup=3, duration=5, faults=("cut at=0 on=3",)), 1)
    cluster = started.cluster
    cluster.clock.at(4.0, lambda *_: cluster[0].register("short", "h"))
    cluster.clock.at(5.0, lambda *_: cluster[0].unregister("short", "h"))
    cluster.clock.at(6.0, lambda *_: cluster[0].register("gone", "h"))
    cluster.clock.at(7.0, lambda *_: (started.gone(cluster[0], "crash"), cluster[0].crash()))
    result = started.execute()
    assert result.figures["registration_known_to_all_max"] < 1.0


def test_the_busiest_host_is_the_same_in_figures_and_picture():
    result = played("register at=1 on=2 topic=big count=100", "churn at=1 until=9 rate=20")
    page = words(html([result]))
    busiest = re.search(r"The same of the busiest host ([\d,]+) bytes/s", page)
    drawn = re.search(r"max ([\d,]+)", page)
    assert busiest is not None
    assert drawn is not None
    assert busiest[1] == drawn[1]
    assert result.figures["bytes_per_second_max"] == max(rate for _, rate in result.series["bytes"])


class TestTimeline:
    def test_where_nothing_happened_there_is_none(self):
        assert timeline(played()) is None

    def test_what_happened_to_all_alike_is_a_sentence(self):
        found = timeline(played("crash at=1 on=0-5"))
        assert found is not None
        _, told, picture = found
        assert "crash: 6 of 6 hosts, at 1.0 s" in told
        assert picture == ""

    def test_hosts_to_which_the_same_happened_share_a_row(self):
        with matplotlib.rc_context(STYLE):
            found = timeline(played("crash at=1 on=30", nodes=40))
        assert found is not None
        _, told, picture = found
        assert "crash: n30, at 1.0 s" in told
        assert "declares somebody dead: 39 of 40 hosts" in told
        rows = re.findall(r"n\d\d(?: and \d+ more)?(?=</text>)", picture)
        assert "n30" in rows
        assert 2 <= len(rows) <= 5


class TestTheStory:
    """40 rows of marks stood where a sentence would do."""

    def test_what_was_done_what_was_said_and_how_it_ended(self):
        told = story(played("cut at=1 until=8 on=half to=rest", duration=12.0))
        assert told[0] == "6 hosts boot and have 3 s to find each other."
        assert told[1].startswith("At 1 s: cut at=1 until=8 on=half to=rest. Then: 6 of 6 hosts ")
        assert "declare somebody dead, from " in told[1]
        assert told[1].endswith("each of the 6 hosts that are up sees 3 live members.")
        assert told[2].startswith("At 8 s: that ends (cut). Then: 6 of 6 hosts take somebody back")
        assert told[2].endswith("sees 6 live members.")
        assert re.search(
            r"All views agree [\d.]+ s after the last of it\. All \d+ promises", told[-1]
        )

    def test_of_nothing_nothing_is_told(self):
        told = story(played())
        assert len(told) == 2
        assert told[1].startswith("All ")

    def test_one_host_is_named(self):
        told = story(played("crash at=1 on=4", duration=8.0))
        assert "n4 crashes, at 1.0 s" in told[1]

    def test_a_broken_promise_is_the_end(self):
        scenario = Scenario(
            name="x",
            nodes=3,
            warmup=2,
            duration=3,
            checks=("at_most figure=bytes_per_second value=1",),
        )
        assert story(run(scenario, seed=1))[-1].startswith("Broken: at_most")

    def test_it_stands_on_the_page(self):
        assert "What happened" in words(html([played("crash at=1 on=4")]))


def test_the_page_decides_the_colours_of_its_pictures():
    """On a dark screen the page was white, and black text stood on it."""
    page = html([played("crash at=1 on=4")])
    assert "prefers-color-scheme: dark" in page
    pictures = "".join(re.findall(r"<svg.*?</svg>", page, re.S))
    assert "var(--ink)" in pictures
    for colour in ("#1f2937", "#ffffff", "#e5e7eb"):
        assert colour not in pictures
