"""The commands as an operator types them at night: filters, options anywhere, times, keys."""

import json
import os
import pty
import re
import time

import pytest
from click.testing import CliRunner

from gossipmm.addresses import parse_address
from gossipmm.cli.app import cli
from gossipmm.cli.keyboard import keyboard
from gossipmm.cli.top import _Screen
from gossipmm.errors import ConfigError
from gossipmm.text.durations import moment
from tests.served import served


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    with (
        served(folder / "a.sock", register=("compute",), metadata={"zone": "z1"}) as a,
        served(
            folder / "b.sock", name="web-b", join=(a.address,), metadata={"zone": "z2", "big": True}
        ) as b,
    ):
        while len(a.do(a.agent.members)) < 2:
            pass
        yield a, b


@pytest.fixture
def run(agents, monkeypatch):
    """Run a command; returns (status, output)."""
    monkeypatch.setenv("GOSSIPMM_CONTROL", agents[0].path)

    def run(*arguments):
        result = CliRunner().invoke(cli, arguments)
        return result.exit_code, result.output

    return run


def names(found):
    return [line.split()[0] for line in found[1].splitlines()[1:]]


def test_filters_of_members(run):
    assert names(run("members", "--name", "web-*")) == ["web-b"]
    assert names(run("members", "--topic", "compute")) == ["a"]
    assert names(run("members", "--metadata", "zone=z2")) == ["web-b"]
    assert names(run("members", "--metadata", "big=true", "--status", "alive")) == ["web-b"]
    assert names(run("members", "--metadata", "zone=z1", "--metadata", "big=true")) == []
    assert names(run("members", "--name", "a", "--name", "web-?")) == ["a", "web-b"]


def test_a_filter_that_leaves_nobody_ends_with_status_1(run):
    """``members --status foo`` printed an empty table, with status 0."""
    assert run("members", "--status", "dead") == (1, "gossipmm: no member passes these filters\n")
    status, out = run("members", "--status", "dead", "-o", "json")
    assert (status, out.splitlines()[0]) == (1, "[]")
    status, out = run("members", "--status", "foo")
    assert status == 2
    assert "'foo' is not one of 'unknown', 'alive'" in out
    assert run("members", "--metadata", "zone")[0] == 2


def test_where_a_member_is_has_a_column(run):
    head, a, b = run("members")[1].splitlines()
    assert re.split(r"\s{2,}", head)[-2:] == ["ZONE", "NOTES"]
    assert a.endswith("z1")
    assert b.endswith("z2    big=true")


def test_options_may_stand_before_the_command(run, agents):
    """``gossipmm --control b members`` said that there was no such option."""
    there = agents[1].path
    assert names(run("--control", there, "members")) == ["a", "web-b"]
    assert json.loads(run("-o", "json", f"--control={there}", "status")[1])["name"] == "web-b"
    assert run("-o", "json", "keys", "list")[0] == 1
    status, out = run("-o", "json", "completion", "bash")
    assert status == 2
    assert "No such option '-o'" in out


def test_every_command_that_changes_something_says_it_in_json(run):
    assert json.loads(run("register", "web", "h", "-o", "json")[1])["host"] == "h"
    for words, key in (
        (("drain", "web", "h"), "draining"),
        (("undrain", "web", "h"), "changed"),
        (("ack-alive", "web", "h"), "acknowledged"),
        (("unregister", "web", "h"), "unregistered"),
        (("log-level", "warning"), "level"),
    ):
        status, out = run(*words, "-o", "json")
        assert status == 0, out
        assert json.loads(out)[key]


