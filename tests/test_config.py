"""A configuration built by code: each type, each range, each name, and one answer on every face."""

import copy
import dataclasses
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gossipmm import config as config_module
from gossipmm.config import PRESETS, Config, converters
from gossipmm.config_ranges import RANGES
from gossipmm.embed.matchmaker import MatchMakerGossip
from gossipmm.errors import ConfigError, GossipError, SeedError
from gossipmm.settings import load_config

NO_FILE = {"GOSSIPMM_CONFIG": ""}
FIELDS = {field.name: field for field in dataclasses.fields(Config)}

#: Field -> a wrong value, and what is said of it.
WRONG = {
    "register": ("compute", "'compute' is not a list of strings: write [\"compute\"]"),
    "join": (7, "7 is not a list of strings"),
    "allow": (("10.0.0.1/8",), "10.0.0.1/8 has host bits set: write it like 10.0.0.0/8"),
    "bind": (5, "5 is not a string"),
    "advertise": ("a b", "'a b' has a host that is neither a name nor an address"),
    "health_bind": ("127.0.0.1", "'127.0.0.1' has no port: write, for example, 127.0.0.1:7946"),
    "gossip_interval": ("x", "'x' is not a number"),
    "leave_timeout": (None, "None is not a number"),
    "max_jump": (10**400, None),
    "reap_after": (10**400, None),
    "fanout": (4.0, "4.0 is not a whole number"),
    "helpers": (True, "True is not a whole number"),
    "insecure": (1, "1 is not true or false"),
    "metadata": ("zone", "'zone' is not a map (in the environment: one variable a key, NAME__KEY)"),
    "log_format": ("xml", "'xml' is not text or json"),
    "cluster": ("", "cluster name must not be empty"),
    "jitter": (2.0, "2.0 is not between 0.0 and 0.9"),
}


def said(build):
    with pytest.raises(GossipError) as caught:
        build()
    assert isinstance(caught.value, ConfigError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_its_field_and_what_is_expected(name):
    """``register=("compute")`` registered c, o, m, p, u, t and e; "x" was a bare TypeError."""
    value, sentence = WRONG[name]
    text = said(lambda: Config(**{name: value}))
    assert text.startswith(f"{name}: ")
    if sentence is not None:
        assert text == f"{name}: {sentence}"
    assert said(lambda: replace(Config(), **{name: value})) == text
    assert said(lambda: Config.preset("wan", **{name: value})) == text
    if value is not None:  # None is: not given
        assert said(lambda: load_config(environ=NO_FILE, **{name: value})) == f"keywords: {text}"
        assert said(lambda: MatchMakerGossip(**{name: value})) == f"keywords: {text}"


def test_what_is_in_a_file_is_refused_with_the_same_words(tmp_path):
    path = tmp_path / "x.toml"
    for line, name in (
        ('register = "compute"', "register"),
        ("bind = 5", "bind"),
        ('gossip_interval = "x"', "gossip_interval"),
        ('register = ["a.b"]', "register"),
        ("jitter = 2.0", "jitter"),
    ):
        path.write_text(line)
        value = {"a.b": ("a.b",)}.get(line[13:16], WRONG[name][0])
        by_code = said(lambda name=name, value=value: Config(**{name: value}))
        assert said(lambda: load_config(path, environ={})) == f"{path}: {by_code}"


def test_text_that_is_no_number_is_said_as_a_value_of_a_program_is():
    by_code = said(lambda: Config(gossip_interval="x"))
    environ = {**NO_FILE, "GOSSIPMM_GOSSIP_INTERVAL": "x"}
    assert said(lambda: load_config(environ=environ)) == (
        "environment: GOSSIPMM_GOSSIP_INTERVAL: " + by_code.partition(": ")[2]
    )
    flags = {"gossip_interval": "x"}
    assert said(lambda: load_config(environ=NO_FILE, flags=flags)) == f"flags: {by_code}"


@pytest.mark.parametrize(
    ("name", "near"), [("gosip_interval", "gossip_interval"), ("keyrings", "keyring"), ("zz", "")]
)
def test_a_misspelt_field_is_named_with_the_nearest_one(name, near):
    """From code it was Python's TypeError about __init__."""
    hint = f"; did you mean {near}?" if near else ""
    sentence = f"{name}: is not a field of the configuration{hint}"
    assert said(lambda: Config(**{name: 1})) == sentence
    assert said(lambda: Config.preset("lan", **{name: 1})) == sentence
    assert said(lambda: replace(Config(), **{name: 1})) == sentence
    assert said(lambda: load_config(environ=NO_FILE, **{name: 1})) == f"keywords: {sentence}"
    assert said(lambda: MatchMakerGossip(**{name: 1})) == f"keywords: {sentence}"


def test_a_preset_that_is_none_is_named_with_the_nearest_one():
    assert said(lambda: Config.preset("locl")) == (
        "preset: 'locl' is not one of lan, wan, local; did you mean local?"
    )


def test_a_malformed_seed_is_refused_when_built():
    with pytest.raises(SeedError, match="^join: seed 'a:b' has port 'b', not a number"):
        Config(join=("a:b",))


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"zone": 1.5}, "metadata.zone: 1.5 is not a string, an integer or a boolean"),
        ({7: "x"}, "metadata: key must be a string, not int: 7"),
    ],
)
def test_metadata_is_a_map_of_plain_values(metadata, sentence):
    assert said(lambda: Config(metadata=metadata)) == sentence


def test_what_is_as_good_is_taken():
    config = Config(join=["a:1"], register={"compute"}, gossip_interval=1, metadata={"rack": 3})
    assert (config.join, config.register) == (("a:1",), ("compute",))
    assert isinstance(config.gossip_interval, float)
    with pytest.raises(TypeError):
        config.metadata["rack"] = 4  # type: ignore[index]
    assert copy.copy(config) == config
    assert Config() == replace(Config())


def test_every_field_has_a_type_that_is_checked_and_every_number_a_range():
    assert set(converters()) == set(FIELDS)
    numbers = {name for name, field in FIELDS.items() if field.type in ("int", "float")}
    assert set(RANGES) == numbers
    for name, allowed in RANGES.items():
        assert allowed.low <= getattr(Config(), name) <= allowed.high
        assert allowed.unit
        assert allowed.raising
    for preset in PRESETS.values():
        assert set(preset) <= set(FIELDS)


def test_every_field_is_described():
    source = Path(config_module.__file__).read_text()
    for name in FIELDS:
        assert re.search(rf"^    #: .*\n(    .*\n)*?    {name}: ", source, re.M), name
