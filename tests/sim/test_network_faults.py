"""Faults of addresses, translators and lives do what they say, in a run of real cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import inf
from types import SimpleNamespace

import pytest

from gossipmm_sim.engine.sockets import family_of
from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults import parse_fault
from gossipmm_sim.runs.result import Verdict
from gossipmm_sim.runs.run import Run
from gossipmm_sim.runs.scenario import Scenario
from gossipmm_sim.search.shrink import Shrinker


def played(*faults: str, seed: int = 1, **fields) -> Run:
    """Run four hosts for ten seconds behind a warm-up of three."""
    settings = {"name": "x", "nodes": 4, "warmup": 3, "duration": 10, **fields}
    run = Run(Scenario(faults=faults, **settings), seed)
    run.execute()
    return run


def families(host) -> list[int]:
    return sorted(family_of(one) for one, _ in host.hears())


class TestAddresses:
    def test_a_machine_that_has_lost_its_only_address_can_move(self):
        """Story: it ended the run (swarm_paths of five hosts, seed 100457)."""
        faults = ("socket on=1 bind=any4", "lose_address at=1 on=1 back=4")
        run = played(*faults, "restart at=2 on=1 down=0.5 new_address=true")
        assert run.cluster.hosts[1].up
        assert families(run.cluster.hosts[1]) == [4]

    def test_sockets_are_there_before_the_first_boot_and_for_who_comes_later(self):
        run = played("socket on=all bind=any v4=2 v6=1", "spawn at=1")
        for host in run.cluster:
            assert families(host) == [4, 4, 6]
            assert [family_of(one) for one, _ in host.core.addresses] == [6, 4]

    def test_sockets_of_some_leave_the_others_alone(self):
        run = played("socket on=2 bind=any")
        assert [host.socket is None for host in run.cluster] == [True, True, False, True]
        assert "local EAFNOSUPPORT" not in run.cluster.network.lost  # each is sent to by IPv4
        run = played("socket on=2 bind=v6", "socket on=0 bind=any")
        assert run.cluster.network.lost["local EAFNOSUPPORT"] > 0

    def test_a_new_address_comes_after_the_gap(self):
        run = played("readdress at=1 on=1 gap=20", duration=30)
        host = run.cluster[1]
        assert host.core.addresses == host.hears() != (("10.0.0.2", 7946),)
        assert run.cluster.network.lost["local ENETUNREACH"] > 0
        early = played("readdress at=1 on=1 gap=8.9")
        assert early.cluster[1].hears() != early.cluster[0].hears() != ()

    def test_an_address_is_lost_and_comes_back(self):
        for text, there in (("lose_address at=1 on=1", False), ("lose_address on=1 back=2", True)):
            host = played(text).cluster[1]
            assert (host.core.addresses[0] in host.hears()) is there

    def test_an_address_is_added(self):
        host = played("add_address at=1 on=1 family=v4").cluster[1]
        assert families(host) == [4, 4]
        assert host.core.addresses == host.hears()[:1]

    def test_a_route_is_missing_for_a_while(self):
        run = played("socket on=all bind=any", "no_route at=1 until=4 on=1")
        failed = run.cluster.network.lost["local ENETUNREACH"]
        assert failed > 0
        assert run.cluster[1].source(("fd00::99", 7946)) == (run.cluster[1].hears()[1])

    def test_a_path_of_one_family_breaks_and_comes_back(self):
        run = played("socket on=all bind=any", "cut at=1 until=3 via=v6")
        assert run.cluster.network.lost["cut"] > 0
        assert run.converged_after is not None
        assert (
            "cut" not in played("socket on=all bind=any4", "cut at=1 via=v6").cluster.network.lost
        )

    def test_a_path_to_the_second_address_only(self):
        faults = ("socket on=1 bind=any4 v4=2", "cut at=0 on=1 way=in via=1 until=9")
        assert "cut" not in played(*faults).cluster.network.lost
        faults = (faults[0], "cut at=0 on=1 way=in via=0 until=9")
        assert played(*faults).cluster.network.lost["cut"] > 0


class TestSizes:
    @pytest.mark.parametrize(
        ("tells", "reason"),
        [("", "path mtu"), (" tells=error", "local EMSGSIZE"), (" tells=fragments", "path mtu")],
    )
    def test_large_datagrams(self, tells, reason):
        run = played(
            f"mtu on=1 payload=300{tells} until=9", "register at=1 on=0 topic=big count=50"
        )
        assert run.cluster.network.lost[reason] > 0
        if "fragments" in tells:
            assert run.difference is None


class TestEarly:
    def test_a_path_can_be_bad_before_anybody_boots(self):
        """A newcomer's first datagrams are what matters: at=0 is behind the warm-up."""
        late = played("loss p=1 on=3 until=9")
        early = played("loss p=1 on=3 until=9 early=true")
        assert late.joined_after is not None
        assert early.joined_after is None
        assert early.converged_after is not None

    def test_a_flip_flop_cannot(self):
        with pytest.raises(UsageError, match="early=true: it begins at its time"):
            parse_fault("flip_flop early=true")


