"""``gossipmm config``: what it says of a file is what an agent would say."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tomllib

import pytest
from click.testing import CliRunner

from gossipmm.cli import main
from gossipmm.cli.app import cli
from gossipmm.cli.config import descriptions
from gossipmm.config import Config
from gossipmm.config_ranges import RANGES
from gossipmm.settings import load_config

SETTINGS = {field.name for field in dataclasses.fields(Config)} - {"without"}


@pytest.fixture
def run(monkeypatch, capsys):
    monkeypatch.setenv("GOSSIPMM_CONFIG", "")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gossipmm", "config", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return caught.value.code or 0, out, err

    return run


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "gossipmm.toml"
        path.write_text(text)
        return str(path)

    return write


# -- check ---------------------------------------------------------------------------------


def test_a_file_that_an_agent_would_take(run, toml):
    file = toml('name = "a"\njoin = ["seed:7946"]\n[metadata]\nzone = "z"')
    assert run("check", file) == (
        0,
        f"{file}: ok, 3 fields differ from the defaults\n"
        '  name = "a"\n  join = ["seed:7946"]\n  metadata = { "zone" = "z" }\n',
        "",
    )


BAD = {
    "a registration": ('register = ["a.b"]', "register: topic 'a.b' contains a dot"),
    "a registration that no datagram has room for": (
        f'name = "a"\nregister = ["{"x" * 2000}"]',
        "takes 2006 bytes, more than the 800 allowed",
    ),
    "a keyring that is missing": ('keyring = "/no/such/keys"', "/no/such/keys: "),
    "a ring file that is missing": ('ring_file = "/no/such/ring"', "/no/such/ring: cannot be read"),
    "a bind that others reach without a key": (
        'bind = "192.0.2.1:7946"',
        "bind: 192.0.2.1:7946 can be reached from other machines and no key is configured",
    ),
    "metadata that no datagram has room for": (f'metadata = {{ a = "{"x" * 999}" }}', "metadata"),
    "a zone that is not a DNS name": (
        'dns_port = 5353\ndns_zone = "a..b"',
        "dns_zone: 'a..b' is not a DNS name",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_an_agent_would_refuse(run, toml, what):
    """It said ok to a registration with a dot, a missing keyring and an exposed port."""
    text, sentence = BAD[what]
    status, out, err = run("check", toml(text))
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("what", sorted(set(BAD) - {"a zone that is not a DNS name"}))
def test_an_agent_refuses_it_in_the_same_words(run, toml, what):
    file = toml(f'{BAD[what][0]}\ncontrol = "none"' if "{" not in BAD[what][0] else BAD[what][0])
    _, _, said = run("check", file)
    done = subprocess.run(
        [sys.executable, "-m", "gossipmm", "agent", "--config", file, "--no-ask"],
        env={**os.environ, "GOSSIPMM_CONTROL": ""},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (2, said)


def test_keys_that_an_agent_would_copy_are_not_copied_by_looking(run, toml, tmp_path):
    from gossipmm import keyfile
    from gossipmm.core.sealing.keyring import Keyring

    seed, keys = tmp_path / "seed", tmp_path / "keys"
    keyfile.create(seed, Keyring((keyfile.generate(),)))
    status, _, err = run("check", toml(f'keyring = "{keys}"\nkeyring_seed = "{seed}"'))
    assert (status, err) == (0, "")
    assert not keys.exists()


def test_a_file_whose_keys_the_unit_names(run, toml, tmp_path):
    """The file of the page for five hosts was refused for having no keys: the unit brings them."""
    from gossipmm import keyfile
    from gossipmm.core.sealing.keyring import Keyring

    file, keys = toml('bind = "0.0.0.0:7946"'), tmp_path / "keys"
    assert "no key is configured" in run("check", file)[2]
    keyfile.create(keys, Keyring((keyfile.generate(),)))
    assert run("check", file, "--keyring", str(keys))[0] == 0
    status, _, err = run("check", file, "--keyring", str(tmp_path / "none"))
    assert status == 2
    assert f"{tmp_path / 'none'}: " in err


# -- show ----------------------------------------------------------------------------------


def test_what_is_shown_is_toml_that_is_read_back(run, toml, tmp_path, monkeypatch):
    file = toml(
        'preset = "wan"\nname = "ä \\"quoted\\" \\\\"\njoin = ["a:1", "b:2"]\ninsecure = true\n'
        'state_file = "/tmp/\\u007f"\nbroadcast_rate = 1e9\n[metadata]\nzone = "z"\n"a.b" = 3'
    )
    monkeypatch.setenv("GOSSIPMM_FANOUT", "7")
    status, out, err = run("show", file)
    assert (status, err) == (0, "")
    assert set(tomllib.loads(out)) == SETTINGS
    copied = tmp_path / "copied.toml"
    copied.write_text(out)
    assert load_config(copied, environ={}) == load_config(file)
    copied.write_text(run("show", "--changed", file)[1])
    assert load_config(copied, environ={}) == load_config(file)
    monkeypatch.delenv("GOSSIPMM_FANOUT")
    assert run("show", "--changed") == (0, "", "")


# -- fields --------------------------------------------------------------------------------


def test_every_field_is_printed_with_its_default_and_what_raising_it_does(run):
    status, out, err = run("fields")
    assert (status, err) == (0, "")
    for name in SETTINGS:
        assert f"\n{name} = " in f"\n{out}"
    assert out.count("Raising it: ") == len(RANGES)
    assert "``" not in out
    assert max(map(len, out.splitlines())) <= 120


def test_one_field(run):
    status, out, _ = run("fields", "suspicion_min")
    assert status == 0
    assert out.splitlines()[0] == "suspicion_min = 1.0"
    assert "    Unit: s; 0.01 to 600." in out.splitlines()
    assert any(line.startswith("    Raising it: more time to refute") for line in out.splitlines())
    assert "    Preset wan: 3.0." in out.splitlines()
    assert run("fields", "suspicion_mim") == (
        1,
        "",
        "gossipmm: suspicion_mim is not a field of the configuration; "
        "did you mean suspicion_min?\n",
    )


def test_fields_as_json(run):
    found = {field["name"]: field for field in json.loads(run("fields", "-o", "json")[1])}
    assert set(found) == SETTINGS
    assert found["fanout"]["unit"] == "members"
    assert (found["fanout"]["low"], found["fanout"]["high"]) == (1, 32)
    assert found["metadata"]["default"] == {}
    assert "raising" not in found["name"]


def test_every_field_has_a_description_of_a_sentence():
    for name, text in descriptions().items():
        assert len(text) > 20, name
        assert text.endswith("."), name


def test_what_is_set_is_also_there_as_json(tmp_path):
    file = tmp_path / "agent.toml"
    file.write_text('name = "a"\naccept_drain = true\n')
    found = CliRunner().invoke(cli, ["config", "show", "--changed", "-o", "json", str(file)])
    assert json.loads(found.stdout) == {"name": "a", "accept_drain": True}
    found = CliRunner().invoke(cli, ["-o", "json", "config", "check", str(file)])
    assert json.loads(found.stdout)["ok"] is True
