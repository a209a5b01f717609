"""Loading a configuration: what wins, what is refused, and how that is said."""

import dataclasses
import re
import stat
from pathlib import Path

import pytest

from gossipmm import settings
from gossipmm.config import Config
from gossipmm.errors import ConfigError, SeedError
from gossipmm.mechanisms import Mechanism
from gossipmm.settings import find_file, load_config

NO_FILE = {"GOSSIPMM_CONFIG": ""}


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "gossipmm.toml"
        path.write_text(text)
        return str(path)

    return write


def test_without_any_source_the_defaults_come_out():
    assert load_config(environ=NO_FILE) == Config()


def test_later_sources_win_field_by_field(toml):
    file = toml('preset = "wan"\nname = "file"\ncluster = "file"\nbind = "127.0.0.1:1"\nfanout = 5')
    environ = {"GOSSIPMM_CLUSTER": "environment", "GOSSIPMM_BIND": "127.0.0.1:2"}
    config = load_config(file, environ=environ, flags={"bind": "127.0.0.1:3", "name": None})
    assert (config.name, config.cluster, config.bind) == ("file", "environment", "127.0.0.1:3")
    assert config.fanout == 5
    assert config.suspicion_min == 3.0  # of the preset


def test_keywords_win_over_flags():
    config = load_config(environ=NO_FILE, flags={"fanout": "2"}, fanout=3)
    assert config.fanout == 3


def test_a_preset_lies_below_the_file_wherever_it_is_named(toml):
    file = toml("gossip_interval = 0.3")
    config = load_config(file, environ={"GOSSIPMM_PRESET": "local"})
    assert (config.gossip_interval, config.suspicion_min) == (0.3, 0.5)


def test_maps_are_merged_key_by_key(toml):
    file = toml('[metadata]\nzone = "file"\nrack = 3\nssd = true')
    config = load_config(file, environ={"GOSSIPMM_METADATA__ZONE": "a"})
    assert config.metadata == {"zone": "a", "rack": 3, "ssd": True}


def test_the_environment_speaks_text():
    environ = {
        **NO_FILE,
        "GOSSIPMM_JOIN": "a:1, b:2,",
        "GOSSIPMM_INSECURE": "Yes",
        "GOSSIPMM_DIRECT_CHECKS_LIVENESS": "0",
        "GOSSIPMM_FANOUT": "7",
        "GOSSIPMM_GOSSIP_INTERVAL": "0.25",
    }
    config = load_config(environ=environ)
    assert config.join == ("a:1", "b:2")
    assert (config.insecure, config.direct_checks_liveness) == (True, False)
    assert (config.fanout, config.gossip_interval) == (7, 0.25)


def test_every_field_of_the_configuration_can_be_set(toml):
    for field in dataclasses.fields(Config):
        value = getattr(Config(), field.name)
        if isinstance(value, str | int | float) and field.name not in ("name", "advertise"):
            environ = {**NO_FILE, f"GOSSIPMM_{field.name.upper()}": str(value)}
            assert getattr(load_config(environ=environ), field.name) == value


@pytest.mark.parametrize("source", ["file", "environment", "flags"])
def test_only_code_switches_a_mechanism_off(toml, source):
    """GOSSIPMM_WITHOUT=evidence_age, left over from an experiment, was obeyed without a word."""
    given = {
        "file": {"file": toml('without = ["minimum_generations"]'), "environ": {}},
        "environment": {"environ": {**NO_FILE, "GOSSIPMM_WITHOUT": "minimum_generations"}},
        "flags": {"environ": NO_FILE, "flags": {"without": "minimum_generations"}},
    }[source]
    with pytest.raises(ConfigError, match="(?i)without: can be set by code only$"):
        load_config(**given)
    assert load_config(environ=NO_FILE, without={"minimum_generations"}).without == {
        Mechanism.MINIMUM_GENERATIONS
    }


def test_an_unknown_mechanism_is_refused_with_the_nearest_one():
    """without={"evidence_aeg"} switched nothing off, so that an ablation of it was green."""
    with pytest.raises(ConfigError, match="'flaps'; known: accused_is_told, "):
        Config(without={"flaps"})
    with pytest.raises(ConfigError) as caught:
        Config(without={"evidence_aeg"})
    assert str(caught.value) == (
        "without: unknown mechanism 'evidence_aeg'; did you mean 'evidence_age'?"
    )