class TestTranslator:
    def test_others_see_other_sources_until_it_ends(self):
        run = played("nat on=1 until=5 early=true")
        assert run.cluster.counts["SourceDiffers"] > 0
        assert run.cluster.network.nats == {}
        assert "SourceDiffers" not in played().cluster.counts

    def test_with_no_published_port_a_host_can_not_be_asked(self):
        run = played("nat on=1 published=false forget=0.2 until=9", duration=11)
        assert run.cluster.network.lost["translator"] > 0


class TestWarm:
    def test_every_start_takes_its_time(self):
        run = played("warm least=0.3 most=0.4", "restart at=1 on=2", "spawn at=2")
        assert 0.3 <= run.joined_after <= 0.6
        restarted = [at for at, label, what in run.cluster.events if what == "boot" and at > 0]
        assert len(restarted) == 2
        assert run.converged_after is not None

    def test_a_slow_one_works_off_what_came_meanwhile(self):
        """Answers that came before it read lay there until another datagram or timer: 0.5 s."""
        for seed in range(5):
            run = played("warm on=1 service=0.003", nodes=2, seed=seed, warmup=5)
            assert run.joined_after < 0.2

    def test_only_some(self):
        run = played("warm on=2 least=2 most=2", warmup=5)
        assert 2 <= run.joined_after <= 2.5


class TestLives:
    @pytest.mark.parametrize("how", ["crash", "leave"])
    def test_a_clone_has_the_name_and_a_later_life_and_ends(self, how):
        run = played(f"clone at=1 until=3 on=1 how={how}")
        clone = run.cluster.hosts[-1]
        assert (clone.node_name, clone.up) == ("n1", False)
        assert clone.core.generation > run.cluster[1].last_generation
        assert clone.address != run.cluster[1].address
        assert run.cluster[1].boots == 1
        assert run.cluster.counts["NameConflict"] > 0
        assert any(
            label == clone.label and what in ("crash", "left")
            for _, label, what in run.cluster.events
            if isinstance(what, str)
        )

    def test_a_crash_loop_has_many_lives_and_ends_alive(self):
        run = played("crash_loop at=1 until=8 on=2 up=1 down=0.5")
        host = run.cluster[2]
        assert host.up
        assert 5 <= host.boots <= 7
        assert run.cluster[1].boots == 1

    def test_visitors_come_one_by_one_and_go(self):
        run = played("visitors at=1 count=5 every=1 life=2")
        visitors = run.cluster.hosts[4:]
        assert [host.label for host in visitors] == [f"visitor{n}" for n in range(5)]
        assert [round(host.booted_at) for host in visitors] == [4, 5, 6, 7, 8]
        assert not any(host.up for host in visitors)


