"""What a run says of itself, and attacks; ``test_golden.py`` runs the scenarios as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from gossipmm_sim.errors import UsageError
from gossipmm_sim.runs.run import Run, run
from gossipmm_sim.runs.scenario import Scenario, find

#: Attacks with variants, each of which is a run; they have to happen.
HOSTILE = (
    "outsiders",
    "a_page_in_my_name",
    "a_life_i_never_lived",
    "a_heartbeat_i_never_issued",
    "everybody_is_accused",
    "members_that_do_not_exist",
)


@pytest.mark.parametrize(
    ("name", "variant"),
    [(name, variant) for name in HOSTILE for variant in find(name).variants or ({},)],
    ids=str,
)
def test_attack(name, variant):
    result = run(find(name).with_settings(variant), seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)
    assert result.figures["attacks"] >= 10


def test_holders_of_a_returning_member_do_not_echo_each_other():
    # Swarm seed 1070 ended in a storm: two hosts held a third one "returning", each at a burial
    # below the heartbeat that the other knew. Each contradicted the other's claim "dead", with
    # its own claim "dead", for ever; a network that doubles datagrams made it grow. Only a claim
    # of life refutes. Shrunk from ten faults to four; this seed failed before the fix.
    result = run(find("two_returning_do_not_answer_each_other"), seed=10)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)


def test_the_same_seed_gives_the_same_trace_in_other_processes_with_other_hash_seeds():
    command = [sys.executable, "-m", "gossipmm_sim", "run", "swarm", "--seed", "5", "--json", "-"]
    hashes = set()
    for seed in ("1", "4242"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        hashes.add(json.loads(done.stdout)["trace_hash"])
    assert len(hashes) == 1


def test_a_failing_run_prints_seed_options_violation_and_the_command_that_repeats_it():
    from gossipmm_sim.report.render import text

    scenario = find("crash_detected_within").with_settings({"nodes": 3, "within": 0.1})
    result = run(scenario, seed=9)
    shown = text(result)
    assert not result.ok
    assert "crash_detected_within seed 9: FAILED" in shown
    assert "was out of all lookups after" in shown
    assert 'faults = ["crash at=1 on=random:1"]' in shown
    assert (
        "repeat: python -m gossipmm_sim run crash_detected_within --seed 9"
        " --set nodes=3 --set within=0.1" in shown
    )


def test_hosts_drawn_by_chance_are_the_same_when_a_fault_ends():
    # Story: "random:20%" was drawn anew at the end of a pause, so that others were woken up, and
    # an ablation that should have shown something failed with and without its mechanism.
    faults = ("pause at=1 until=5 on=random:20%",)
    started = Run(Scenario(name="x", nodes=20, duration=8, faults=faults, checks=()), 1)
    started.execute()
    assert [host.label for host in started.cluster if host.paused] == []


def test_a_core_that_raises_is_a_broken_promise():
    started = Run(Scenario(name="x", nodes=2, duration=5), 0)

    def fail(data: bytes, source: object, now: float) -> None:
        raise ZeroDivisionError("a bug")

    started._warm_up()
    started.cluster[0].core.receive_datagram = fail
    started._warm_up = lambda: None
    result = started.execute()
    assert [one.check for one in result.failures] == ["no_exception"]
    assert "a bug" in result.failures[0].message


def test_a_storm_ends_the_run():
    started = Run(Scenario(name="x", nodes=2, duration=30), 0)
    host = started.cluster[0]
    data = b"x" * 10

    def echo(*_: object) -> None:
        for _ in range(1000):
            started.cluster.network.send(host, [(data, started.cluster[1].address)])
        started.cluster.clock.at(started.cluster.now + 0.01, echo)

    started.cluster.clock.at(6.0, echo)
    result = started.execute()
    assert [one.check for one in result.failures] == ["no_storm"]
    assert result.virtual < 10


def test_what_a_blocked_host_had_held_back_is_no_storm():
    """Lifeguard's cell of 32 hosts, blocked for 33 s, ended as a storm when they went on."""
    started = Run(Scenario(name="x", nodes=2, duration=30, faults=("block at=1 until=3 on=1",)), 0)
    other, blocked = started.cluster.hosts

    def hold(*_: object) -> None:
        assert blocked.blocked
        blocked._outbox.extend([(b"x" * 10, other.address)] * 26_000)

    started.cluster.clock.at(started.scenario.boot + started.scenario.warmup + 2.0, hold)
    result = started.execute()
    assert result.ok, result.failures
    assert started.cluster.clock.processed > 26_000


def test_a_check_without_its_subject_is_a_mistake_of_the_scenario():
    with pytest.raises(UsageError, match="looks at a crash, and none happened"):
        run(Scenario(name="x", nodes=2, duration=1, checks=("removed within=3",)), seed=1)


def test_a_run_of_another_cluster_on_the_same_network_is_not_compared():
    result = run(find("join_wrong_cluster"), seed=2)
    assert result.figures["dropped.cluster"] > 0


def test_matchmakers_follow_the_virtual_cluster():
    from gossipmm_sim.engine.cluster import Cluster

    cluster = Cluster(4, seed=1)
    for host in cluster:
        host.register("compute")
    cluster.boot()
    cluster.settle()
    asked = cluster[0]
    assert {host for _, host in asked.queues("fanout~compute")} == {"n0", "n1", "n2", "n3"}
    assert sorted(asked.queues("compute")[0][1] for _ in range(4)) == ["n0", "n1", "n2", "n3"]
    cluster[2].crash()
    cluster.advance(6)
    assert {host for _, host in asked.queues("fanout~compute")} == {"n0", "n1", "n3"}
    assert asked.queues("compute.n2") == []
