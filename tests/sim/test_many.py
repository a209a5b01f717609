"""Campaigns, shrinking, reports and the command line."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from gossipmm_sim.errors import UsageError
from gossipmm_sim.judge import Breach, Violation
from gossipmm_sim.runs.result import Verdict
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario, find
from gossipmm_sim.search import campaign
from gossipmm_sim.search.ablation import ABLATIONS, ablate
from gossipmm_sim.search.shrink import Shrinker
from tests.sim.command import end


class TestShrink:
    @staticmethod
    def fails_with(*needed: str):
        """A run that fails when all needed faults are there, however many others are."""

        def attempt(scenario: Scenario, seed: int):
            kinds = [text.split()[0] for text in scenario.faults]
            failed = all(kind in kinds for kind in needed)
            broken = Breach(violation=Violation.FALSE_DEATH) if failed else None
            verdicts = (Verdict("kept", broken),)
            failures = tuple(one for one in verdicts if not one.ok)
            return SimpleNamespace(ok=not failed, failures=failures, verdicts=verdicts)

        return attempt

    def test_200_faults_to_the_two_that_matter_within_500_runs(self):
        faults = [f"loss p=0.{place % 9} at={place}" for place in range(198)]
        faults.insert(61, "crash at=3.123456 on=1,2,3")
        faults.insert(140, "pause at=7 on=4")
        scenario = Scenario(name="x", nodes=20, duration=300, faults=tuple(faults))
        shrinker = Shrinker(scenario, 1, attempt=self.fails_with("crash", "pause"))
        best = shrinker.shrink()
        assert [text.split()[0] for text in best.faults] == ["crash", "pause"]
        assert shrinker.runs <= 500
        assert best.nodes < 20
        assert "3.123456" not in best.faults[0]

    def test_a_run_that_does_not_fail_can_not_be_shrunk(self):
        scenario = Scenario(name="x", faults=("wait at=1",))
        with pytest.raises(UsageError, match="does not fail: nothing to shrink"):
            Shrinker(scenario, 1, attempt=self.fails_with("crash"))

    def test_a_real_failure_shrinks(self):
        scenario = Scenario(
            name="x",
            nodes=6,
            duration=10,
            faults=("churn until=3 rate=5", "crash at=1 on=2", "pause at=2 until=3 on=4"),
            checks=("removed within=0.5",),
        )
        best = Shrinker(scenario, 1, most_runs=60).shrink()
        assert best.faults == ("crash at=1 on=2",)


class TestCampaign:
    def test_a_line_for_each_run_and_resume_goes_on_behind_them(self, tmp_path, capsys):
        out = tmp_path / "c.jsonl"
        args = ["campaign", "cluster_of_2_one_dies", "--out", str(out)]
        assert end(*args, "--seeds", "2") == 0
        first = out.read_text().splitlines()
        assert [json.loads(line)["seed"] for line in first] == [0, 1]
        with out.open("a") as file:
            file.write('{"job": "cut off in the mid')
        assert end(*args, "--seeds", "3", "--resume") == 0
        assert out.read_text().splitlines()[:2] == first
        assert [json.loads(line)["seed"] for line in out.read_text().splitlines()] == [0, 1, 2]
        assert "1 runs, 0 failed, 2 were done before" in capsys.readouterr().out

    def test_shards_are_disjoint_and_complete(self):
        todo = campaign.jobs(["swarm"], range(10), {})
        shards = [todo[i::n] for i, n in (campaign.parse_shard(f"{k}/3") for k in (1, 2, 3))]
        assert sorted(job.seed for shard in shards for job in shard) == list(range(10))

    @pytest.mark.parametrize("text", ["0/3", "4/3", "a/3", "3"])
    def test_a_shard_out_of_range_is_named(self, text):
        with pytest.raises(UsageError, match=f"shard '{text}' is out of range"):
            campaign.parse_shard(text)

    def test_a_failing_run_says_how_to_repeat_it(self, capsys):
        assert (
            end(
                "campaign",
                "cluster_of_2_one_dies",
                "--seeds",
                "1",
                "--set",
                "seeds=1",
                "--set",
                "checks=removed within=0.1",
            )
            == 1
        )
        said = re.sub(r"\s+", " ", capsys.readouterr().err)
        assert "repeat: python -m gossipmm_sim run cluster_of_2_one_dies --seed 0" in said

    def test_what_never_came_about_is_counted(self, tmp_path, capsys):
        late = ["--set", "faults=crash at=1 on=1", "--set", "duration=1.5", "--set", "checks="]
        figure = ["--figure", "crash_seen_by_all_max"]
        args = ["campaign", "crash_detected_within", "--seeds", "2", "--set", "nodes=4"]
        assert end(*args, *late, *figure) == 0
        told = capsys.readouterr().out
        assert "crash_seen_by_all_max: median not by the end, max not by the end" in told

    def test_variants_are_runs_of_their_own(self):
        todo = campaign.jobs(["cluster_of_1_2_3"], range(2), {})
        assert len(todo) == 6
        assert len({job.key for job in todo}) == 6


class TestReports:
    def test_the_page_is_equal_on_reruns_and_asks_nobody_for_anything(self):
        from gossipmm_sim.report.render import html

        pages = [html([run(find("live_down_live"), 1)]) for _ in range(2)]
        assert pages[0] == pages[1]
        assert "<svg" in pages[0]
        assert not re.search(r"""(?:src|href)=["']?https?:""", pages[0])
        assert "<script" not in pages[0]

    def test_several_runs_share_a_page(self):
        from gossipmm_sim.report.render import html

        scenario = find("lifeguard_interval")
        few = {
            "nodes": 6,
            "duration": 10,
            "faults": ("block until=5 on=random:$c length=1 every=1",),
        }
        results = [run(scenario.with_settings({**few, "c": c, "warmup": 3}), 1) for c in (1, 2)]
        assert "False deaths against C" in html(results)

    def test_json_has_hash_options_verdicts_and_figures(self, tmp_path):
        path = tmp_path / "r.json"
        assert end("run", "cluster_of_2_one_dies", "--json", str(path)) == 0
        data = json.loads(path.read_text())
        assert len(data["trace_hash"]) == 32
        assert data["options"]["faults"] == ["crash at=1 on=1"]
        assert all(one["ok"] for one in data["verdicts"])
        assert data["figures"]["deaths_seen"] == 1

    def test_replay_compares_the_trace(self, tmp_path, capsys):
        path = tmp_path / "r.json"
        end("run", "cluster_of_2_one_dies", "--json", str(path))
        assert end("replay", str(path)) == 0
        data = json.loads(path.read_text())
        path.write_text(json.dumps({**data, "trace_hash": "0" * 32}))
        assert end("replay", str(path)) == 1
        assert "NOT the same" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rnu"], "unknown command 'rnu'; did you mean 'run'?"),
        (["run", "crash_detected"], "unknown scenario 'crash_detected'; did you mean"),
        (["run", "loss", "--set", "nodse=3"], "did you mean 'nodes'?"),
        (["run", "loss", "--set", "nodes"], "--set 'nodes': write key=value"),
        (["run", "loss", "--nodes", "0"], "0 is not in the range x>=1"),
        (["run", "loss", "--set", "faults=los p=1"], "unknown fault 'los'; did you mean 'loss'?"),
        (["run", "loss", "--set", "checks=kpet"], "unknown check 'kpet'; did you mean 'kept'?"),
        (["run", "loss", "--set", "latency=lam"], "is not a latency distribution"),
        (["run", "drain", "--set", "faults=crash on=99"], "'99' chooses no host of 8"),
        (["run", "drain", "--set", "duration=2"], "the last fault ends at 8 s, after the duration"),
        (["run", "missing.toml"], "missing.toml: No such file or directory"),
        (["replay", "missing.json"], "missing.json: No such file or directory"),
        (["campaign", "--seeds", "x"], "seeds 'x': write how many"),
        (["campaign", "--shard", "3/2"], "shard '3/2' is out of range"),
        (["campaign", "--seeds", "0"], "there is no run to make: --seeds 0, --shard 1/1"),
        (["campaign", "--seeds", "1", "--shard", "2/2"], "there is no run to make"),
        (["campaign", "--resume"], "--resume needs --out FILE"),
        (["campaign", "swram"], "unknown scenario 'swram'"),
        (["ablate", "helprs"], "unknown mechanism 'helprs'; did you mean 'helpers'?"),
    ],
)
def test_wrong_input_is_one_clear_line_and_status_2(args, message, capsys):
    assert end(*args) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said


def test_list_shows_every_family(capsys):
    assert end("list") == 0
    shown = capsys.readouterr().out
    for family in ("join", "restart", "resurrection", "partition", "network", "observer", "edges"):
        assert f"\n{family}\n" in re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_a_file_that_is_no_recorded_run_is_named(tmp_path, capsys):
    path = tmp_path / "x.json"
    path.write_text("[1, 2]")
    assert end("replay", str(path)) == 2
    assert "has no recorded run in it" in capsys.readouterr().err
    path.write_text("{")
    assert end("replay", str(path)) == 2
    assert "is not JSON" in capsys.readouterr().err


@pytest.mark.timeout(300)  # "ring": 60 hosts for 260 s, on a busy machine more than a minute
@pytest.mark.parametrize("name", ABLATIONS)
def test_a_mechanism_switched_off_breaks_its_promise(name):
    outcome = ablate(ABLATIONS[name], seeds=4)
    assert outcome.seed is not None
    assert outcome.message.split()[0].rstrip(":") in " ".join(ABLATIONS[name].scenario.checks)