class TestMeasures:
    def test_traffic_of_a_window(self):
        run = played("measure_traffic at=2 until=8 on=!0 name=quiet", "cut at=1 until=9")
        figures = run.figures
        assert 0 < figures["quiet_datagrams"] <= figures["quiet_datagrams_max"]
        assert figures["quiet_bytes"] > 28 * figures["quiet_datagrams"]

    def test_the_share_of_looks_that_found_a_host(self):
        run = played("measure_listed at=0 until=10 on=2", "crash at=5 on=2")
        assert 0.5 < run.figures["listed_share"] < 0.95
        assert played("measure_listed until=10 on=2").figures["listed_share"] == 1.0

    def test_who_has_joined_and_what_it_lacked(self):
        run = played("measure_joined until=8", "spawn at=1")
        assert run.figures["not_joined"] == 0
        assert run.figures["joined_lacking"] == 0
        run = played("measure_joined until=8", "loss p=1 on=3 until=9 early=true")
        assert run.figures["not_joined"] == 1

    def test_how_long_a_survivor_takes_to_say_that_it_is_alone(self):
        run = played("crash at=1 on=!3", "measure_isolated at=1 until=30 on=3", duration=30)
        assert 1 < run.figures["isolated_after"] < 30
        assert played("measure_isolated until=9 on=3").figures["isolated_after"] == inf

    def test_a_measurement_without_an_end_is_a_mistake_of_the_scenario(self):
        with pytest.raises(UsageError, match="measure_traffic at=1 needs until="):
            played("measure_traffic at=1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("socket on=1 bind=both", "bind='both' is none of v4, v6, any4, any"),
        ("socket on=1 bind=v6 v4=1", "v4=1 v6=0 leaves bind=v6 no address"),
        ("socket on=1 v4=-1", "v4=-1 v6=0: fewer than no address"),
        ("readdress on=1 family=4", "family='4' is none of v4, v6"),
        ("nat on=1 ports=random", "ports='random' is none of per_destination, alternating, cone"),
        ("nat on=1 forget=0", "forget=0 is not above 0"),
        ("mtu tells=icmp", "tells='icmp' is none of error, fragments"),
        ("cut via=ipv6", "via='ipv6' is none of v4, v6, 0, 1, 2 ..."),
        ("warm least=2 most=1", "least=2 most=1: not in this order from 0"),
        ("crash_loop on=1 up=0", "up=0 down=1: too short"),
        ("clone on=1 how=die", "how='die' is none of crash, leave"),
    ],
)
def test_a_wrong_one_is_named(text, message):
    with pytest.raises(UsageError) as caught:
        parse_fault(text)
    assert str(caught.value) == f"fault {text.split()[0]!r}: {message}"


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("socket on=1 bind=any4 v4=4 v6=2", "socket on=1"),
        ("cut at=1 on=1 via=v6 early=true", "cut at=1 on=1"),
        ("mtu at=1 on=1 payload=900 tells=error", "mtu at=1 on=1 payload=900"),
        ("nat at=1.234 on=1,2 ports=cone forget=12.3 early=true", "nat at=1 on=1 forget=12"),
        ("crash_loop at=1 until=9 on=1 up=1.234 down=0.567", None),
        ("visitors at=1 count=40 every=0.987 life=2.5 how=crash", None),
    ],
)
def test_values_shrink_to_plainer_ones(long, short):
    """A smaller path is no plainer one: ``payload`` stays as it was drawn."""

    def attempt(scenario, seed):
        scenario.build_faults()
        return SimpleNamespace(ok=False, failures=(Verdict("kept", False),))

    best = Shrinker(Scenario(name="x", nodes=4, faults=(long,)), 1, attempt=attempt).shrink()
    assert len(best.faults[0]) < len(long)
    if short is not None:
        assert best.faults[0] == short


def test_the_same_seed_gives_the_same_trace_in_other_processes_with_other_hash_seeds():
    faults = (
        "socket on=0-2 bind=any; socket on=3 bind=any4 v4=2; warm; nat on=4 early=true;"
        "mtu on=5 payload=800 tells=error; readdress at=1 on=0; cut at=2 until=3 via=v6;"
        "clone at=1 until=2 on=1; crash_loop at=1 until=4 on=2; visitors count=3"
    )
    settings = ("nodes=6", "warmup=2", "duration=6", "checks=", f"faults={faults}")
    command = [sys.executable, "-m", "gossipmm_sim", "run", "drain", "--json", "-"]
    command += [part for one in settings for part in ("--set", one)]
    hashes = set()
    for seed in ("1", "4242"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        hashes.add(json.loads(done.stdout)["trace_hash"])
    assert len(hashes) == 1