def test_every_mechanism_switches_something_off():
    """A name that no part of the core reads would be an ablation of nothing."""
    core = Path(settings.__file__).parent / "core"
    text = "".join(path.read_text() for path in core.rglob("*.py"))
    for one in Mechanism:
        assert re.search(rf"Mechanism\.{one.name}\b", text), one


def test_a_whole_number_is_a_number(toml):
    config = load_config(toml("gossip_interval = 1"), environ={})
    assert isinstance(config.gossip_interval, float)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gosip_interval = 1", "gosip_interval: is not a field of the configuration; did you mean"),
        ("zzz = 1", "zzz: is not a field of the configuration$"),
        ('fanout = "4"', "fanout: '4' is not a whole number"),
        ("fanout = 4.0", "fanout: 4.0 is not a whole number"),
        ("fanout = true", "fanout: True is not a whole number"),
        ("gossip_interval = true", "gossip_interval: True is not a number"),
        ("gossip_interval = nan", "gossip_interval: nan is not between"),
        ("insecure = 1", "insecure: 1 is not true or false"),
        ("name = 3", "name: 3 is not a string"),
        ('join = "a:1"', "join: 'a:1' is not a list of strings"),
        ('join = ["a:1", 2]', r"join\[1\]: 2 is not a string"),
        ('metadata = "zone"', "metadata: 'zone' is not a map"),
        ("metadata = {zone = 1.5}", "metadata.zone: 1.5 is not a string, an integer or a b"),
        ("metadata = {zone = [1]}", r"metadata.zone: \[1\] is not"),
        ("fanout = 99", "fanout: 99 is not between 1 and 32"),
        ('preset = "lam"', "preset: 'lam' is not one of lan, wan, local"),
        ('bind = "127.0.0.1"', "bind: '127.0.0.1' has no port"),
        ('advertise = "a b"', "advertise: 'a b' has a host"),
        (
            'register = ["compute="]',
            "register: host must not be empty: .* TOPIC=HOST, not 'compute='",
        ),
        ("x = [", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_path(toml, text, message):
    file = toml(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(file, environ={})
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("GOSSIPMM_NAMEE", "a", "GOSSIPMM_NAMEE: is not a field.* did you mean name"),
        ("GOSSIPMM_FANOUT", "many", "GOSSIPMM_FANOUT: 'many' is not a whole number"),
        ("GOSSIPMM_INSECURE", "maybe", "GOSSIPMM_INSECURE: 'maybe' is not true or false"),
        ("GOSSIPMM_FANOUT", "99", "GOSSIPMM_FANOUT: 99 is not between 1 and 32"),
        ("GOSSIPMM_METADATA", "zone=a", "one variable a key"),
        ("GOSSIPMM_NAME__X", "a", "GOSSIPMM_NAME__X: {'x': 'a'} is not a string"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named_by_its_variable(variable, text, message):
    with pytest.raises(ConfigError, match=f"^environment: .*{message}"):
        load_config(environ={**NO_FILE, variable: text})


def test_a_malformed_seed_is_named_with_its_source():
    with pytest.raises(SeedError, match="^flags: join: seed 'a:b' has port 'b'"):
        load_config(environ=NO_FILE, flags={"join": ("a:b",)})


def test_what_kubernetes_puts_beside_a_service_of_our_name_is_not_ours():
    environ = {
        **NO_FILE,
        "GOSSIPMM_SERVICE_HOST": "10.0.0.1",
        "GOSSIPMM_SERVICE_PORT_GOSSIP": "7946",
        "GOSSIPMM_PORT": "udp://10.0.0.1:7946",
        "GOSSIPMM_PORT_7946_UDP_ADDR": "10.0.0.1",
    }
    assert load_config(environ=environ) == Config()


def test_the_file_that_is_read(monkeypatch, tmp_path):
    default = tmp_path / "default.toml"
    monkeypatch.setattr(settings, "DEFAULT_FILE", str(default))
    assert find_file({}) is None
    default.write_text('name = "default"')
    assert find_file({}) == str(default)
    assert find_file({"GOSSIPMM_CONFIG": "/other"}) == "/other"
    assert find_file({"GOSSIPMM_CONFIG": ""}) is None
    assert load_config(environ={}).name == "default"


def test_a_file_that_was_named_and_is_missing_is_an_error():
    with pytest.raises(ConfigError, match="^/no/such/file: cannot be read: No such file"):
        load_config(environ={"GOSSIPMM_CONFIG": "/no/such/file"})


def test_a_file_that_may_not_be_read_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path, environ={})
    assert stat.S_ISDIR(tmp_path.stat().st_mode)
