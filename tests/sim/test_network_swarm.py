"""Swarms on the network as it is, and that the plain swarm draws what it drew."""

from __future__ import annotations

import re
from hashlib import blake2b

import pytest

from gossipmm_sim.faults import FAULTS
from gossipmm_sim.runs.run import Run, run
from gossipmm_sim.search import campaign
from gossipmm_sim.search.swarm import swarm
from gossipmm_sim.search.swarm_paths import swarm_paths
from tests.sim.command import end


@pytest.mark.parametrize("nodes", [2, 3, 5, 10, 25])
def test_scenarios_parse_differ_and_end_in_time(nodes):
    drawn = [swarm_paths(seed, nodes=nodes) for seed in range(200)]
    assert len({one.faults for one in drawn}) > 190
    for one in drawn:
        faults = one.build_faults()
        assert max(fault.last for fault in faults) <= one.duration
        run = Run(one, 1)
        for place, fault in enumerate(faults):
            fault.prepare(run, f"{fault.kind}#{place}")


def test_a_seed_draws_the_same_again():
    assert [swarm_paths(seed) for seed in range(50)] == [swarm_paths(seed) for seed in range(50)]


def test_every_fault_of_addresses_translators_and_lives_is_drawn():
    kinds = {text.split()[0] for seed in range(300) for text in swarm_paths(seed).faults}
    modules = ("gossipmm_sim.faults.addresses", "gossipmm_sim.faults.lives")
    wanted = {kind for kind, cls in FAULTS.items() if cls.__module__ in modules}
    assert wanted - kinds == {"seeds"}
    assert {"mtu", "cut", "loss", "crash", "restart"} <= kinds


def test_both_families_are_had_by_whoever_all_join_by():
    for seed in range(300):
        one = swarm_paths(seed)
        if any(text.startswith("socket on=all bind=any ") for text in one.faults):
            continue
        for text in one.faults:
            if match := re.match(r"socket on=([0-9,]+) bind=(?:any4|v6)$", text):
                assert min(map(int, match[1].split(","))) >= one.seeds


def test_no_host_is_bound_to_an_address_that_it_may_lose_for_good():
    """Such a host is unreachable for good: no core could keep the promise."""
    for seed in range(300):
        assert not any("bind=v4" in text for text in swarm_paths(seed).faults)


def test_the_plain_swarm_draws_what_it_drew():
    """10,000 seeds of it are on record as green: another draw would make that void."""
    text = "".join(swarm(seed, nodes=n).to_toml() for n in (2, 5, 10, 25) for seed in range(300))
    assert blake2b(text.encode(), digest_size=8).hexdigest() == "442b9dc2d0735ab5"


def test_who_is_cut_off_with_the_only_family_that_it_has_is_not_healthy():
    """A host of IPv6 alone was 'healthy' while all IPv6 was down, and its death a false one."""
    run = Run(swarm_paths(0).with_settings({"faults": ()}), 1)
    run.cluster[0].bind("any")
    run.cluster[1].bind("v6")
    run.faults = swarm_paths(0).with_settings({"faults": ("cut via=v6 until=9",)}).build_faults()
    run.faults[0].act(run, "cut#0")
    assert [run.tracker.well(host.node_name) for host in run.cast[:3]] == [True, False, True]


@pytest.mark.parametrize("at", [0.0, 4.0])
def test_who_joined_late_is_cut_off_with_its_only_family_like_all_others(at):
    """Two late joiners declared each other dead in a cut of all IPv4, and were 'healthy'.

    The fault marked those that were there from the start as cut off, and none that came later.
    """
    cut, late = "cut at=1 via=v4 until=9", f"spawn at={at:g}"
    one = swarm_paths(0).with_settings({"faults": ("socket on=all bind=any4", cut, late)})
    run = Run(one, 1)
    run._warm_up()
    for place, fault in enumerate(run.faults):
        fault.plan(run, f"{fault.kind}#{place}")
    run.cluster.advance(5)
    run.tracker.grace = 0.0
    assert not run.tracker.well("late0")
    run.cluster.advance(5)
    assert run.tracker.well("late0")


@pytest.mark.parametrize(
    ("seed", "story"),
    [
        (24, "a restart was asked at an address without a path, and its last life declared dead"),
        (171, "a seed that lost its state and its clock did not hear of its own later generation"),
        (281, "a host that moved while it was hidden was asked for a proof where it had been"),
        (283, "a host that was paused took its own pause for want of an answer"),
        (302, "who is reached by others alone was asked with one try and no helper, for good"),
        (330, "a life that had ended was held alive for want of a path to the next one"),
        (2598, "helpers were chosen at random, and most had no family of the target"),
        (2819, "before a death who only helpers reach was asked without helpers"),
    ],
)
def test_runs_that_once_ended_with_views_that_differ_or_a_false_death(seed, story):
    """Of 400 seeds 18 were red, most with hosts of one family each [P42, P71, P96, P129]."""
    result = run(swarm_paths(seed), seed=seed)
    assert result.ok, (story, [one.message for one in result.failures])


def test_two_hosts_that_both_live_below_a_dead_life_of_their_name_find_each_other():
    """One had lost its state and its clock, and the clone of the other was dead [P16, P120].

    Each answered the other in a life that the other did not know, and was not believed.
    """
    result = run(swarm_paths(3403, nodes=2), seed=3403)
    assert result.ok, [one.message for one in result.failures]


def test_a_death_is_not_false_while_no_host_that_is_well_leads_from_one_family_to_the_other():
    """The only host with both was in a crash loop: no core could have kept the promise."""
    run = Run(swarm_paths(0).with_settings({"faults": ()}), 1)
    for host, bind in zip(run.cast, ("any", "any4", "v6"), strict=False):
        host.bind(bind)
        host.start()
    both, four, six = run.cast[:3]
    assert run.tracker._leads_to(four, six)
    run.ill(both, run.cluster.now + 9)
    assert not run.tracker._leads_to(four, six)
    assert run.tracker._leads_to(both, six)


class TestCommands:
    def test_a_campaign_chooses_by_network(self, tmp_path, monkeypatch):
        asked = []

        def run_none(todo, **keywords):
            asked.extend(todo)
            return dict.fromkeys(campaign.SOMETIMES, 1)

        monkeypatch.setattr(campaign, "run_campaign", run_none)
        end("campaign", "--seeds", "2", "--network", "real", "--set", "nodes=3")
        assert [(job.scenario, job.seed) for job in asked] == [
            ("swarm_paths", 0),
            ("swarm_paths", 1),
        ]
        assert asked[1].build() == swarm_paths(1, nodes=3)
        asked.clear()
        end("campaign", "--seeds", "1")
        assert [job.scenario for job in asked] == ["swarm"]

    def test_one_is_run_and_repeated_by_its_name(self, capsys):
        quick = ("--set", "duration=31", "--set", "nodes=2", "--set", "faults=nat on=1 early=true")
        check = ("--set", "checks=bounded rate=1")
        assert end("run", "swarm_paths", "--seed", "7", *check, *quick) == 1
        said = capsys.readouterr().out
        assert "swarm_paths seed 7: FAILED" in said
        assert "repeat: python -m gossipmm_sim run swarm_paths --seed 7" in said