def test_a_moment_says_its_zone_and_of_another_day_its_date(monkeypatch):
    """Times without either were taken for UTC, and those of yesterday for today's."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        noon = 1_764_414_000.25  # 2025-11-29T11:00:00.25Z
        assert moment(noon, now=noon + 60) == "12:00:00+0100"
        assert moment(noon, now=noon + 60, digits=3) == "12:00:00.250+0100"
        assert moment(noon, now=noon + 86_400) == "2025-11-29 12:00:00+0100"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_hints_name_what_was_probably_meant():
    """``::1:0`` was to be written as ``[::1:0]:7946``."""
    for text, hint in (
        ("::1:0", "write [::1]:0 or [::1:0]:7946"),
        ("1:2:3:4:5:6:7:8", "write [1:2:3:4:5:6:7:8]:7946"),
        ("a:b:c", "write HOST:PORT, and an IPv6 address as [ADDRESS]:PORT"),
        ("http://a:7946", "has http:// in front, and gossip has no URLs: leave that out"),
    ):
        with pytest.raises(ConfigError, match=re.escape(hint)):
            parse_address(text)


def test_keys_of_top():
    screen = _Screen(client=None)
    assert screen.react("")
    assert screen.react("p")
    assert screen.held
    assert screen.react("a")
    assert not screen.held
    assert not screen.react("q")


def test_a_key_is_read_from_a_terminal_as_it_is_pressed(monkeypatch):
    """``q`` did nothing but be printed into the picture."""
    keys, terminal = pty.openpty()
    with os.fdopen(terminal, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with keyboard() as pressed:
            os.write(keys, b"q")
            assert pressed(5) == "q"
            os.write(keys, b"\x1b[A")
            assert pressed(5) == "", "an arrow is none of its keys"
            assert pressed(0) == ""
    os.close(keys)


def test_agents_members_topics_and_fields_are_completed(run, agents, monkeypatch):
    monkeypatch.setattr("gossipmm.client.place._sockets", lambda _: [a.path for a in agents])

    def complete(*words):
        monkeypatch.setenv("_GOSSIPMM_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(("gossipmm", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        result = CliRunner().invoke(cli, prog_name="gossipmm", complete_var="_GOSSIPMM_COMPLETE")
        return [line.partition(",")[2] for line in result.output.splitlines()]

    assert complete("members", "--control", "b") == ["b"]
    assert complete("members", "--name", "w") == ["web-b"]
    assert complete("drain", "c") == ["compute"]
    assert complete("forget", "web") == ["web-b"]
    assert "gossip_interval" in complete("config", "fields", "gossip_")


def test_what_one_may_mean_is_completed(run, agents, monkeypatch):
    """Completions asked the usual agent, whatever --control said; hosts, kinds, fields had none."""

    def completed(*words):
        monkeypatch.setenv("COMP_WORDS", " ".join(("gossipmm", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        monkeypatch.setenv("_GOSSIPMM_COMPLETE", "bash_complete")
        found = CliRunner().invoke(cli, prog_name="gossipmm")
        return [line.partition(",")[2] for line in found.output.splitlines() if line]

    assert completed("drain", "--member", "we") == ["web-b"]
    assert completed("drain", "comp") == ["compute"]
    assert completed("report-failure", "compute", "a") == ["a"]
    assert completed("watch", "--kind", "member_d") == ["member_died"]
    assert completed("agent", "--set", "accept_") == ["accept_drain="]
    assert completed("agent", "--preset", "w") == ["wan"]
    monkeypatch.setenv("GOSSIPMM_CONTROL", "/no/such/agent")
    assert completed("why", "we") == []
    assert completed("why", "--control", agents[1].path, "we") == ["web-b"]
    assert completed("--control", agents[1].path, "why", "we") == ["web-b"]


def test_output_in_json_may_stand_anywhere_also_where_output_means_something_else(run):
    for words in (("-o", "json"), ("--output", "json"), ("--output=json",)):
        found = json.loads(run(*words, "metadata", "set", "zone=z1")[1])
        assert found["changes"] == {"zone": "z1"}
        status, out = run(*words, "check", "pass", "compute", "--output", "fine")
        assert (status, out) == (
            1,
            "gossipmm: compute is not among the services of this agent's configuration\n",
        )
