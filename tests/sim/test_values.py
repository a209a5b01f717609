"""Faults, checks and scenarios print and parse; what is wrong is named."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults import FAULTS, parse_fault
from gossipmm_sim.judge import CHECKS, parse_check
from gossipmm_sim.runs.scenario import Scenario, find, load, scenarios
from gossipmm_sim.search.swarm import swarm


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_prints_and_parses(kind):
    examples = {
        "on": "0-3",
        "p": "0.25",
        "name": "n1",
        "what": "newborns",
        "by": "0",
        "of": "1",
        "step": "add",
    }
    examples |= {"burden": {"what": "flips"}, "registers": {"what": "far"}}.get(kind, {})
    needed = {field.name for field in fields(FAULTS[kind]) if field.default is MISSING}
    text = " ".join([kind, "at=1.5", *(f"{k}={v}" for k, v in examples.items() if k in needed)])
    fault = parse_fault(text)
    assert parse_fault(str(fault)) == fault
    assert fault.at == 1.5


@pytest.mark.parametrize("kind", CHECKS)
def test_every_check_prints_and_parses(kind):
    required = {
        "within": "2.5",
        "on": "!0-3",
        "figure": "x",
        "value": "1",
        "name": "n1",
        "topic": "a b",
        "count": "3",
    }
    names = {field.name for field in fields(CHECKS[kind])}
    values = [f"{k}='{v}'" for k, v in required.items() if k in names]
    check = parse_check(" ".join([kind, *values]))
    assert parse_check(str(check)) == check


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("los p=1", "unknown fault 'los'; did you mean 'loss'?"),
        ("loss p=1 utnil=3", "unknown parameter of fault 'loss' 'utnil'; did you mean 'until'?"),
        ("loss", "fault 'loss' needs 'p'"),
        ("loss p=x", "loss p: 'x' is not a number"),
        ("loss p=1.5", "fault 'loss': p=1.5 is not a share between 0 and 1"),
        ("loss p=0.1 at=9 until=3", "fault 'loss': until=3 is before at=9"),
        ("loss p", "fault 'loss': 'p' has no value (write p=...)"),
        ("cut way=up", "fault 'cut': way='up' is none of both, out, in"),
        ("", "fault '' does not parse: it is empty"),
        ("loss p='0.1", 'fault "loss p=\'0.1" does not parse: No closing quotation'),
    ],
)
def test_a_wrong_fault_is_named(text, message):
    with pytest.raises(UsageError) as caught:
        parse_fault(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", scenarios())
def test_every_scenario_is_the_same_as_toml_and_as_data(name, tmp_path):
    scenario = find(name)
    path = tmp_path / "own.toml"
    path.write_text(scenario.to_toml())
    assert load(path) == (scenario,)
    assert Scenario.from_dict(scenario.as_dict()) == scenario
    for variant in scenario.variants or ({},):
        chosen = scenario.with_settings(variant)
        assert chosen.doc
        chosen.build_config()
        chosen.build_faults()
        for text in chosen.checks:
            parse_check(chosen.fill(text))


def test_swarm_scenarios_parse_and_differ():
    drawn = [swarm(seed) for seed in range(300)]
    kinds = {text.split()[0] for one in drawn for text in one.faults}
    assert len({one.faults for one in drawn}) > 290
    assert len(kinds) > 20
    for one in drawn:
        faults = one.build_faults()
        assert max(fault.last for fault in faults) <= one.duration
        assert swarm(int(one.doc.split()[-1])) == one


def test_settings_reach_fields_parameters_and_configuration():
    changed = find("loss").with_settings(
        {"p": "0.1", "nodes": "7", "config.fanout": "3", "without": "helpers,digests"}
    )
    assert changed.params["p"] == 0.1
    assert changed.nodes == 7
    config = changed.build_config()
    assert config.fanout == 3
    assert config.without == {"helpers", "digests"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nodse": "3"}, "unknown parameter of loss 'nodse'; did you mean 'nodes'?"),
        ({"nodes": "x"}, "nodes: 'x' is not a number"),
        ({"config.fanuot": "3"}, "unknown parameter of loss 'config.fanuot'; did you mean"),
        ({"without": "ring,helpres"}, "unknown mechanism 'helpres'; did you mean 'helpers'?"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(UsageError) as caught:
        find("loss").with_settings(settings)
    assert str(caught.value).startswith(message)


def test_a_configuration_out_of_range_is_named():
    with pytest.raises(UsageError, match="fanout: 99 is not between 1 and 32"):
        find("loss").with_settings({"fanout": "99"}).build_config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "Expected ']'"),
        ("a = 1", "'a' is not a table"),
        ("[a]\nnodse = 1", r"unknown field of scenario 'a' 'nodse'; did you mean 'nodes'\?"),
        ("[a]\nfaults = 'x'", "faults is not a list"),
        ("[a]\nnodes = 0", "nodes=0 is less than 1"),
        ("[a]\nconfig = {fanuot = 1}", r"unknown config field 'fanuot'; did you mean 'fanout'\?"),
    ],
)
def test_a_wrong_file_is_named_with_its_path(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_scenario_of_a_file_is_found_by_name(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("[a]\nnodes = 2\n[b]\nnodes = 3\n")
    assert find(str(path)).name == "a"
    assert find(f"{path}:b").nodes == 3
    with pytest.raises(UsageError, match=r"unknown scenario in .*own.toml 'c'; known: a, b"):
        find(f"{path}:c")
    with pytest.raises(UsageError, match=r"missing.toml: No such file"):
        find(str(tmp_path / "missing.toml"))
