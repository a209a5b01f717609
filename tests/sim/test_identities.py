"""Identities in the simulator: hosts that sign, insiders that forge, and what keys end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gossipmm.core.values.types import IdentityState
from gossipmm_sim.engine.cluster import Cluster
from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults import parse_fault
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario, find

QUICK = [
    one
    for one in find("insiders_against_keys").variants
    if one.get("quick", True) and not one.get("known_failure")
]


@pytest.mark.parametrize("variant", QUICK, ids=lambda one: one["lie"].replace(" ", "_"))
def test_who_lives_keeps_name_address_and_topics(variant):
    result = run(find("insiders_against_keys").with_settings(variant), seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)


def test_without_keys_the_same_lie_moves_a_host():
    """A check that nothing breaks would say nothing about what keys are for."""
    lie = "forge_pages at=1 until=61 by=$by"
    scenario = find("insiders_against_keys").with_settings({"lie": lie, "identity": "off"})
    result = run(scenario, seed=1)
    assert any(v.check.startswith("intact") for v in result.failures)


def test_without_the_roll_out_the_same_lie_is_believed():
    """The scenario of a roll-out under attack is green because hosts sign, and not for its lie."""
    scenario = find("identities_are_rolled_out_under_attack")
    result = run(replace(scenario, faults=("$lie",)), seed=1)
    assert any(v.check.startswith("listed") for v in result.failures)


def test_a_restart_with_a_mode_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="identity='signed' is none of off, announce, require"):
        parse_fault("restart at=1 on=0 identity=signed")


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({"identity": "announce"}, IdentityState.PINNED),
        ({"identity": "require"}, IdentityState.PINNED),
        ({"identity": "require", "trust": "authority"}, IdentityState.CERTIFIED),
        ({"identity": "require", "signatures": "ed25519"}, IdentityState.PINNED),
    ],
    ids=str,
)
def test_hosts_know_the_keys_of_each_other(settings, state):
    cluster = Cluster(4, seed=1, **settings)
    cluster.boot()
    cluster.settle()
    cluster.advance(70)
    member = cluster["n0"].member("n2")
    assert member is not None
    assert member.identity is state


def test_a_process_that_starts_again_knows_the_keys_of_its_state_file():
    """Without its pins it would take the first key that anybody shows it."""
    cluster = Cluster(4, seed=1, identity="require")
    cluster.boot()
    cluster.settle()
    cluster.advance(70)
    host = cluster["n3"]
    host.restart()
    assert set(host.pins) >= {"n0", "n1", "n2"}
    host.restart(lose_state=True)
    assert not host.pins


def test_identities_cost_little_when_all_is_quiet():
    """Encrypted, at most 1.15 times the bytes without: 1.04 at 20 hosts with an authority."""
    rates = {}
    for identity in ("off", "require"):
        cluster = Cluster(20, seed=1, encrypted=True, identity=identity, trust="authority")
        cluster.boot()
        cluster.settle()
        cluster.advance(30)
        mark = cluster.mark()
        cluster.advance(60)
        rates[identity] = cluster.traffic(since=mark).mean_bytes
    assert rates["off"] < rates["require"] <= 1.15 * rates["off"]


@pytest.mark.parametrize("field", ["identity", "trust", "signatures"])
def test_a_misspelt_setting_is_named(field):
    with pytest.raises(UsageError, match="ed448"):
        Scenario(name="x", **{field: "ed448"})
