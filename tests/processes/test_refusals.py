"""What cannot work is one clear line on stderr and exit status 2, without a traceback."""

import re
import subprocess
import sys

import pytest

from tests.processes.program import environment, run


def refused(result):
    """Return the one line."""
    assert result.returncode == 2, result
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("gossipmm: ")
    return lines[0]


def test_an_address_in_use(start):
    a = start("a")
    line = refused(run("agent", "--name", "b", "--bind", a.address))
    assert f"cannot bind {a.address}: the address is in use" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bind", "127.0.0.1"], "flags: bind: '127.0.0.1' has no port"),
        (
            ["--bind", "192.0.2.1:5", "--insecure"],
            "cannot bind 192.0.2.1:5: it is not an address",
        ),
        (["--bind", "0.0.0.0:0"], "insecure = true"),
        (["--join", "host:port"], "flags: join: seed 'host:port' has port 'port'"),
        (["--set", "gosip_interval=1"], "gosip_interval: is not a field.*did you mean gossip_int"),
        (["--set", "fanout=many"], "flags: fanout: 'many' is not a whole number"),
        (["--register", "a.b"], "topic 'a.b' contains a dot"),
        (["--register", "a="], "host must not be empty: write TOPIC or TOPIC=HOST, not 'a='"),
        (["--preset", "lam"], "'lam' is not one of lan, wan, local"),
        (["--config", "/no/such/file"], "/no/such/file: cannot be read"),
        (["--name", "x" * 65], "name: node name .* takes 65 bytes, more than the 64 allowed"),
    ],
)
def test_wrong_words(arguments, words):
    assert re.search(words, refused(run("agent", *arguments)))


def test_wrong_configuration_file(tmp_path):
    path = tmp_path / "gossipmm.toml"
    path.write_text("[gossip]\ninterval = 1\n")
    for command in (["agent", "--config", str(path)], ["config", "check", str(path)]):
        assert f"{path}: gossip: is not a field of the configuration" in refused(run(*command))
    path.write_text('name = "a"\n[metadata]\nzone = "b"\n')
    result = run("config", "check", str(path))
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        f"{path}: ok, 2 fields differ from the defaults",
        '  name = "a"',
        '  metadata = { "zone" = "b" }',
    ]


def test_wrong_environment():
    line = refused(run("agent", GOSSIPMM_FANOUT="many"))
    assert "environment: GOSSIPMM_FANOUT: 'many' is not a whole number" in line


def test_a_missing_click_is_said_in_one_line():
    code = "import sys; sys.modules['click'] = None; from gossipmm.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "pip install 'gossipmm[sidecar]'" in refused(result)


def test_the_command_line_starts_without_trio():
    code = (
        "import sys, gossipmm.cli.app, gossipmm.settings;"
        "heavy = {'trio', 'cbor2', 'cryptography', 'asyncio', 'rich', 'msgspec'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "[]\n"
