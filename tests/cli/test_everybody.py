"""``gossipmm status --all`` and ``drain --member``, as an operator types them."""

import json
import re
import time

import click
import pytest
from click.testing import CliRunner

from gossipmm.cli import everybody
from gossipmm.cli.app import cli
from tests.served import served


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    with (
        served(folder / "a.sock", name="a", accept_drain=True) as a,
        served(
            folder / "b.sock",
            name="b",
            join=(a.address,),
            accept_drain=True,
            register=("compute",),
        ) as b,
        served(folder / "c.sock", name="c", join=(a.address,), answer_health=False) as c,
    ):
        while not all(len(one.do(one.agent.members)) == 3 for one in (a, b, c)):
            time.sleep(0.01)
        yield a, b, c


@pytest.fixture
def run(agents, monkeypatch):
    monkeypatch.setenv("GOSSIPMM_CONTROL", agents[0].path)

    def run(*arguments):
        found = CliRunner().invoke(cli, arguments)
        return found.exit_code, found.stdout, found.stderr

    return run


def test_a_line_for_each_member_and_the_silent_ones_last(run):
    status, out, err = run("status", "--all", "--timeout", "10")
    head, *lines = out.splitlines()
    assert re.split(r"\s{2,}", head) == ["NAME", "VERDICT", "VERSION", "UP", "TABLE", "REASONS"]
    assert [line.split()[:3:2] for line in lines[:1]] == [["a", "ok"]]
    assert lines[1].split()[:2] == ["b", "ok"]
    assert lines[2].split()[:2] == ["c", "-"]
    assert lines[2].endswith("does not say: answer_health is false there")
    assert (status, err) == (0, "3 members: 2 ok, 1 without an answer\n")


def test_the_worst_comes_first_and_makes_the_exit_status(run, agents):
    b = agents[1]
    b.do(lambda: b.agent._faults.set("state_file", "x", log=False))
    b.agent._node.questions.answering._told = None  # told for half a second as it was found
    try:
        status, out, _ = run("status", "--all", "--timeout", "10")
        assert status == 1
        first = out.splitlines()[1]
        assert first.split()[:2] == ["b", "DEGRADED"]
        assert first.endswith("its state file cannot be written")
        found = json.loads(run("status", "--all", "-o", "json")[1])
        assert (found["fine"], found["members"][0]["name"]) == (False, "b")
    finally:
        b.do(lambda: b.agent._faults.clear("state_file"))


def test_another_member_is_drained_and_put_back(run, agents):
    assert run("drain", "--member", "b") == (0, "b is draining\n", "")
    assert run("drain", "--member", "b")[1] == "b: nothing to change\n"
    assert run("undrain", "--member", "b") == (0, "b is in new picks again\n", "")
    out = run("drain", "compute", "--member", "b")[1]
    assert out == "at b: compute (1 host) is draining\n"
    out = run("drain", "--undo", "compute", "b", "--member", "b")[1]
    assert out == "at b: compute of b is in new picks again\n"
    status, _, err = run("drain", "--member", "c")
    assert status == 1
    assert "c was not drained: its configuration does not allow it (accept_drain" in err
    status, out, _ = run("undrain", "--member", "zz", "-o", "json")
    assert (status, json.loads(out)["outcome"]) == (1, "unknown_member")


def member(**fields):
    plain = {
        "name": "x", "status": "alive", "verdict": "", "reasons": [], "reasons_text": [],
        "outcome": "no_answer", "why": "it did not answer", "version": "", "uptime": None,
        "agreement": "agrees", "differs_for": None, "took": 2.0, "wire_version": 2,
    }  # fmt: skip
    return plain | fields


def test_an_order_that_puts_what_needs_hands_on_top():
    found = [
        member(name="old", outcome="too_old"),
        member(name="mute"),
        member(name="fine", verdict="ok"),
        member(name="later", verdict="on_fire"),
        member(name="cut", verdict="isolated"),
    ]
    order = [one["name"] for one in sorted(found, key=everybody._order)]
    assert order == ["later", "cut", "fine", "mute", "old"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"outcome": "too_old", "wire_version": 1}, "an older version (wire version 1)"),
        ({"outcome": "not_live", "status": "dead"}, "dead here"),
        ({"agreement": "differs", "differs_for": 3.0}, "differs, for 3.0 s"),
        ({"agreement": "unheard"}, "not heard since"),
    ],
)
def test_what_is_not_known_is_said_as_that(fields, words):
    assert words in click.unstyle(" ".join(everybody._row(member(**fields), "a")))
